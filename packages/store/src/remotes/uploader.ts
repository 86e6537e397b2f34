import { join } from 'node:path';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import pLimit from 'p-limit';
import { FileLock } from '../locks.js';
import { MissingArtifact } from '../missing-artifact.js';
import type { ActionKey, Descriptor, Work } from '../types.js';
import { RemoteFault, type Remote } from './remote.js';
import type { Remotes } from './remotes.js';
import { Spool, type SpooledAction } from './spool.js';

/** Actions that are uploaded at once. */
const parallel = 4;

/** Milliseconds between two looks at whether another process is done. */
const lookEvery = 300;

/** What an uploader takes artifacts from. */
export interface Source {
  readonly root: AbsolutePath;
  /** Where the bytes of an artifact lie; throws {@link MissingArtifact} where they do not. */
  path(artifact: Descriptor): Promise<AbsolutePath>;
}

/** How far uploads are, in bytes and in actions. */
export interface UploadProgress {
  readonly bytes: number;
  readonly actions: number;
  readonly left: number;
}

/** How what waits is uploaded. */
export interface DrainOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onWork?: ((work: Work) => void) | undefined;
}

/** One action that is to go to one remote. */
interface Job {
  readonly remote: Remote;
  readonly spool: Spool;
  readonly entry: SpooledAction;
}

function sizeOf({ entry }: Job): number {
  return Object.values(entry.result.outputs).reduce((sum, { size }) => sum + size, 0);
}

/** Brings to the remotes what tasks left for them. One process at a time does it. */
export class Uploader {
  readonly #spools: ReadonlyMap<Remote, Spool>;
  readonly #lock: AbsolutePath;
  readonly #done = new Set<ActionKey>();
  #bytes = 0;

  constructor(
    private readonly source: Source,
    private readonly remotes: Remotes,
  ) {
    this.#spools = new Map(remotes.writable.map((remote) => [remote, new Spool(source.root, remote.name)]));
    this.#lock = absolutePath(join(source.root, 'locks', 'uploads'));
  }

  /** What was done so far, and how many actions wait. */
  async progress(): Promise<UploadProgress> {
    return { bytes: this.#bytes, actions: this.#done.size, left: await this.#left() };
  }

  async #left(): Promise<number> {
    const keys = await Promise.all([...this.#spools.values()].map((spool) => spool.keys()));
    return new Set(keys.flat()).size;
  }

  /**
   * Uploads what is there, unless another process is at it, and gives back how many actions are left: of remotes that
   * cannot be used now, or since the signal ended it.
   */
  async drain({ signal, onWork }: DrainOptions = {}): Promise<number> {
    const left = await this.#left();
    if (left === 0 || !this.#mayWrite()) {
      return left;
    }
    const lock = await FileLock.tryTake(this.#lock);
    if (lock === undefined) {
      return left;
    }
    try {
      await this.#drainAlone(signal, onWork);
      await this.#forgetUnwilling();
    } catch (error) {
      if (signal?.aborted !== true) {
        throw error;
      }
    } finally {
      lock.release();
    }
    return this.#left();
  }

  /** The same, and waits for other processes that upload, until nothing is left that can be uploaded. */
  async drainAll(options: DrainOptions = {}): Promise<number> {
    for (;;) {
      const left = await this.drain(options);
      if (left === 0 || options.signal?.aborted === true) {
        return left;
      }
      if (!this.#mayWrite()) {
        // tasks may have left something since
        await this.#forgetUnwilling();
        return this.#left();
      }
      await new Promise((resolve) => setTimeout(resolve, lookEvery));
    }
  }

  #mayWriteTo(remote: Remote): boolean {
    return !this.remotes.isResting(remote, 'write') && !this.remotes.isResting(remote, 'read');
  }

  #mayWrite(): boolean {
    return this.remotes.writable.some((remote) => this.#mayWriteTo(remote));
  }

  /** What may not be written now will not be later either. */
  async #forgetUnwilling(): Promise<void> {
    for (const [remote, spool] of this.#spools) {
      if (this.remotes.isUnwilling(remote)) {
        await spool.clear();
      }
    }
  }

  async #jobs(): Promise<Job[]> {
    const jobs: Job[] = [];
    for (const [remote, spool] of this.#spools) {
      for (const key of this.#mayWriteTo(remote) ? await spool.keys() : []) {
        const entry = await spool.read(key);
        if (entry !== undefined) {
          jobs.push({ remote, spool, entry });
        }
      }
    }
    return jobs;
  }

  async #drainAlone(signal: AbortSignal | undefined, onWork: DrainOptions['onWork']): Promise<void> {
    const jobs = await this.#jobs();
    const total = jobs.reduce((sum, job) => sum + sizeOf(job), 0);
    let done = 0;
    const limit = pLimit(parallel);
    const results = await Promise.allSettled(
      jobs.map((job) =>
        limit(async () => {
          signal?.throwIfAborted();
          const { remote, spool, entry } = job;
          if (this.#mayWriteTo(remote) && (await this.#isDone(job, signal))) {
            await spool.remove(entry.key);
            this.#done.add(entry.key);
            done += sizeOf(job);
            onWork?.({ done, total });
          }
        }),
      ),
    );
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) {
      throw failed.reason;
    }
  }

  /** Whether an action need not be kept for another try. */
  async #isDone({ remote, entry }: Job, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await this.#upload(remote, entry, signal);
      return true;
    } catch (error) {
      if (error instanceof MissingArtifact) {
        // collected meanwhile: there is nothing left to share
        return true;
      }
      if (!(error instanceof RemoteFault)) {
        throw error;
      }
      this.remotes.report(remote, 'write', error);
      return error.kind === 'forbidden' || error.kind === 'not offered' || error.kind === 'wrong';
    }
  }

  async #upload(remote: Remote, { key, result, made }: SpooledAction, signal: AbortSignal | undefined): Promise<void> {
    if (!made && (await remote.action(key, signal)) !== undefined) {
      return;
    }
    for (const artifact of Object.values(result.outputs)) {
      const file = await this.source.path(artifact);
      await remote.upload(artifact, file, {
        signal,
        onBytes: (count) => {
          this.#bytes += count;
        },
      });
    }
    await remote.record(key, result, signal);
  }
}
