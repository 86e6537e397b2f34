import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { absolutePath, hexOf, type AbsolutePath, type Digest } from '@strata/fingerprint';
import pLimit from 'p-limit';
import type { LocalStore } from './local-store.js';
import { MissingArtifact } from './missing-artifact.js';
import type { Remotes } from './remotes/remotes.js';
import { Spool } from './remotes/spool.js';
import type {
  ActionKey,
  ActionResult,
  Collected,
  Descriptor,
  PutOptions,
  Scratch,
  Store,
  StoreStatus,
  Transfer,
  Work,
} from './types.js';

/** Downloads at once. */
const parallel = 6;

/** Bytes from which on a download is worth going on with after it broke off. */
const resumable = 1024 * 1024;

/** How a store uses its remotes. */
export interface SharingOptions {
  readonly remotes: Remotes;
  /** Names of the remotes for which actions that are asked for here are left to be uploaded. */
  readonly offersTo: readonly string[];
  /** Told how far downloads are. */
  readonly onTransfer?: ((transfer: Transfer) => void) | undefined;
}

/**
 * A store of this machine together with remotes. An action found there brings its descriptors; the bytes of an artifact
 * come when somebody asks for them first. What a remote cannot do, this machine does without it.
 */
export class SharedStore implements Store {
  readonly #spools: readonly Spool[];
  /** Artifacts that no remote had when they were needed: actions that name them have to run again. */
  readonly #gone = new Set<Digest>();
  readonly #offered = new Set<ActionKey>();
  readonly #limit = pLimit(parallel);

  constructor(
    private readonly local: LocalStore,
    private readonly options: SharingOptions,
  ) {
    this.#spools = options.offersTo.map((remote) => new Spool(local.root, remote));
  }

  get root(): AbsolutePath {
    return this.local.root;
  }

  async has(artifact: Descriptor): Promise<boolean> {
    const { digest, size } = artifact;
    return (
      (await this.local.has(artifact)) ||
      (!this.#gone.has(digest) && (await this.options.remotes.size(digest)) === size)
    );
  }

  async find(digest: Digest, mediaType: string): Promise<Descriptor | undefined> {
    const here = await this.local.find(digest, mediaType);
    const size = here === undefined && !this.#gone.has(digest) ? await this.options.remotes.size(digest) : undefined;
    return size === undefined ? here : { mediaType, digest, size };
  }

  async path(artifact: Descriptor): Promise<AbsolutePath> {
    await this.bring([artifact]);
    return this.local.path(artifact);
  }

  async bring(artifacts: readonly Descriptor[], signal?: AbortSignal): Promise<void> {
    const missing = new Map<Digest, Descriptor>();
    for (const artifact of artifacts) {
      if (!(await this.local.has(artifact))) {
        missing.set(artifact.digest, artifact);
      }
    }
    const total = [...missing.values()].reduce((sum, { size }) => sum + size, 0);
    let done = 0;
    // one that cannot be had ends the others: what is to be done then may make them unnecessary
    const controller = new AbortController();
    const ends = signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]);
    const bring = async (artifact: Descriptor): Promise<void> => {
      ends.throwIfAborted();
      const there = await this.#download(artifact, ends, (count) => {
        done += count;
        this.options.onTransfer?.({ artifact, done, total });
      });
      if (!there) {
        this.#gone.add(artifact.digest);
        throw new MissingArtifact(artifact);
      }
    };
    const running = [...missing.values()].map((artifact) =>
      this.#limit(() => bring(artifact)).catch((error: unknown) => {
        controller.abort(error);
        throw error;
      }),
    );
    await Promise.allSettled(running);
    await Promise.all(running);
  }

  async #download(artifact: Descriptor, signal: AbortSignal, onBytes: (count: number) => void): Promise<boolean> {
    const { digest, size } = artifact;
    const take = async (file: AbsolutePath): Promise<boolean> => {
      if (await this.local.has(artifact)) {
        return true;
      }
      if (!(await this.options.remotes.download(artifact, file, { signal, onBytes }))) {
        return false;
      }
      await this.local.take(file, artifact);
      return true;
    };
    if (size >= resumable) {
      const folder = join(this.root, 'partial');
      await mkdir(folder, { recursive: true });
      const name = hexOf(digest).slice(0, 32);
      const file = absolutePath(join(folder, `remote-${name}`));
      return this.local.withLock(`artifact-${name}`, () => take(file), undefined, signal);
    }
    const scratch = await this.local.scratch();
    try {
      return await take(absolutePath(join(scratch.path, 'artifact')));
    } finally {
      await scratch.dispose();
    }
  }

  put(content: Readable | Uint8Array | string, options: PutOptions): Promise<Descriptor> {
    return this.local.put(content, options);
  }

  adopt(file: AbsolutePath, options: PutOptions): Promise<Descriptor> {
    return this.local.adopt(file, options);
  }

  async readText(artifact: Descriptor): Promise<string> {
    await this.bring([artifact]);
    return this.local.readText(artifact);
  }

  async lookup(key: ActionKey): Promise<ActionResult | undefined> {
    const here = await this.local.lookup(key);
    if (here !== undefined) {
      await this.#offer(key, here, false);
      return here;
    }
    const found = await this.options.remotes.action(key);
    if (found === undefined || Object.values(found.outputs).some(({ digest }) => this.#gone.has(digest))) {
      return undefined;
    }
    // without a remote it counts once its artifacts have come
    await this.local.record(key, found);
    this.#offered.add(key);
    return found;
  }

  async record(key: ActionKey, result: ActionResult): Promise<void> {
    await this.local.record(key, result);
    await this.#offer(key, result, true);
  }

  async #offer(key: ActionKey, result: ActionResult, made: boolean): Promise<void> {
    if (made || !this.#offered.has(key)) {
      this.#offered.add(key);
      await Promise.all(this.#spools.map((spool) => spool.add({ key, result, made })));
    }
  }

  withLock<T>(name: string, work: () => Promise<T>, onWaiting?: () => void, signal?: AbortSignal): Promise<T> {
    return this.local.withLock(name, work, onWaiting, signal);
  }

  hasTree(name: Digest): Promise<boolean> {
    return this.local.hasTree(name);
  }

  tree(name: Digest, make: (folder: AbsolutePath) => Promise<void>, signal?: AbortSignal): Promise<AbsolutePath> {
    return this.local.tree(name, make, signal);
  }

  scratch(): Promise<Scratch> {
    return this.local.scratch();
  }

  clear(): Promise<void> {
    return this.local.clear();
  }

  status(): Promise<StoreStatus> {
    return this.local.status();
  }

  collect(keep: number, onWork?: (work: Work) => void): Promise<Collected> {
    return this.local.collect(keep, onWork);
  }

  verify(onWork?: (work: Work) => void): Promise<number> {
    return this.local.verify(onWork);
  }
}
