import { lstat, stat, type BigIntStats } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import xxhash from 'xxhash-wasm';
import { mapInParallel } from './parallel.js';
import type { AbsolutePath } from './types.js';

// the callback functions: those of `fs/promises` take three times as long
const lstatLater = promisify(lstat);
const statLater = promisify(stat);

/** What tells whether something on the disk was written to, as one line of text. */
export interface FileState {
  readonly line: string;
  readonly status: BigIntStats;
}

function describe(path: string, { ino, ctimeNs, size, mode }: BigIntStats): string {
  return `${path}\0${ino} ${ctimeNs} ${size} ${mode}\n`;
}

/** The state of something below a root, or of the root where `path` is empty. Throws what lstat(2) throws. */
export async function readState(root: string, path: string): Promise<FileState> {
  const absolute = join(root, path);
  const status = await lstatLater(absolute, { bigint: true });
  if (path === '' && status.isSymbolicLink()) {
    // whoever reads the root follows the link, so both count
    const target = await statLater(absolute, { bigint: true });
    return { line: describe('', status) + describe('', target), status: target };
  }
  return { line: describe(path, status), status };
}

/** The token of states: xxh64 in hexadecimal. */
export async function tokenOf(lines: readonly string[]): Promise<string> {
  return (await xxhash()).create64().update(lines.join('')).digest().toString(16).padStart(16, '0');
}

/**
 * A token (xxh64 over path, inode, ctime, size and mode of the root and of every path below it) that differs when
 * anything there was written to since, even if the content was put back, and when an entry was added to or removed from
 * one of the folders. Detects change on this machine only; never part of a key.
 */
export async function changeToken(root: AbsolutePath, paths: readonly string[]): Promise<string> {
  const lines = await mapInParallel(['', ...paths], async (path) => {
    try {
      return (await readState(root, path)).line;
    } catch {
      return `${path}\0gone\n`;
    }
  });
  return tokenOf(lines);
}
