import { createHash } from 'node:crypto';
import { createWriteStream, type Stats } from 'node:fs';
import { chmod, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { UserError } from '@strata/definitions';
import { absolutePath, digestOfFile, hexOf, type AbsolutePath, type Digest } from '@strata/fingerprint';
import { collect, verify, type Workplace } from './collect.js';
import { renameDurably } from './durable.js';
import { explainingFullDisk } from './full-disk.js';
import { FileLock } from './locks.js';
import { MissingArtifact } from './missing-artifact.js';
import { actionResultSchema } from './schemas.js';
import { ScratchFolders } from './scratch-folders.js';
import { isSealed, seal } from './seal.js';
import { claimStoreFolder, emptyStore, furnishStore, markerName } from './store-folder.js';
import { Tree } from './trees.js';
import type {
  ActionKey,
  ActionResult,
  Collected,
  Descriptor,
  PutOptions,
  Remover,
  Scratch,
  Store,
  StoreStatus,
  Work,
} from './types.js';
import { noteUser } from './users.js';
import { WrongDigest } from './wrong-digest.js';

/** Where the store of this machine is. */
export interface LocalStoreOptions {
  readonly root: AbsolutePath;
  readonly remove: Remover;
  /** Told of an artifact that is not what its name says, and is dropped for that. */
  readonly onDamaged?: (file: AbsolutePath) => void;
}

/** The folder itself, without remotes. */
export class LocalStore implements Store {
  readonly #scratch: ScratchFolders;
  #locksHeld = 0;
  readonly #opened = Date.now();

  private constructor(
    readonly root: AbsolutePath,
    private readonly remove: Remover,
    /** Shared as long as this process lives: nobody empties the store meanwhile. */
    private readonly use: FileLock,
    private readonly onDamaged: (file: AbsolutePath) => void,
  ) {
    this.#scratch = new ScratchFolders(this.#at('scratch'), this.#at('locks', 'scratch'), remove);
  }

  static async open({ root, remove, onDamaged = () => undefined }: LocalStoreOptions): Promise<LocalStore> {
    await claimStoreFolder(root);
    const use = await FileLock.take(absolutePath(join(root, markerName)), 'shared');
    const store = new LocalStore(root, remove, use, onDamaged);
    try {
      await furnishStore(root);
      noteUser(root);
      await store.#scratch.removeLeftovers();
      return store;
    } catch (error) {
      store.use.release();
      throw error;
    }
  }

  #at(...path: string[]): AbsolutePath {
    return absolutePath(join(this.root, ...path));
  }

  #blob(digest: Digest): AbsolutePath {
    return this.#at('blobs/sha256', hexOf(digest));
  }

  async has({ digest, size }: Descriptor): Promise<boolean> {
    const blob = this.#blob(digest);
    const found = await stat(blob).catch(() => undefined);
    if (found?.isFile() !== true || found.size !== size) {
      return false;
    }
    if (!isSealed(found) && !(await this.#reseal(blob, digest))) {
      return false;
    }
    // what was just read again is marked as read now
    if (isSealed(found)) {
      await this.#noteUse(blob, found);
    }
    return true;
  }

  /** Has a file tell that it was asked for by this process, in its time of access: then it is not collected while this lives. */
  async #noteUse(file: AbsolutePath, { atimeMs, mtime }: Pick<Stats, 'atimeMs' | 'mtime'>): Promise<void> {
    if (atimeMs < this.#opened) {
      await utimes(file, new Date(), mtime).catch(() => undefined);
    }
  }

  /** Reads a file that somebody wrote into, or copied here; drops it where it is not what its name says. */
  async #reseal(blob: AbsolutePath, digest: Digest): Promise<boolean> {
    const actual = await digestOfFile(blob).catch(() => undefined);
    if (actual === digest) {
      await seal(blob);
      return true;
    }
    if (actual !== undefined) {
      this.onDamaged(blob);
      await rm(blob, { force: true });
    }
    return false;
  }

  async find(digest: Digest, mediaType: string): Promise<Descriptor | undefined> {
    const blob = this.#blob(digest);
    const actual = await digestOfFile(blob).catch(() => undefined);
    return actual === digest ? { mediaType, digest, size: (await stat(blob)).size } : undefined;
  }

  async path(artifact: Descriptor): Promise<AbsolutePath> {
    if (!(await this.has(artifact))) {
      throw new MissingArtifact(artifact);
    }
    return this.#blob(artifact.digest);
  }

  async bring(artifacts: readonly Descriptor[]): Promise<void> {
    await Promise.all(artifacts.map((artifact) => this.path(artifact)));
  }

  put(content: Readable | Uint8Array | string, options: PutOptions): Promise<Descriptor> {
    return this.#aside(async (scratch) => {
      const file = join(scratch, 'artifact');
      const hash = createHash('sha256');
      const source = content instanceof Readable ? content : Readable.from([Buffer.from(content)]);
      await pipeline(
        source,
        async function* (chunks: AsyncIterable<Uint8Array>) {
          for await (const chunk of chunks) {
            hash.update(chunk);
            yield chunk;
          }
        },
        createWriteStream(file),
      );
      return this.#take(file, `sha256:${hash.digest('hex')}` as Digest, options);
    });
  }

  adopt(file: AbsolutePath, options: PutOptions): Promise<Descriptor> {
    return explainingFullDisk(this.root, async () => this.#take(file, await digestOfFile(file), options));
  }

  /** Takes over a file whose content was verified. */
  async take(file: AbsolutePath, { digest, mediaType }: Descriptor): Promise<void> {
    await explainingFullDisk(this.root, () => this.#take(file, digest, { mediaType }));
  }

  async #take(file: string, digest: Digest, options: PutOptions): Promise<Descriptor> {
    if (options.expect !== undefined && options.expect !== digest) {
      throw new WrongDigest(basename(file), options.expect, digest);
    }
    const { size } = await stat(file);
    await chmod(file, 0o444);
    await seal(file);
    await renameDurably(file, this.#blob(digest));
    const { mediaType, annotations } = options;
    return { mediaType, digest, size, ...(annotations === undefined ? {} : { annotations }) };
  }

  async readText(artifact: Descriptor): Promise<string> {
    return readFile(await this.path(artifact), 'utf8');
  }

  async lookup(key: ActionKey): Promise<ActionResult | undefined> {
    let json: unknown;
    try {
      json = JSON.parse(await readFile(this.#record(key), 'utf8'));
    } catch {
      return undefined;
    }
    const { data } = actionResultSchema.safeParse(json);
    if (data === undefined) {
      return undefined;
    }
    for (const artifact of Object.values(data.outputs)) {
      if (!(await this.has(artifact))) {
        return undefined;
      }
    }
    const { outputs, facts } = data;
    return facts === undefined ? { outputs } : { outputs, facts };
  }

  async record(key: ActionKey, result: ActionResult): Promise<void> {
    await this.#aside(async (scratch) => {
      const file = join(scratch, 'record.json');
      await writeFile(file, JSON.stringify(result, undefined, 2));
      await renameDurably(file, this.#record(key));
    });
  }

  #record(key: ActionKey): AbsolutePath {
    return this.#at('actions', `${hexOf(key)}.json`);
  }

  /** Makes something in a scratch folder that is gone afterwards. */
  #aside<T>(work: (scratch: AbsolutePath) => Promise<T>): Promise<T> {
    return explainingFullDisk(this.root, async () => {
      const scratch = await this.#scratch.make();
      try {
        return await work(scratch.path);
      } finally {
        await scratch.dispose();
      }
    });
  }

  async withLock<T>(name: string, work: () => Promise<T>, onWaiting?: () => void, signal?: AbortSignal): Promise<T> {
    const file = this.#at('locks', name.replace(/[^A-Za-z0-9._-]/g, '_'));
    this.#locksHeld++;
    try {
      const lock = await explainingFullDisk(this.root, () => FileLock.take(file, 'exclusive', onWaiting, signal));
      try {
        return await work();
      } finally {
        lock.release();
      }
    } finally {
      this.#locksHeld--;
    }
  }

  hasTree(name: Digest): Promise<boolean> {
    return new Tree(this.#at('trees'), name, this.remove).isWhole();
  }

  async tree(name: Digest, make: (folder: AbsolutePath) => Promise<void>, signal?: AbortSignal): Promise<AbsolutePath> {
    const tree = new Tree(this.#at('trees'), name, this.remove);
    if (!(await tree.isWhole())) {
      const makeOnce = async (): Promise<void> => {
        if (!(await tree.isWhole())) {
          await this.#aside((scratch) => tree.make(scratch, make));
        }
      };
      await this.withLock(`tree-${tree.short}`, makeOnce, undefined, signal);
    }
    await this.#noteUse(tree.label, await stat(tree.label));
    return tree.folder;
  }

  scratch(): Promise<Scratch> {
    return explainingFullDisk(this.root, () => this.#scratch.make());
  }

  async clear(): Promise<void> {
    if (this.#scratch.inUse > 0 || this.#locksHeld > 0) {
      throw this.#busy('this process is working');
    }
    await this.#scratch.giveUp();
    try {
      if (!(await this.use.tryChange('exclusive'))) {
        throw this.#busy('another process is working');
      }
      await explainingFullDisk(this.root, () => emptyStore(this.root, this.remove));
    } finally {
      await this.use.change('shared');
    }
  }

  #busy(who: string): UserError {
    return new UserError(`${who} in the store ${this.root}`, {
      hint: 'wait until it is done, or stop it, and clear the store again',
    });
  }

  collect(keep: number, onWork: (work: Work) => void = () => undefined): Promise<Collected> {
    return collect(this.#workplace(), keep, onWork);
  }

  verify(onWork: (work: Work) => void = () => undefined): Promise<number> {
    return verify(this.#workplace(), onWork);
  }

  #workplace(): Workplace {
    return { root: this.root, remove: this.remove, scratch: () => this.#scratch.make() };
  }

  async status(): Promise<StoreStatus> {
    let bytes = 0;
    const blobs = await readdir(this.#at('blobs/sha256'));
    for (const blob of blobs) {
      bytes += (await stat(this.#at('blobs/sha256', blob))).size;
    }
    const count = async (folder: string): Promise<number> =>
      (await readdir(this.#at(folder))).filter((name) => name.endsWith('.json')).length;
    return {
      artifacts: { count: blobs.length, bytes },
      actions: { count: await count('actions') },
      trees: { count: await count('trees') },
    };
  }
}
