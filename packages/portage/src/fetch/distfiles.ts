import { rm, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '@strata/definitions';
import { absolutePath, digestOfJson, hexOf, type AbsolutePath } from '@strata/fingerprint';
import type { Progress } from '@strata/sandbox';
import type { ActionKey, Descriptor, Store } from '@strata/store';
import pLimit from 'p-limit';
import type { Distfile } from '../plan.js';
import { mismatch } from './checking.js';
import { Downloader } from './download.js';

/** The media type of a distfile. */
export const distfileMediaType = 'application/octet-stream';

/** Somewhere else where a distfile may be had. */
export interface Mirror {
  /** For people. */
  readonly name: string;
  /** Puts candidates for a file into a folder and gives back their paths; what is in them is checked by the caller. */
  candidates(distfile: Distfile, folder: AbsolutePath, signal?: AbortSignal): Promise<AbsolutePath[]>;
}

/** How distfiles are fetched. */
export interface FetchOptions {
  /** Asked in turn, where upstream does not have a file. */
  readonly mirrors: readonly Mirror[];
  /** Base URIs in the manner of GENTOO_MIRRORS, asked before upstream. */
  readonly gentooMirrors?: readonly string[];
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Connections and files at once. */
  readonly connections?: number;
}

/** A distfile, and who wants it. */
export interface WantedDistfile extends Distfile {
  /** `category/name-version`, for messages. */
  readonly neededBy?: string | undefined;
}

/** A file could not be had anywhere. */
export class DistfileUnavailable extends UserError {
  constructor({ name, neededBy }: WantedDistfile, tried: readonly string[]) {
    super(`${name}${neededBy === undefined ? '' : ` of ${neededBy}`} cannot be fetched`, {
      details: tried,
      hint: 'see whether the machine reaches these places; a mirror can be named by GENTOO_MIRRORS in the environment',
    });
    this.name = 'DistfileUnavailable';
  }
}

/** What came is not what the Manifest says. */
export class DistfileMismatch extends UserError {
  constructor({ name, neededBy }: WantedDistfile, tried: readonly string[]) {
    const manifest = neededBy === undefined ? 'the Manifest' : `the Manifest of ${neededBy}`;
    super(`${name} is not the file that ${manifest} describes`, {
      details: tried,
      hint: 'upstream changed the file, or a mirror is wrong: check it by hand before changing the Manifest',
    });
    this.name = 'DistfileMismatch';
  }
}

function keyOf({ size, hashes }: Distfile): ActionKey {
  return digestOfJson({ distfile: 1, size, hashes }) as ActionKey;
}

/** A distfile that is in the store already, under whatever name it was fetched. */
export async function knownDistfile(store: Store, distfile: Distfile): Promise<Descriptor | undefined> {
  return (await store.lookup(keyOf(distfile)))?.outputs['distfile'];
}

async function fetchOne(
  store: Store,
  distfile: WantedDistfile,
  downloader: Downloader,
  options: FetchOptions,
  onBytes: (count: number) => void,
): Promise<Descriptor> {
  const { signal } = options;
  const tried: string[] = [];
  const lies: string[] = [];
  const key = keyOf(distfile);
  // what was fetched of a file stays for the next run, which goes on from there
  const partial = absolutePath(join(store.root, 'partial', hexOf(key).slice(0, 32)));
  const accept = async (file: AbsolutePath, from: string): Promise<Descriptor | undefined> => {
    const wrong = await mismatch(file, distfile);
    if (wrong !== undefined) {
      lies.push(from);
      tried.push(`${from}: ${wrong}`);
      await rm(file, { force: true });
      return undefined;
    }
    const artifact = await store.adopt(file, { mediaType: distfileMediaType });
    await store.record(key, { outputs: { distfile: artifact } });
    return artifact;
  };
  await mkdir(join(store.root, 'partial'), { recursive: true });
  const uris = [
    ...(options.gentooMirrors ?? []).map((base) => `${base.replace(/\/$/, '')}/distfiles/${distfile.name}`),
    ...distfile.uris,
  ];
  for (const uri of uris.filter((candidate) => /^(https?|file):/.test(candidate))) {
    try {
      await downloader.fetch(uri, partial, signal, onBytes);
    } catch (error) {
      signal?.throwIfAborted();
      tried.push(`${uri}: ${(error as Error).message}`);
      continue;
    }
    const artifact = await accept(partial, uri);
    if (artifact !== undefined) {
      return artifact;
    }
  }
  for (const mirror of options.mirrors) {
    const scratch = await store.scratch();
    try {
      const files = await mirror.candidates(distfile, scratch.path, signal);
      if (files.length === 0) {
        tried.push(`${mirror.name}: has no file of that size`);
      }
      for (const file of files) {
        const artifact = await accept(file, mirror.name);
        if (artifact !== undefined) {
          onBytes(distfile.size);
          return artifact;
        }
      }
    } catch (error) {
      signal?.throwIfAborted();
      tried.push(`${mirror.name}: ${(error as Error).message}`);
    } finally {
      await scratch.dispose();
    }
  }
  throw lies.length > 0 ? new DistfileMismatch(distfile, tried) : new DistfileUnavailable(distfile, tried);
}

/**
 * Fetches every distfile that the store does not have: in parallel, over few connections, from upstream and then from
 * mirrors, checked against the Manifest's hashes before it is an artifact.
 *
 * @returns the artifacts by the files' names
 */
export async function fetchDistfiles(
  store: Store,
  distfiles: readonly WantedDistfile[],
  options: FetchOptions,
): Promise<Map<string, Descriptor>> {
  const unique = [...new Map(distfiles.map((distfile) => [distfile.name, distfile])).values()];
  const found = new Map<string, Descriptor>();
  const missing: WantedDistfile[] = [];
  for (const distfile of unique) {
    const artifact = await knownDistfile(store, distfile);
    if (artifact === undefined) {
      missing.push(distfile);
    } else {
      found.set(distfile.name, artifact);
    }
  }
  if (missing.length > 0) {
    const connections = options.connections ?? 8;
    const downloader = new Downloader(connections);
    const total = missing.reduce((sum, { size }) => sum + size, 0);
    let done = 0;
    const limit = pLimit(connections * 2);
    const fetchUnderLock = (distfile: WantedDistfile): Promise<Descriptor> =>
      store.withLock(`distfile-${hexOf(keyOf(distfile)).slice(0, 32)}`, async () => {
        const other = await knownDistfile(store, distfile);
        return (
          other ??
          (await fetchOne(store, distfile, downloader, options, (count) => {
            done += count;
            options.onProgress?.({
              phase: 'fetch',
              subject: distfile.name,
              done: Math.min(done, total),
              total,
              unit: 'bytes',
            });
          }))
        );
      });
    try {
      await Promise.all(
        missing.map((distfile) =>
          limit(async () => {
            found.set(distfile.name, await fetchUnderLock(distfile));
          }),
        ),
      );
    } finally {
      await downloader.close();
    }
  }
  return new Map(
    unique.flatMap(({ name }): [string, Descriptor][] => {
      const artifact = found.get(name);
      return artifact === undefined ? [] : [[name, artifact]];
    }),
  );
}
