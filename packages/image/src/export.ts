import { constants } from 'node:fs';
import { chmod, copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AbsolutePath } from '@strata/fingerprint';
import type { LayerStack } from '@strata/sandbox';
import type { Descriptor, Store } from '@strata/store';
import { execa } from 'execa';

/**
 * Copies artifacts to real files, as reflinks where the file system can; never as links into the store, which a write
 * to the file would change. Each file is written aside and renamed.
 */
export async function exportFiles(
  store: Store,
  folder: AbsolutePath,
  files: Readonly<Record<string, Descriptor>>,
): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const paths: string[] = [];
  for (const [name, artifact] of Object.entries(files)) {
    const target = join(folder, name);
    const aside = `${target}.part-${process.pid}`;
    try {
      await copyFile(await store.path(artifact), aside, constants.COPYFILE_FICLONE);
      await chmod(aside, 0o644);
      await rename(aside, target);
    } finally {
      await rm(aside, { force: true });
    }
    paths.push(target);
  }
  return paths;
}

/**
 * Unpacks layers without deletions into a folder that has nothing else, as files of the user who runs it. Unpacked aside and
 * renamed.
 */
export async function exportTree(
  store: Store,
  layers: LayerStack,
  folder: AbsolutePath,
  signal?: AbortSignal,
): Promise<void> {
  const aside = `${folder}.part-${process.pid}`;
  try {
    await mkdir(aside, { recursive: true });
    for (const layer of layers) {
      const words = ['--extract', '--zstd', '--no-same-owner', '--file', await store.path(layer), '--directory', aside];
      await execa('tar', words, signal === undefined ? {} : { cancelSignal: signal });
    }
    await rm(folder, { recursive: true, force: true });
    await rename(aside, folder);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}
