import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { execa } from 'execa';

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Renames a file so that, even after a power cut, it is either whole under its new name or not there. */
export async function renameDurably(file: string, target: string): Promise<void> {
  await sync(file);
  await rename(file, target);
  await sync(dirname(target));
}

/** Renames a folder likewise, with all that is in it. */
export async function renameFolderDurably(folder: string, target: string): Promise<void> {
  // one syncfs(2), which Node does not have, instead of an fsync for each of a hundred thousand files
  await execa('sync', ['--file-system', dirname(folder)]);
  await rename(folder, target);
  await sync(dirname(target));
}
