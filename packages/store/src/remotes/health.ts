import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf, hexOf, type AbsolutePath } from '@strata/fingerprint';

/** Milliseconds until a remote that could not be used is asked once more. */
const rest = 60_000;

/** The reason of a remote that is not meant to do it, which is nobody's fault: asking again is of no use. */
export const unwilling = 'unwilling';

/** What a remote is asked to do: one that has no room may still be read. */
export type Direction = 'read' | 'write';

/** What may be wrong with it: that, or what it sent, which says nothing of the rest of it. */
export type Trouble = Direction | 'content';

/**
 * What the processes of this user know of a remote that cannot be used: files, so that of a command's thirty tasks one
 * waits for a server that is down, and one says so.
 */
export class Health {
  readonly #folder: string;
  readonly #base: string;

  /** @param folder where the files are */
  constructor(folder: AbsolutePath, remote: string) {
    this.#folder = folder;
    this.#base = join(folder, hexOf(digestOf(remote)).slice(0, 16));
  }

  /** Whether it is to be left alone for now. */
  isResting(direction: Direction): boolean {
    const state = statSync(this.#file(direction), { throwIfNoEntry: false });
    return state !== undefined && (Date.now() - state.mtimeMs < rest || this.reason(direction) === unwilling);
  }

  /**
   * Has it left alone for a while.
   *
   * @returns whether nobody did that since the last {@link forget}: then it is to be said
   */
  report(direction: Trouble, reason: string): boolean {
    const file = this.#file(direction);
    mkdirSync(this.#folder, { recursive: true });
    try {
      writeFileSync(file, reason, { flag: 'wx' });
      return true;
    } catch {
      try {
        utimesSync(file, new Date(), new Date());
      } catch {
        // another command has just begun anew
      }
      return false;
    }
  }

  /** Why it could not be used since the last {@link forget}; undefined where it could. */
  reason(direction: Trouble): string | undefined {
    try {
      return readFileSync(this.#file(direction), 'utf8');
    } catch {
      return undefined;
    }
  }

  /** Whether nobody told a user of it yet; who asks does now. */
  claimNotice(direction: Trouble): boolean {
    try {
      writeFileSync(`${this.#file(direction)}.told`, '', { flag: 'wx' });
      return true;
    } catch {
      return false;
    }
  }

  /** Begins anew: a new command asks again. */
  forget(): void {
    for (const direction of ['read', 'write', 'content'] as const) {
      rmSync(this.#file(direction), { force: true });
      rmSync(`${this.#file(direction)}.told`, { force: true });
    }
  }

  #file(direction: Trouble): string {
    return `${this.#base}.${direction}`;
  }
}
