import { createHash, randomUUID } from 'node:crypto';
import { renameSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Readable } from 'node:stream';
import pLimit from 'p-limit';
import type { Scope } from './access.js';
import type { Cache } from './cache.js';
import { sync } from './folder.js';
import type { Entry } from './inventory.js';
import type { EntryKind } from './names.js';
import { needsOf } from './needs.js';
import { receive } from './receive.js';
import { Refused } from './refused.js';

/** The largest `ActionResult`, in bytes: a thousand outputs have a few hundred kilobytes. */
const largestAction = 4 << 20;

/** Looking through a body takes memory: not for a thousand clients at once. */
const looking = pLimit(4);

/** One entry that somebody wants to write. */
export interface EntryName {
  readonly kind: EntryKind;
  readonly name: string;
}

/**
 * Takes an entry, unless one is there: the first one wins, and writing the very same again is no mistake. An entry whose
 * artifacts are gone is not there.
 *
 * @param bytes of the body, as its sender announced it
 */
export async function takeEntry(
  cache: Cache,
  scope: Scope,
  { kind, name }: EntryName,
  body: Readable,
  bytes: number,
  onBytes: (count: number) => void,
): Promise<void> {
  if (kind === 'ac' && bytes > largestAction) {
    throw new Refused(413, 'an ActionResult is not that large');
  }
  const { folder, inventory, room, options } = cache;
  await room.during(scope.name, bytes, async () => {
    const file = randomUUID();
    const [aside, note] = [folder.incoming(), folder.incoming()];
    try {
      const hash = createHash('sha256');
      await receive(body, aside, hash, options.patience, onBytes);
      const hex = hash.digest('hex');
      const needs = await looking(() => needsOf(kind, aside));
      const made: Entry = {
        ...{ type: 'entry', kind, scope: scope.name, name, needs },
        ...{ body: { file, hex, size: bytes }, size: bytes, used: inventory.now() },
      };
      await writeFile(note, JSON.stringify({ body: made.body, needs }), { mode: 0o600 });
      await sync(note);
      const known = cache.entry(kind, name, scope);
      if (known !== undefined) {
        if (known.body.hex === hex) {
          return;
        }
        throw new Refused(409, 'something else is there already', { drain: 'all' });
      }
      await publish(cache, made, aside, note);
    } finally {
      folder.discard(aside);
      folder.discard(note);
    }
  });
}

/** From looking for another one to the last rename in one go: nobody comes between. */
async function publish({ folder, inventory }: Cache, made: Entry, aside: string, note: string): Promise<void> {
  folder.furnish(made.scope);
  const [place, body] = [folder.entry(made.kind, made.scope, made.name), folder.body(made.scope, made.body.file)];
  const old = inventory.entry(made.kind, made.scope, made.name);
  renameSync(aside, body);
  try {
    renameSync(note, place);
  } catch (error) {
    folder.discard(body);
    throw error;
  }
  if (old !== undefined) {
    inventory.removeEntry(old);
    folder.discard(folder.body(old.scope, basename(old.body.file)));
  }
  inventory.addEntry(made);
  await Promise.all([sync(dirname(body)), sync(dirname(place))]);
}
