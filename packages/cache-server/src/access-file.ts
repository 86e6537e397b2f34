import { statSync } from 'node:fs';
import { UserError } from '@strata/definitions';
import { readAccess, type Access } from './access.js';

/** How long a file that was changed may go unnoticed, in milliseconds. */
const noticedWithin = 1_000;

/** The tokens of a file, read again when it changes. One that cannot be used leaves those from before in force. */
export class AccessFile {
  #current: Access;
  #state: string;
  #looked = performance.now();

  /** @param tell called with every outcome of reading it again: undefined where it was good */
  constructor(
    private readonly file: string,
    private readonly tell: (problem: UserError | undefined) => void,
  ) {
    this.#state = stateOf(file);
    this.#current = readAccess(file);
  }

  get current(): Access {
    if (performance.now() - this.#looked > noticedWithin) {
      this.#looked = performance.now();
      if (stateOf(this.file) !== this.#state) {
        this.reload();
      }
    }
    return this.#current;
  }

  reload(): void {
    this.#state = stateOf(this.file);
    try {
      this.#current = readAccess(this.file);
      this.tell(undefined);
    } catch (error) {
      if (!(error instanceof UserError)) {
        throw error;
      }
      this.tell(error);
    }
  }
}

/** Changes whenever the file does; empty while it is not there. */
function stateOf(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false, bigint: true });
  return found === undefined ? '' : `${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`;
}
