import { lstatSync } from 'node:fs';
import type { Digest } from './types.js';
import { below } from './paths.js';
import { StateTable } from './state-table.js';
import { digestBytes, type RememberedTree, type TreeIndex } from './tree-index.js';
import type { ReadTree } from './manifest.js';
import { Turns } from './turns.js';

/** What need not be found out again of a tree, since an index remembers it. */
export class KnownFiles {
  /** Where to look first: trees are sorted, and mostly as they were. */
  #next = 0;
  #rows: Map<string, number> | undefined;
  /** The states that remembered paths have now, as far as they were looked up ahead. */
  readonly #ahead = new StateTable();
  readonly #rowsAhead = new Map<string, number>();

  constructor(
    private readonly root: string,
    private readonly index: TreeIndex | undefined,
    private readonly remembered: RememberedTree | undefined,
  ) {}

  /** The digest that the manifest had. */
  get manifest(): Digest | undefined {
    return this.remembered === undefined ? undefined : (`sha256:${this.remembered.manifest}` as Digest);
  }

  /** Waits for something, and looks up states meanwhile: most of the tree is likely to be as it was. */
  async lookAhead<T>(work: Promise<T>): Promise<T> {
    let waiting = true;
    const settled = (): void => {
      waiting = false;
    };
    work.then(settled, settled);
    const turns = new Turns();
    for (const path of this.remembered?.paths ?? []) {
      if (turns.due) {
        await turns.give();
      }
      // set by what comes to pass while others have their turn
      if (!(waiting as boolean)) {
        break;
      }
      try {
        const status = lstatSync(below(this.root, path), { bigint: true, throwIfNoEntry: false });
        if (status !== undefined) {
          this.#rowsAhead.set(path, this.#ahead.push(status));
        }
      } catch {
        // what lists the folder will tell
      }
    }
    return work;
  }

  /** Adds the state of a path to a table, where it was looked up ahead. */
  copyState(path: string, states: StateTable): number | undefined {
    const row = this.#rowsAhead.get(path);
    return row === undefined ? undefined : states.pushFrom(this.#ahead, row);
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

  /** Whether a tree of which no file had to be read is the remembered one. */
  isSame(token: string, { paths, states, targets }: ReadTree): boolean {
    return (
      this.remembered?.token === token &&
      [...targets.keys()].every((row) => this.#isCertain(paths[row] ?? '', states, row))
    );
  }

  #isCertain(path: string, states: StateTable, row: number): boolean {
    return (
      this.remembered !== undefined &&
      this.index !== undefined &&
      states.changed(row) < this.remembered.certainBefore &&
      this.index.trusts(below(this.root, path), states.device(row))
    );
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
