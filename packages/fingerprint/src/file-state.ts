import { lstatSync, statSync } from 'node:fs';
import xxhash from 'xxhash-wasm';
import { below } from './paths.js';
import { StateTable } from './state-table.js';
import { Turns } from './turns.js';
import type { AbsolutePath } from './types.js';

const bigint = { bigint: true } as const;

/** The state of a root: its own, and that of what it leads to, since whoever reads a root that is a link follows it. */
export function readRoot(root: string): StateTable {
  const states = new StateTable();
  for (const read of [lstatSync, statSync]) {
    try {
      states.push(read(root, bigint));
    } catch {
      states.push(undefined);
    }
  }
  return states;
}

/** The token of states: xxh64 in hexadecimal. */
export async function tokenOf(root: StateTable, paths: readonly string[], states: StateTable): Promise<string> {
  const hash = (await xxhash()).create64().update(root.bytes).update(states.bytes).update(paths.join('\0'));
  return hash.digest().toString(16).padStart(16, '0');
}

/**
 * A token (xxh64 over path, device, inode, mode, size, mtime and ctime of the root and of every path below it) that
 * differs when anything there was written to since, even if the content was put back, and when an entry was added to or
 * removed from one of the folders. Detects change on this machine only; never part of a key.
 */
export async function changeToken(root: AbsolutePath, paths: readonly string[]): Promise<string> {
  const rootState = readRoot(root);
  const states = new StateTable();
  const turns = new Turns();
  for (const path of paths) {
    try {
      states.push(lstatSync(below(root, path), bigint));
    } catch {
      states.push(undefined);
    }
    if (turns.due) {
      await turns.give();
    }
  }
  return tokenOf(rootState, paths, states);
}
