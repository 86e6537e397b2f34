import { statSync, utimesSync } from 'node:fs';
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { absolutePath, digestOfFile, hexOf, type AbsolutePath } from '@strata/fingerprint';
import { actionResultSchema } from './schemas.js';
import type { Collected, Remover, Scratch, Work } from './types.js';
import { usedSince } from './users.js';

/** A folder of a store, and what working in it takes. */
export interface Workplace {
  readonly root: AbsolutePath;
  readonly remove: Remover;
  readonly scratch: () => Promise<Scratch>;
}

/** Something that may be collected. */
interface Item {
  readonly path: string;
  /** For a tree: its label, which goes first. */
  readonly label?: string;
  readonly size: number;
  /** When it was asked for last, in milliseconds since the epoch. */
  readonly used: number;
}

async function files(folder: string): Promise<Item[]> {
  const names = await readdir(folder).catch(() => []);
  const found = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      const state = await stat(path).catch(() => undefined);
      return state?.isFile() === true ? [{ path, size: state.size, used: state.atimeMs }] : [];
    }),
  );
  return found.flat();
}

/** The bytes that a folder takes; what an ordinary user may not read in it is not counted. */
async function sizeOfFolder(folder: string): Promise<number> {
  const { stdout } = await execa('du', ['--summarize', '--block-size=1', folder], { reject: false, stderr: 'ignore' });
  return Number(/^\d+/.exec(stdout)?.[0] ?? 0);
}

async function trees(folder: string): Promise<Item[]> {
  const labels = (await files(folder)).filter(({ path }) => path.endsWith('.json'));
  const items: Item[] = [];
  for (const { path: label, used } of labels) {
    const path = label.slice(0, -'.json'.length);
    items.push({ path, label, size: await sizeOfFolder(path), used });
  }
  return items;
}

/** Removes an item, unless somebody asked for it since `limit`, also in this moment. Gives back whether it is gone. */
async function takeAway({ path, label }: Item, limit: number, { remove, scratch }: Workplace): Promise<boolean> {
  const lastUse = async (file: string): Promise<number> => (await stat(file).catch(() => undefined))?.atimeMs ?? 0;
  const named = label ?? path;
  const before = await lastUse(named);
  if (before >= limit) {
    return false;
  }
  const aside = await scratch();
  try {
    const moved = join(aside.path, 'item');
    await rename(named, moved);
    if ((await lastUse(moved)) !== before) {
      await rename(moved, named);
      return false;
    }
    if (label !== undefined) {
      await remove(absolutePath(path));
    }
    return true;
  } finally {
    await aside.dispose();
  }
}

/** Forgets actions of which an artifact is gone: they count for nothing. */
async function forgetIncomplete(root: AbsolutePath): Promise<void> {
  const blobs = new Set(await readdir(join(root, 'blobs/sha256')));
  for (const { path } of await files(join(root, 'actions'))) {
    try {
      const { outputs } = actionResultSchema.parse(JSON.parse(await readFile(path, 'utf8')));
      if (Object.values(outputs).some(({ digest }) => !blobs.has(hexOf(digest)))) {
        await rm(path, { force: true });
      }
    } catch {
      // what cannot be read is replaced when it is asked for
    }
  }
}

/**
 * Removes what was not asked for for the longest time, artifacts and unpacked trees, until a store holds no more than
 * `keep` bytes of them. What anybody asked for since the oldest process that uses the store began, stays.
 */
export async function collect(place: Workplace, keep: number, onWork: (work: Work) => void): Promise<Collected> {
  const { root } = place;
  const limit = usedSince(root) ?? Infinity;
  const found = [
    ...(await files(join(root, 'blobs/sha256'))),
    ...(await files(join(root, 'partial'))),
    ...(await trees(join(root, 'trees'))),
  ].sort((one, other) => one.used - other.used);
  const size = found.reduce((sum, item) => sum + item.size, 0);
  const total = Math.max(0, size - keep);
  let [freed, items] = [0, 0];
  for (const item of found) {
    if (freed >= total) {
      break;
    }
    if (await takeAway(item, limit, place)) {
      freed += item.size;
      items++;
      onWork({ done: Math.min(freed, total), total });
    }
  }
  await forgetIncomplete(root);
  return { freed, items, left: size - freed, needed: Math.max(0, total - freed) };
}

/**
 * Has a file that was only looked at tell again when it was asked for last, which reading it changed. Where other
 * processes use the store, one of them may have asked for it meanwhile: then it stays as it is.
 */
function restoreUse(root: AbsolutePath, file: string, used: number): void {
  // from looking for others to the end in one go: a process notes that it is there before it asks for anything
  if (usedSince(root) === undefined) {
    try {
      utimesSync(file, used / 1000, statSync(file).mtime);
    } catch {
      // removed, or another user's: then it tells what it tells
    }
  }
}

/** Reads every artifact of a store, and removes those whose content is not what they are named by. Gives back their number. */
export async function verify(place: Workplace, onWork: (work: Work) => void): Promise<number> {
  const found = await files(join(place.root, 'blobs/sha256'));
  const total = found.reduce((sum, { size }) => sum + size, 0);
  let [done, bad] = [0, 0];
  for (const { path, size, used } of found) {
    const digest = await digestOfFile(absolutePath(path)).catch(() => undefined);
    restoreUse(place.root, path, used);
    if (digest !== undefined && !path.endsWith(`/${hexOf(digest)}`)) {
      await rm(path, { force: true });
      bad++;
    }
    done += size;
    onWork({ done, total });
  }
  await forgetIncomplete(place.root);
  return bad;
}
