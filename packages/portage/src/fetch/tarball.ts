import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '@strata/definitions';
import { absolutePath, digestOfFile, digestOfJson, hexOf, type Digest } from '@strata/fingerprint';
import type { Progress } from '@strata/sandbox';
import type { ActionKey, Descriptor, Store } from '@strata/store';
import { Downloader } from './download.js';

/** The media type of an archive that somebody else made. */
export const tarballMediaType = 'application/x-tar';

/** How a single file is fetched. */
export interface FetchFileOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Names a tarball, so that it is shared, and need not be read to be known. */
function keyOf(digest: Digest): ActionKey {
  return digestOfJson({ tarball: digest }) as ActionKey;
}

/** A tarball that somebody fetched already. */
export async function knownTarball(store: Store, digest: Digest): Promise<Descriptor | undefined> {
  const known = (await store.lookup(keyOf(digest)))?.outputs['tarball'];
  // whoever shared it need not have told the truth
  return known?.digest === digest ? known : undefined;
}

/**
 * Fetches a file that a definition names by URL and digest. Throws a {@link UserError} where it cannot be had, or is
 * another one.
 */
export async function fetchTarball(
  store: Store,
  uri: string,
  digest: Digest,
  options: FetchFileOptions = {},
): Promise<Descriptor> {
  const known = await knownTarball(store, digest);
  if (known !== undefined) {
    return known;
  }
  const tarball = (await store.find(digest, tarballMediaType)) ?? (await download(store, uri, digest, options));
  await store.record(keyOf(digest), { outputs: { tarball } });
  return tarball;
}

async function download(store: Store, uri: string, digest: Digest, options: FetchFileOptions): Promise<Descriptor> {
  return store.withLock(`tarball-${hexOf(digest).slice(0, 32)}`, async () => {
    await mkdir(join(store.root, 'partial'), { recursive: true });
    const partial = absolutePath(join(store.root, 'partial', hexOf(digest)));
    const downloader = new Downloader(1);
    try {
      await downloader.fetch(uri, partial, options.signal, (_count, { bytes, size = bytes }) => {
        options.onProgress?.({ phase: 'fetch', subject: uri, done: bytes, total: size, unit: 'bytes' });
      });
    } catch (cause) {
      options.signal?.throwIfAborted();
      throw new UserError(`${uri} cannot be fetched: ${(cause as Error).message}`, {
        hint: 'see whether the machine reaches it, and whether it is still there',
        cause,
      });
    } finally {
      await downloader.close();
    }
    const actual = await digestOfFile(partial);
    if (actual !== digest) {
      await rm(partial, { force: true });
      throw new UserError(`${uri} has the digest ${actual}, not ${digest}`, {
        hint: 'upstream changed the file: check it, and write its digest into the definition',
      });
    }
    return store.adopt(partial, { mediaType: tarballMediaType });
  });
}
