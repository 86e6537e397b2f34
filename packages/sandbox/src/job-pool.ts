import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { UserError } from '@strata/definitions';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import { FileLock, type Scratch, type Store } from '@strata/store';

/** Milliseconds between two looks at how many tokens are wanted. */
const interval = 200;

/**
 * This process's share of the machine's job tokens: one for each core, whatever the number of processes that build.
 *
 * A token is a lock that the kernel frees when its holder dies, so that no kill loses one. As many as are held lie in a
 * FIFO, where make and Portage take them (GNU make manual, POSIX Jobserver Interaction): one more is taken while the
 * FIFO is empty, and one is given back where one lay idle twice.
 */
export class JobPool {
  readonly #held: FileLock[] = [];
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Whether a token lay in the FIFO at the last look. */
  #idle = false;
  #adjusting: Promise<void> = Promise.resolve();

  private constructor(
    private readonly folder: string,
    private readonly scratch: Scratch,
    private readonly descriptor: number,
    /** The FIFO. */
    readonly path: AbsolutePath,
  ) {}

  /** Opens a pool; it has to be closed. Throws a {@link UserError} where no FIFO can be made. */
  static async open(store: Store): Promise<JobPool> {
    const folder = join(store.root, 'jobs');
    mkdirSync(folder, { recursive: true });
    const scratch = await store.scratch();
    const path = absolutePath(join(scratch.path, 'jobserver'));
    const { status, error } = spawnSync('mkfifo', ['--mode=600', path], { stdio: 'ignore' });
    if (status !== 0) {
      await scratch.dispose();
      throw new UserError(`no FIFO can be made in ${scratch.path}`, {
        hint: 'set STRATA_STORE to a folder on a local disk',
        ...(error === undefined ? {} : { cause: error }),
      });
    }
    const pool = new JobPool(folder, scratch, openSync(path, constants.O_RDWR | constants.O_NONBLOCK), path);
    pool.#schedule(0);
    return pool;
  }

  /** Gives all tokens back. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#adjusting;
    this.#held.forEach((lock) => {
      lock.release();
    });
    closeSync(this.descriptor);
    await this.scratch.dispose();
  }

  #schedule(delay: number): void {
    this.#timer = setTimeout(() => {
      this.#adjusting = this.#adjust().finally(() => {
        if (!this.#closed) {
          this.#schedule(interval);
        }
      });
    }, delay);
    this.#timer.unref();
  }

  async #adjust(): Promise<void> {
    if (this.#take()) {
      // even the last one: whoever waits for another process must not hold what that one needs
      const spare = this.#idle && this.#held.length > 0;
      if (spare) {
        this.#held.pop()?.release();
      } else {
        this.#put();
      }
      this.#idle = !spare;
      return;
    }
    this.#idle = false;
    for (let index = 0; index < availableParallelism(); index += 1) {
      const lock = await FileLock.tryTake(absolutePath(join(this.folder, String(index))));
      if (lock !== undefined) {
        this.#held.push(lock);
        this.#put();
        return;
      }
    }
  }

  #take(): boolean {
    try {
      return readSync(this.descriptor, Buffer.alloc(1)) === 1;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') {
        return false;
      }
      throw error;
    }
  }

  #put(): void {
    writeSync(this.descriptor, '+');
  }
}
