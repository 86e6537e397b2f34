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
  #opened: Promise<Fifo> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Whether a token lay in the FIFO at the last look. */
  #idle = false;
  #adjusting: Promise<void> = Promise.resolve();

  /** It has to be closed. */
  constructor(private readonly store: Store) {}

  /**
   * The FIFO. It is made when it is first asked for, since where all is served from the store nobody does. Throws a
   * {@link UserError} where none can be made.
   */
  async fifo(): Promise<AbsolutePath> {
    this.#opened ??= this.#open();
    return (await this.#opened).path;
  }

  /** Gives all tokens back. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#adjusting;
    this.#held.forEach((lock) => {
      lock.release();
    });
    const fifo = await this.#opened?.catch(() => undefined);
    if (fifo !== undefined) {
      closeSync(fifo.descriptor);
      await fifo.scratch.dispose();
    }
  }

  async #open(): Promise<Fifo> {
    mkdirSync(this.#locks, { recursive: true });
    const scratch = await this.store.scratch();
    const path = absolutePath(join(scratch.path, 'jobserver'));
    const { status, error } = spawnSync('mkfifo', ['--mode=600', path], { stdio: 'ignore' });
    if (status !== 0) {
      await scratch.dispose();
      throw new UserError(`no FIFO can be made in ${scratch.path}`, {
        hint: 'set STRATA_STORE to a folder on a local disk',
        ...(error === undefined ? {} : { cause: error }),
      });
    }
    const fifo = { path, scratch, descriptor: openSync(path, constants.O_RDWR | constants.O_NONBLOCK) };
    this.#schedule(fifo, 0);
    return fifo;
  }

  get #locks(): string {
    return join(this.store.root, 'jobs');
  }

  #schedule(fifo: Fifo, delay: number): void {
    this.#timer = setTimeout(() => {
      this.#adjusting = this.#adjust(fifo).finally(() => {
        if (!this.#closed) {
          this.#schedule(fifo, interval);
        }
      });
    }, delay);
    this.#timer.unref();
  }

  async #adjust(fifo: Fifo): Promise<void> {
    if (take(fifo)) {
      // even the last one: whoever waits for another process must not hold what that one needs
      const spare = this.#idle && this.#held.length > 0;
      if (spare) {
        this.#held.pop()?.release();
      } else {
        put(fifo);
      }
      this.#idle = !spare;
      return;
    }
    this.#idle = false;
    for (let index = 0; index < availableParallelism(); index += 1) {
      const lock = await FileLock.tryTake(absolutePath(join(this.#locks, String(index))));
      if (lock !== undefined) {
        this.#held.push(lock);
        put(fifo);
        return;
      }
    }
  }
}

interface Fifo {
  readonly path: AbsolutePath;
  readonly descriptor: number;
  /** The folder that it is in. */
  readonly scratch: Scratch;
}

function take({ descriptor }: Fifo): boolean {
  try {
    return readSync(descriptor, Buffer.alloc(1)) === 1;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') {
      return false;
    }
    throw error;
  }
}

function put({ descriptor }: Fifo): void {
  writeSync(descriptor, '+');
}
