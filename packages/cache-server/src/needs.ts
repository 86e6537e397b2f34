import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import tar from 'tar-stream';
import { z } from 'zod';
import { hexOf } from '@strata/fingerprint';
import { artifactsOfActionResult, BadActionResult, descriptorSchema } from '@strata/store';
import type { Need } from './inventory.js';
import type { EntryKind } from './names.js';
import { Refused } from './refused.js';

/** What a task of Strata's leaves for Nx to cache: `dist/PROJECT/strata/TARGET.json`. */
const taskOutput = /(^|\/)strata\/[^/]+\.json$/;
const taskOutputSchema = z.object({
  outputs: z.record(z.string(), descriptorSchema),
  stack: z.array(descriptorSchema).optional(),
});

/** A file of descriptors has a few kilobytes. */
const largestOutput = 1 << 20;
/** An archive of ours has a few of them; what unpacks to more holds something else, and is not looked through. */
const largestArchive = 1 << 24;

/**
 * The artifacts that an entry names. Throws {@link Refused} where an action's is no `ActionResult`. What Nx keeps of other
 * plugins' tasks, in whatever format, names none.
 *
 * @param file the entry's body
 */
export async function needsOf(kind: EntryKind, file: string): Promise<Need[]> {
  const needs = new Map<string, Need>();
  if (kind === 'nx') {
    for (const { digest, size } of await descriptorsOf(file)) {
      needs.set(hexOf(digest), { hex: hexOf(digest), size });
    }
    return [...needs.values()];
  }
  try {
    for (const { digest, size } of artifactsOfActionResult(await readFile(file))) {
      needs.set(hexOf(digest), { hex: hexOf(digest), size });
    }
  } catch (error) {
    throw error instanceof BadActionResult ? new Refused(400, error.message) : error;
  }
  return [...needs.values()];
}

type Descriptors = z.infer<typeof taskOutputSchema>['stack'];

async function descriptorsOf(file: string): Promise<NonNullable<Descriptors>> {
  const found: NonNullable<Descriptors> = [];
  const extract = tar.extract();
  let unpacked = 0;
  const reading = pipeline(
    createReadStream(file),
    createGunzip(),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        unpacked += chunk.length;
        if (unpacked > largestArchive) {
          return;
        }
        yield chunk;
      }
    },
    extract,
  );
  // whatever is no archive of Nx's ends the loop below too
  reading.catch(() => undefined);
  try {
    for await (const entry of extract) {
      const { name, size } = entry.header;
      if (taskOutput.test(name) && size <= largestOutput) {
        const parts: Buffer[] = [];
        for await (const part of entry as AsyncIterable<Buffer>) {
          parts.push(part);
        }
        found.push(...readOutput(Buffer.concat(parts).toString('utf8')));
      } else {
        entry.resume();
      }
    }
    await reading;
  } catch {
    // what could be read up to there was read; Nx tells its users of archives that it cannot unpack
  }
  return found;
}

function readOutput(text: string): NonNullable<Descriptors> {
  try {
    const { outputs, stack = [] } = taskOutputSchema.parse(JSON.parse(text));
    return [...Object.values(outputs), ...stack];
  } catch {
    return [];
  }
}
