import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf, hexOf, type AbsolutePath } from '@strata/fingerprint';
import { z } from 'zod';
import { actionResultSchema } from '../schemas.js';
import type { ActionKey, ActionResult } from '../types.js';

/** Days after which nobody waits any more for an upload. */
const keptDays = 7;

const entrySchema = z.object({ result: actionResultSchema, made: z.boolean() });

/** An action that is to be uploaded with its artifacts. */
export interface SpooledAction {
  readonly key: ActionKey;
  readonly result: ActionResult;
  /** Whether it was run now: then whatever remotes hold under its key may be incomplete. */
  readonly made: boolean;
}

/**
 * What is to be uploaded to one remote: files in the folder `uploads` of a store. Tasks leave them there and end; whoever
 * uploads takes them, in this command or, where a command was killed or a remote was down, in the next one that has the
 * same remote: another workspace of this user may have others, which are not to see it.
 */
export class Spool {
  readonly #folder: string;

  /** @param remote its name */
  constructor(root: AbsolutePath, remote: string) {
    this.#folder = join(root, 'uploads', hexOf(digestOf(remote)).slice(0, 16));
  }

  /** Leaves an action to be uploaded. */
  async add({ key, result, made }: SpooledAction): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const aside = join(this.#folder, `.${randomUUID()}`);
    await writeFile(aside, JSON.stringify({ result, made }));
    await rename(aside, join(this.#folder, `${hexOf(key)}.json`));
  }

  /** The keys of what is there. */
  async keys(): Promise<ActionKey[]> {
    const names = await readdir(this.#folder).catch(() => []);
    return names
      .filter((name) => /^[0-9a-f]{64}\.json$/.test(name))
      .sort()
      .map((name) => `sha256:${name.slice(0, 64)}` as ActionKey);
  }

  /** What is to be uploaded under a key; undefined, and gone, where that is too old or cannot be read. */
  async read(key: ActionKey): Promise<SpooledAction | undefined> {
    const file = this.#file(key);
    try {
      const { mtimeMs } = await stat(file);
      const { result, made } = entrySchema.parse(JSON.parse(await readFile(file, 'utf8')));
      if (Date.now() - mtimeMs < keptDays * 24 * 3600_000) {
        const { outputs, facts } = result;
        return { key, result: facts === undefined ? { outputs } : { outputs, facts }, made };
      }
    } catch {
      // another process took it, or it was left half-written
    }
    await this.remove(key);
    return undefined;
  }

  async remove(key: ActionKey): Promise<void> {
    await rm(this.#file(key), { force: true });
  }

  /** Leaves nothing to be uploaded. */
  async clear(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  #file(key: ActionKey): string {
    return join(this.#folder, `${hexOf(key)}.json`);
  }
}
