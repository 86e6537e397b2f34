import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { changeToken, type AbsolutePath, type ScannedTree } from '@strata/fingerprint';
import type { Action } from './types.js';

const parallelReads = 16;

/** The path of a tree that was written to last, to be named in an error. */
async function lastChanged({ root, manifest }: ScannedTree): Promise<AbsolutePath> {
  const paths = ['', ...manifest.entries.map(({ path }) => path)].map((path) => join(root, path));
  let [last, lastTime] = [root as string, 0];
  for (let start = 0; start < paths.length; start += parallelReads) {
    const some = paths.slice(start, start + parallelReads);
    const states = await Promise.all(some.map((path) => lstat(path).catch(() => undefined)));
    for (const [index, state] of states.entries()) {
      const path = some[index];
      // a file says more than the folder that changed with it, and what is gone says most
      const time = state === undefined ? Infinity : state.ctimeMs + (state.isDirectory() ? -1 : 0);
      if (path !== undefined && time > lastTime) {
        [last, lastTime] = [path, time];
      }
    }
  }
  return last as AbsolutePath;
}

/** Notices whether something that an action reads from the workspace was written to since it was read for the key. */
export class InputWatch {
  readonly #trees: readonly ScannedTree[];
  readonly #files: ReadonlyMap<AbsolutePath, string>;

  private constructor(trees: readonly ScannedTree[], files: ReadonlyMap<AbsolutePath, string>) {
    this.#trees = trees;
    this.#files = files;
  }

  /** Begins to watch; the content of `file` inputs has to be read for the key after this. */
  static async begin(action: Action): Promise<InputWatch> {
    const files = new Map<AbsolutePath, string>();
    for (const input of action.inputs) {
      if (input.kind === 'file') {
        files.set(input.path, await changeToken(input.path, []));
      }
    }
    return new InputWatch(
      action.inputs.flatMap((input) => (input.kind === 'tree' ? [input.tree] : [])),
      files,
    );
  }

  /** A path that was written to; undefined where there is none. */
  async changed(): Promise<AbsolutePath | undefined> {
    for (const tree of this.#trees) {
      const paths = tree.manifest.entries.map(({ path }) => path);
      if ((await changeToken(tree.root, paths)) !== tree.token) {
        return lastChanged(tree);
      }
    }
    for (const [path, token] of this.#files) {
      if ((await changeToken(path, [])) !== token) {
        return path;
      }
    }
    return undefined;
  }
}
