import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import { FileLock } from './locks.js';
import type { Remover, Scratch } from './types.js';

const lockSuffix = '.lock';

interface ProcessFolder {
  readonly path: AbsolutePath;
  readonly lock: FileLock;
}

/**
 * The folders of half-made things. Each process has one folder for all of its own, beside a lock (`NAME.lock`) that
 * tells the others whether its maker lives. They come and go under one more lock, so that a folder without a lock has
 * no maker.
 */
export class ScratchFolders {
  #own: Promise<ProcessFolder> | undefined;
  #inUse = 0;

  constructor(
    private readonly folder: AbsolutePath,
    private readonly guard: AbsolutePath,
    private readonly remove: Remover,
  ) {}

  /** How many were made here and are not yet disposed of. */
  get inUse(): number {
    return this.#inUse;
  }

  async make(): Promise<Scratch> {
    const making = (this.#own ??= this.#guarded(() => this.#makeOwn()));
    const own = await making.catch((error: unknown) => {
      // what failed on a full disk may succeed when it is asked for again
      this.#own = undefined;
      throw error;
    });
    const path = absolutePath(await mkdtemp(join(own.path, 's')));
    this.#inUse++;
    let disposed = false;
    return {
      path,
      dispose: async () => {
        if (!disposed) {
          disposed = true;
          this.#inUse--;
        }
        await rm(path, { recursive: true, force: true }).catch(() => this.remove(path));
      },
    };
  }

  /** Removes what processes left that are gone. */
  async removeLeftovers(): Promise<void> {
    if ((await readdir(this.folder)).length > 0) {
      await this.#guarded(() => this.#removeUnheld());
    }
  }

  /** Lets this process's own folder go, where it has one. */
  async giveUp(): Promise<void> {
    const own = await this.#own;
    this.#own = undefined;
    if (own !== undefined) {
      await this.#guarded(async () => {
        await this.remove(own.path);
        await rm(`${own.path}${lockSuffix}`, { force: true });
      });
      own.lock.release();
    }
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    const lock = await FileLock.take(this.guard, 'exclusive');
    try {
      return await work();
    } finally {
      lock.release();
    }
  }

  async #makeOwn(): Promise<ProcessFolder> {
    const path = absolutePath(await mkdtemp(join(this.folder, 'p')));
    return { path, lock: await FileLock.take(absolutePath(`${path}${lockSuffix}`), 'exclusive') };
  }

  async #removeUnheld(): Promise<void> {
    const names = new Set((await readdir(this.folder)).map((name) => name.replace(/\.lock$/, '')));
    for (const name of names) {
      const folder = absolutePath(join(this.folder, name));
      const file = absolutePath(`${folder}${lockSuffix}`);
      const lock = existsSync(file) ? await FileLock.tryTake(file) : 'never locked';
      if (lock === undefined) {
        continue;
      }
      await this.remove(folder);
      await rm(file, { force: true });
      if (lock !== 'never locked') {
        lock.release();
      }
    }
  }
}
