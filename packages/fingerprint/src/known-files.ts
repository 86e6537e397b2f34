import { lstatSync, type BigIntStats } from 'node:fs';
import { tokenOf } from './file-state.js';
import type { Digest } from './types.js';
import { below } from './paths.js';
import { StateTable } from './state-table.js';
import { digestBytes, type RememberedTree, type TreeIndex } from './tree-index.js';
import type { ReadTree } from './manifest.js';
import { Turns } from './turns.js';

/** A tree that is as it was. */
export interface UnchangedTree extends Omit<ReadTree, 'targets'> {
  readonly token: string;
  /** That of the manifest. */
  readonly digest: Digest;
}

/** What need not be found out again of a tree, since an index remembers it. */
export class KnownFiles {
  /** Where to look first: trees are sorted, and mostly as they were. */
  #next = 0;
  #rows: Map<string, number> | undefined;
  /** The states that remembered paths have now, as far as they were looked up ahead. */
  readonly #ahead = new StateTable();
  #rowsAhead: Map<string, number> | undefined;
  #isUnchanged = false;

  constructor(
    private readonly root: string,
    private readonly index: TreeIndex | undefined,
    private readonly remembered: RememberedTree | undefined,
  ) {}

  /** Waits for something, and looks up states meanwhile: most of the tree is likely to be as it was. */
  async lookAhead<T>(work: Promise<T>): Promise<T> {
    let waiting = true;
    const settled = (): void => {
      waiting = false;
    };
    work.then(settled, settled);
    const turns = new Turns();
    this.#isUnchanged = this.remembered !== undefined;
    for (const [row, path] of this.remembered?.paths.entries() ?? []) {
      if (turns.due) {
        await turns.give();
      }
      // set by what comes to pass while others have their turn
      if (!(waiting as boolean) && !this.#isUnchanged) {
        break;
      }
      this.#ahead.push(this.#status(path));
      this.#isUnchanged &&=
        (this.remembered?.states.equal(row, this.#ahead, row) ?? false) && this.#isCertain(path, this.#ahead, row);
    }
    return work;
  }

  /**
   * The remembered tree, where everything is certain to be as it was, so that no folder needs to be listed: what comes
   * into a folder or goes changes its state.
   *
   * @param leftOut SHA-256 of the list of what is left out now
   */
  async unchanged(rootState: StateTable, leftOut: string): Promise<UnchangedTree | undefined> {
    const { remembered } = this;
    if (remembered === undefined || !this.#isUnchanged || remembered.leftOut !== leftOut) {
      return undefined;
    }
    const paths = remembered.paths.slice(0, remembered.treeRows);
    const states = this.#ahead.first(paths.length);
    const isRootCertain = [0, 1].every((row) => this.#isCertain('', rootState, row));
    const { digests, token, manifest } = remembered;
    return isRootCertain && (await tokenOf(rootState, paths, states)) === token
      ? { paths, states, digests, token, digest: `sha256:${manifest}` as Digest }
      : undefined;
  }

  /** Adds the state of a path to a table, where it was looked up ahead. */
  copyState(path: string, states: StateTable): number | undefined {
    this.#rowsAhead ??= new Map(
      (this.remembered?.paths ?? []).slice(0, this.#ahead.length).map((remembered, row) => [remembered, row]),
    );
    const row = this.#rowsAhead.get(path);
    return row === undefined || !this.#ahead.isThere(row) ? undefined : states.pushFrom(this.#ahead, row);
  }

  /** Copies the digest of a file that is as it was when it was read. Does nothing where that is not certain. */
  copyDigest(path: string, states: StateTable, row: number, digests: Uint8Array): boolean {
    const { remembered } = this;
    const found = remembered === undefined ? undefined : this.#find(remembered, path);
    if (
      remembered === undefined ||
      found === undefined ||
      !remembered.states.equal(found, states, row) ||
      !this.#isCertain(path, states, row)
    ) {
      return false;
    }
    digests.set(remembered.digests.subarray(found * digestBytes, (found + 1) * digestBytes), row * digestBytes);
    return true;
  }

  #isCertain(path: string, states: StateTable, row: number): boolean {
    return (
      this.remembered !== undefined &&
      this.index !== undefined &&
      states.changed(row) < this.remembered.certainBefore &&
      this.index.trusts(below(this.root, path), states.device(row))
    );
  }

  #status(path: string): BigIntStats | undefined {
    try {
      return lstatSync(below(this.root, path), { bigint: true, throwIfNoEntry: false });
    } catch {
      // what lists the folder will tell
      return undefined;
    }
  }

  #find({ paths }: RememberedTree, path: string): number | undefined {
    if (paths[this.#next] === path) {
      return this.#next++;
    }
    this.#rows ??= new Map(paths.map((remembered, row) => [remembered, row]));
    const row = this.#rows.get(path);
    this.#next = (row ?? this.#next) + 1;
    return row;
  }
}
