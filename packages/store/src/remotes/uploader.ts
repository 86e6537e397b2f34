import { join } from 'node:path';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import pLimit from 'p-limit';
import { FileLock } from '../locks.js';
import { MissingArtifact } from '../missing-artifact.js';
import type { Descriptor, Work } from '../types.js';
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

/** Brings to the remotes what tasks left in the spool. One process at a time does it. */
export class Uploader {
  readonly #spool: Spool;
  readonly #lock: AbsolutePath;
  #bytes = 0;
  #actions = 0;

  constructor(
    private readonly source: Source,
    private readonly remotes: Remotes,
  ) {
    this.#spool = new Spool(source.root);
    this.#lock = absolutePath(join(source.root, 'locks', 'uploads'));
  }

  /** What was done so far, and how many actions wait. */
  async progress(): Promise<UploadProgress> {
    return { bytes: this.#bytes, actions: this.#actions, left: (await this.#spool.keys()).length };
  }

  /**
   * Uploads what is there, unless another process is at it, and gives back how many actions are left: of remotes that
   * cannot be used now, or since the signal ended it.
   */
  async drain({ signal, onWork }: DrainOptions = {}): Promise<number> {
    const waiting = await this.#spool.keys();
    if (waiting.length === 0 || !this.#mayWrite()) {
      return waiting.length;
    }
    const lock = await FileLock.tryTake(this.#lock);
    if (lock === undefined) {
      return waiting.length;
    }
    try {
      await this.#drainAlone(signal, onWork);
    } catch (error) {
      if (signal?.aborted !== true) {
        throw error;
      }
    } finally {
      lock.release();
    }
    return (await this.#spool.keys()).length;
  }

  /** The same, and waits for other processes that upload, until nothing is left that can be uploaded. */
  async drainAll(options: DrainOptions = {}): Promise<number> {
    for (;;) {
      const left = await this.drain(options);
      if (left === 0 || options.signal?.aborted === true || !this.#mayWrite()) {
        return left;
      }
      await new Promise((resolve) => setTimeout(resolve, lookEvery));
    }
  }

  #mayWrite(): boolean {
    return this.remotes.writable.some(
      (remote) => !this.remotes.isResting(remote, 'write') && !this.remotes.isResting(remote, 'read'),
    );
  }

  async #drainAlone(signal: AbortSignal | undefined, onWork: DrainOptions['onWork']): Promise<void> {
    const entries = (await Promise.all((await this.#spool.keys()).map((key) => this.#spool.read(key)))).filter(
      (entry) => entry !== undefined,
    );
    const sizeOf = ({ result }: SpooledAction): number =>
      Object.values(result.outputs).reduce((sum, { size }) => sum + size, 0);
    const total = entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
    let done = 0;
    const limit = pLimit(parallel);
    const results = await Promise.allSettled(
      entries.map((entry) =>
        limit(async () => {
          signal?.throwIfAborted();
          if (this.#mayWrite() && (await this.#toAll(entry, signal))) {
            await this.#spool.remove(entry.key);
            this.#actions++;
            done += sizeOf(entry);
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
  async #toAll(entry: SpooledAction, signal: AbortSignal | undefined): Promise<boolean> {
    let done = true;
    for (const remote of this.remotes.writable) {
      if (this.remotes.isResting(remote, 'write')) {
        done = false;
        continue;
      }
      try {
        await this.#upload(remote, entry, signal);
      } catch (error) {
        if (error instanceof MissingArtifact) {
          // collected meanwhile: there is nothing left to share
          return true;
        }
        if (!(error instanceof RemoteFault)) {
          throw error;
        }
        this.remotes.report(remote, 'write', error);
        // what may not be written now will not be later either
        done &&= error.kind === 'forbidden' || error.kind === 'not offered' || error.kind === 'wrong';
      }
    }
    return done;
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
