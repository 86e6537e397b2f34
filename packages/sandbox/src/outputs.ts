import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import type { Descriptor, Store } from '@strata/store';
import { z } from 'zod';
import type { Action } from './types.js';

const annotationsSchema = z.record(z.string(), z.string());

/** A link would be read outside of the sandbox, and show what the action could not see. */
async function isPlainFile(path: string): Promise<boolean> {
  const state = await lstat(path).catch(() => undefined);
  return state?.isFile() === true;
}

/**
 * Moves what an action left in its folder of outputs into the store. Throws where an output is missing, is no regular
 * file, or does not belong to the action's root.
 */
export async function collectOutputs(
  store: Store,
  { label, outputs }: Action,
  folder: AbsolutePath,
): Promise<Record<string, Descriptor>> {
  for (const name of Object.keys(outputs)) {
    const file = join(folder, name);
    if (!(await isPlainFile(file))) {
      throw new Error(`${label} did not leave its output ${name} as a regular file in /strata/out`);
    }
    if ((await lstat(file)).uid !== process.getuid?.()) {
      throw new Error(`${label} left its output ${name} to another user than its root`);
    }
  }
  const descriptors: Record<string, Descriptor> = {};
  for (const [name, mediaType] of Object.entries(outputs)) {
    const file = absolutePath(join(folder, name));
    const notes = `${file}.annotations.json`;
    const annotations = (await isPlainFile(notes))
      ? annotationsSchema.parse(JSON.parse(await readFile(notes, 'utf8')))
      : undefined;
    descriptors[name] = await store.adopt(file, { mediaType, ...(annotations === undefined ? {} : { annotations }) });
  }
  return descriptors;
}
