import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { UserError } from '@strata/definitions';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import type { Remover } from './types.js';

/** The file that tells a store from any other folder. Who uses the store holds its lock: shared, or alone to empty it. */
export const markerName = 'strata-store';

const folders = ['blobs', 'blobs/sha256', 'actions', 'trees', 'locks', 'scratch', 'logs', 'users'] as const;

/** What makes it an OCI image layout (OCI image specification, image-layout.md). */
const layout = {
  'oci-layout': { imageLayoutVersion: '1.0.0' },
  'index.json': { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] },
};

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

function unlessThere(error: unknown): void {
  if ((error as { readonly code?: unknown }).code !== 'EEXIST') {
    throw error;
  }
}

/** Makes a folder a store where it is missing or empty. Throws a {@link UserError} where it is something else. */
export async function claimStoreFolder(root: AbsolutePath): Promise<void> {
  await mkdir(dirname(root), { recursive: true });
  await mkdir(root, { mode: 0o700 }).catch(unlessThere);
  // a file system that was made for the store has a folder of its own
  const names = (await readdir(root)).filter((name) => name !== 'lost+found');
  const marker = join(root, markerName);
  // another process may have made it a store meanwhile; it writes the marker first
  if (names.length > 0 && !existsSync(marker)) {
    throw new UserError(`${root} is not empty, and is not a store of Strata (it has no file ${markerName})`, {
      hint: 'set STRATA_STORE to a store, to an empty folder, or to one that does not exist yet',
    });
  }
  const text = 'The store of Strata: `npx strata store status` tells what it holds.\n';
  await writeFile(marker, text, { flag: 'wx' }).catch(unlessThere);
}

/** Writes a small file where it is missing, or was left empty by a full disk. */
async function provideFile(file: string, text: string): Promise<void> {
  if ((await readFile(file, 'utf8').catch(() => '')) !== '') {
    return;
  }
  const aside = `${file}.${randomUUID()}`;
  try {
    await writeFile(aside, text);
    await rename(aside, file);
  } finally {
    await rm(aside, { force: true });
  }
}

/** Makes everything of a store that is missing. */
export async function furnishStore(root: AbsolutePath): Promise<void> {
  for (const folder of folders) {
    // with `recursive`, Node says ENOENT where it means ENOSPC
    await mkdir(join(root, folder), { mode: 0o700 }).catch(unlessThere);
  }
  for (const [name, content] of Object.entries(layout)) {
    await provideFile(join(root, name), JSON.stringify(content));
  }
}

/** Deletes everything of a store but what makes it one. Needs no space, and may be broken off at any point. */
export async function emptyStore(root: AbsolutePath, remove: Remover): Promise<void> {
  const trees = join(root, 'trees');
  // a tree without its label counts for nothing, also when it is removed by half
  for (const name of await readdir(trees)) {
    if (name.endsWith('.json')) {
      await rm(join(trees, name), { force: true });
    }
  }
  for (const folder of [
    'actions',
    'trees',
    'blobs',
    'partial',
    'uploads',
    'remotes',
    'records',
    'logs',
    'scratch',
    'jobs',
    'index',
    'locks',
  ]) {
    await remove(absolutePath(join(root, folder)));
  }
  await furnishStore(root);
}
