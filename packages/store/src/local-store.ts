import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { access, chmod, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, isAbsolute, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { UserError } from '@strata/definitions';
import { absolutePath, digestOfFile, hexOf, parseDigest, type AbsolutePath, type Digest } from '@strata/fingerprint';
import { lockFile, tryLockFile, type Lock } from './locks.js';
import { MissingArtifact } from './missing-artifact.js';
import { actionResultSchema } from './schemas.js';
import type { ActionKey, ActionResult, Descriptor, PutOptions, Remover, Scratch, Store, StoreStatus } from './types.js';
import { WrongDigest } from './wrong-digest.js';

/** Where and how a store is opened. */
export interface OpenOptions {
  readonly root: AbsolutePath;
  readonly remove: Remover;
}

/** The store of this user: `STRATA_STORE`, else `$XDG_CACHE_HOME/strata`, else `~/.cache/strata`. */
export function storeRoot(environment: NodeJS.ProcessEnv): AbsolutePath {
  const { STRATA_STORE: own, XDG_CACHE_HOME: caches } = environment;
  if (own !== undefined && own !== '') {
    if (!isAbsolute(own)) {
      throw new UserError(`STRATA_STORE is not an absolute path: ${own}`, { hint: 'give the store an absolute path' });
    }
    return absolutePath(own);
  }
  // the XDG base directory specification wants relative paths ignored
  return absolutePath(join(caches !== undefined && isAbsolute(caches) ? caches : join(homedir(), '.cache'), 'strata'));
}

const folders = ['blobs/sha256', 'actions', 'trees', 'locks', 'scratch', 'logs'] as const;

function isFull(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === 'ENOSPC' || code === 'EDQUOT';
}

class LocalStore implements Store {
  #scratchFolder: Promise<{ folder: AbsolutePath }> | undefined;

  constructor(
    readonly root: AbsolutePath,
    private readonly remove: Remover,
  ) {}

  async prepare(): Promise<void> {
    await mkdir(this.root, { recursive: true, mode: 0o700 });
    for (const folder of folders) {
      await mkdir(this.#at(folder), { recursive: true, mode: 0o700 });
    }
    const layout = this.#at('oci-layout');
    await writeFile(layout, '{"imageLayoutVersion":"1.0.0"}', { flag: 'wx' }).catch(() => undefined);
    const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] };
    await writeFile(this.#at('index.json'), JSON.stringify(index), { flag: 'wx' }).catch(() => undefined);
  }

  #at(...path: string[]): AbsolutePath {
    return absolutePath(join(this.root, ...path));
  }

  #blob(digest: Digest): AbsolutePath {
    return this.#at('blobs/sha256', hexOf(digest));
  }

  async has(digest: Digest): Promise<boolean> {
    return access(this.#blob(digest)).then(
      () => true,
      () => false,
    );
  }

  async path(artifact: Descriptor): Promise<AbsolutePath> {
    if (!(await this.has(artifact.digest))) {
      throw new MissingArtifact(artifact);
    }
    return this.#blob(artifact.digest);
  }

  async put(content: Readable | Uint8Array | string, options: PutOptions): Promise<Descriptor> {
    const scratch = await this.scratch();
    try {
      const file = join(scratch.path, 'artifact');
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
        createWriteStream(file, { flush: true }),
      );
      return await this.#take(file, `sha256:${hash.digest('hex')}` as Digest, options);
    } catch (error) {
      throw this.#explain(error);
    } finally {
      await scratch.dispose();
    }
  }

  async adopt(file: AbsolutePath, options: PutOptions): Promise<Descriptor> {
    return this.#take(file, await digestOfFile(file), options);
  }

  async #take(file: string, digest: Digest, options: PutOptions): Promise<Descriptor> {
    if (options.expect !== undefined && options.expect !== digest) {
      throw new WrongDigest(basename(file), options.expect, digest);
    }
    const { size } = await stat(file);
    await chmod(file, 0o444);
    await rename(file, this.#blob(digest));
    const { mediaType, annotations } = options;
    return { mediaType, digest, size, ...(annotations === undefined ? {} : { annotations }) };
  }

  async readText(artifact: Descriptor): Promise<string> {
    return readFile(await this.path(artifact), 'utf8');
  }

  async lookup(key: ActionKey): Promise<ActionResult | undefined> {
    let json: unknown;
    try {
      json = JSON.parse(await readFile(this.#at('actions', `${hexOf(key)}.json`), 'utf8'));
    } catch {
      return undefined;
    }
    const parsed = actionResultSchema.safeParse(json);
    if (!parsed.success) {
      return undefined;
    }
    for (const { digest, size } of Object.values(parsed.data.outputs)) {
      const found = await stat(this.#blob(digest)).catch(() => undefined);
      if (found?.size !== size) {
        return undefined;
      }
    }
    const { outputs, facts } = parsed.data;
    return facts === undefined ? { outputs } : { outputs, facts };
  }

  async record(key: ActionKey, result: ActionResult): Promise<void> {
    await this.#writeAside(this.#at('actions', `${hexOf(key)}.json`), JSON.stringify(result, undefined, 2));
  }

  async #writeAside(file: AbsolutePath, text: string): Promise<void> {
    const scratch = await this.scratch();
    try {
      const aside = join(scratch.path, 'file');
      await writeFile(aside, text, { flush: true });
      await rename(aside, file);
    } finally {
      await scratch.dispose();
    }
  }

  async withLock<T>(name: string, work: () => Promise<T>, onWaiting?: () => void, signal?: AbortSignal): Promise<T> {
    const file = this.#at('locks', name.replace(/[^A-Za-z0-9._-]/g, '_'));
    const lock = await lockFile(file, 'exclusive', onWaiting, signal);
    try {
      return await work();
    } finally {
      await lock.release();
    }
  }

  async tree(name: Digest, make: (folder: AbsolutePath) => Promise<void>, signal?: AbortSignal): Promise<AbsolutePath> {
    const short = hexOf(name).slice(0, 16);
    const folder = this.#at('trees', short);
    const label = this.#at('trees', `${short}.json`);
    const holder = async (): Promise<Digest | undefined> => {
      const text = await readFile(label, 'utf8').catch(() => undefined);
      return text === undefined ? undefined : parseDigest(JSON.parse(text));
    };
    if ((await holder()) === name) {
      return folder;
    }
    const makeOnce = async (): Promise<AbsolutePath> => {
      const current = await holder();
      if (current !== undefined && current !== name) {
        throw new Error(`${name} and ${current} share their first 16 hex digits`);
      }
      if (current === undefined) {
        // a folder without its label was renamed into place by a process that died right after
        await this.remove(folder);
        const scratch = await this.scratch();
        try {
          const aside = absolutePath(join(scratch.path, 'tree'));
          await mkdir(aside, { mode: 0o755 });
          await make(aside);
          await rename(aside, folder);
          await this.#writeAside(label, JSON.stringify(name));
        } catch (error) {
          throw this.#explain(error);
        } finally {
          await scratch.dispose();
        }
      }
      return folder;
    };
    return this.withLock(`tree-${short}`, makeOnce, undefined, signal);
  }

  async scratch(): Promise<Scratch> {
    this.#scratchFolder ??= this.withLock('scratch', () => this.#makeScratchFolder());
    const { folder } = await this.#scratchFolder;
    const path = absolutePath(await mkdtemp(join(folder, 's')));
    return {
      path,
      dispose: async () => {
        await rm(path, { recursive: true, force: true }).catch(() => this.remove(path));
      },
    };
  }

  /** One folder a process, whose lock tells the others that its maker lives. */
  async #makeScratchFolder(): Promise<{ folder: AbsolutePath; lock: Lock }> {
    await this.#removeLeftovers();
    const folder = absolutePath(await mkdtemp(this.#at('scratch', 'p')));
    const lock = await lockFile(absolutePath(`${folder}.lock`), 'exclusive');
    return { folder, lock };
  }

  async #removeLeftovers(): Promise<void> {
    for (const name of await readdir(this.#at('scratch'))) {
      const lock = this.#at('scratch', name);
      if (!name.endsWith('.lock')) {
        continue;
      }
      const held = await tryLockFile(lock);
      if (held !== undefined) {
        await this.remove(absolutePath(lock.slice(0, -'.lock'.length)));
        await rm(lock, { force: true });
        await held.release();
      }
    }
  }

  async clear(): Promise<void> {
    await this.withLock('scratch', () => this.#removeLeftovers());
    const own = this.#scratchFolder === undefined ? undefined : basename((await this.#scratchFolder).folder);
    const busy = (await readdir(this.#at('scratch'))).filter(
      (name) => name.endsWith('.lock') && name !== `${own}.lock`,
    );
    if (busy.length > 0) {
      throw new UserError(`another process is working in the store ${this.root}`, {
        hint: 'wait until it is done, or stop it, and clear the store again',
      });
    }
    for (const folder of ['actions', 'blobs', 'trees', 'logs', 'partial', 'records']) {
      await this.remove(this.#at(folder));
    }
    await this.prepare();
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

  #explain(error: unknown): unknown {
    return isFull(error)
      ? new UserError(`the file system of the store ${this.root} is full`, {
          hint: 'free some space there, run `strata store clear`, or set STRATA_STORE to a folder with more room',
          cause: error,
        })
      : error;
  }
}

/** Opens a store, making its folders (mode 0700) where they are missing. */
export async function openStore(options: OpenOptions): Promise<Store> {
  const store = new LocalStore(options.root, options.remove);
  try {
    await store.prepare();
  } catch (cause) {
    const { message } = cause as Error;
    throw new UserError(`the store ${options.root} cannot be made: ${message}`, {
      hint: 'set STRATA_STORE to a folder that you may write to',
      cause,
    });
  }
  return store;
}
