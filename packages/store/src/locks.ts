import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import type { AbsolutePath } from '@strata/fingerprint';
import { UserError } from '@strata/definitions';

/** Alone, or together with others who share. */
export type LockMode = 'exclusive' | 'shared';

// what `flock` itself never ends with (sysexits.h has 64 to 78)
const heldByAnother = 100;

/**
 * A held lock: of this process alone, whatever it starts, and freed by the kernel however it ends. Node has no flock(2);
 * but such a lock belongs to the opened file and not to who asked for it, so util-linux's `flock` takes it on a
 * descriptor of ours, and ends.
 */
export class FileLock {
  #released = false;

  private constructor(
    private readonly file: AbsolutePath,
    private readonly descriptor: number,
  ) {}

  /**
   * Takes the lock of a file, which is made where it is missing, waiting for it as long as it takes.
   *
   * @param onWaiting called once if somebody else holds the lock
   * @param signal ends the waiting; its reason is thrown
   */
  static async take(
    file: AbsolutePath,
    mode: LockMode,
    onWaiting?: () => void,
    signal?: AbortSignal,
  ): Promise<FileLock> {
    signal?.throwIfAborted();
    const lock = new FileLock(file, openSync(file, 'a', 0o600));
    try {
      if (!(await lock.tryChange(mode))) {
        onWaiting?.();
        await lock.change(mode, signal);
      }
      return lock;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Takes the lock of a file where nobody else holds it. */
  static async tryTake(file: AbsolutePath): Promise<FileLock | undefined> {
    const lock = new FileLock(file, openSync(file, 'a', 0o600));
    const taken = await lock.tryChange('exclusive').catch((error: unknown) => {
      lock.release();
      throw error;
    });
    if (!taken) {
      lock.release();
    }
    return taken ? lock : undefined;
  }

  /** Holds it in another mode from now on. Where others are in the way it is not held at all any more, and `false` given. */
  async tryChange(mode: LockMode): Promise<boolean> {
    return this.#flock(['flock', '--nonblock', '--conflict-exit-code', String(heldByAnother), `--${mode}`]);
  }

  /** The same, but waits for the others. */
  async change(mode: LockMode, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    // who is killed while it waits leaves no waiting process behind
    await this.#flock(['setpriv', '--pdeathsig', 'KILL', 'flock', `--${mode}`], signal);
  }

  release(): void {
    // the number may be another file's by now
    if (!this.#released) {
      this.#released = true;
      closeSync(this.descriptor);
    }
  }

  async #flock([command = '', ...words]: readonly string[], signal?: AbortSignal): Promise<boolean> {
    const child = spawn(command, [...words, '3'], {
      stdio: ['ignore', 'ignore', 'pipe', this.descriptor],
      // an interrupt from the terminal is for this process to handle
      detached: true,
      ...(signal === undefined ? {} : { signal }),
    });
    let complaint = '';
    child.stderr?.setEncoding('utf8').on('data', (part: string) => (complaint += part));
    const [status] = (await once(child, 'close').catch((cause: unknown) => {
      signal?.throwIfAborted();
      throw new UserError(`${command} cannot be started`, { hint: 'install the Debian package util-linux', cause });
    })) as [number | null];
    signal?.throwIfAborted();
    if (status !== 0 && status !== heldByAnother) {
      throw new UserError(`${this.file} cannot be locked: ${complaint.trim()}`, {
        hint: 'set STRATA_STORE to a folder whose file system supports flock(2)',
      });
    }
    return status === 0;
  }
}
