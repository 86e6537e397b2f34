import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Writes a file into a folder of records, which nobody sees before it is whole. */
export async function writeAside(
  root: string,
  folder: string,
  name: string,
  content: string | Uint8Array,
): Promise<void> {
  const aside = join(root, `.${folder}-${name}-${process.pid}`);
  await writeFile(aside, content);
  await rename(aside, join(root, folder, name));
}
