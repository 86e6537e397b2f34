import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { UserError } from '@strata/definitions';
import { StateTable, stateBytes } from './state-table.js';
import type { Turns } from './turns.js';

// whatever a file is replaced by meanwhile: opening it neither waits for somebody nor follows a link
const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;
const attempts = 3;

/** Hashes files, one at a time. */
export class FileHasher {
  readonly #buffer = Buffer.allocUnsafeSlow(1 << 18);
  readonly #opened = new StateTable(new ArrayBuffer(stateBytes));

  constructor(private readonly turns: Turns) {}

  /**
   * The SHA-256 of the file that a row tells the state of; the row is set anew where the file is another by now. Throws a
   * {@link UserError} where it is never the same for long enough, and what open(2) and read(2) throw.
   */
  async hash(path: string, states: StateTable, row: number): Promise<Buffer> {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const digest = await this.#attempt(path, states, row);
      if (digest !== undefined) {
        return digest;
      }
      states.set(row, lstatSync(path, { bigint: true }));
    }
    throw new UserError(`${path} was replaced or removed while it was being read`, {
      hint: 'see what writes there, and run it again',
    });
  }

  async #attempt(path: string, states: StateTable, row: number): Promise<Buffer | undefined> {
    const file = openSync(path, flags);
    try {
      this.#opened.set(0, fstatSync(file, { bigint: true }));
      if (states.type(row) !== 'file' || !this.#opened.equal(0, states, row)) {
        return undefined;
      }
      const hash = createHash('sha256');
      const size = states.size(row);
      let total = 0;
      // what comes behind that size is written after the state was read, and so has another
      for (let got = -1; got !== 0 && total < size; total += got) {
        got = readSync(file, this.#buffer);
        hash.update(this.#buffer.subarray(0, Math.min(got, size - total)));
        if (this.turns.due) {
          await this.turns.give();
        }
      }
      return total < size ? undefined : hash.digest();
    } finally {
      closeSync(file);
    }
  }
}
