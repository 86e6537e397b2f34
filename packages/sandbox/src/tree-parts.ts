import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ScannedTree } from '@strata/fingerprint';

const parallelReads = 16;

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder, { encoding: 'latin1' });
  } catch {
    // it was there when the tree was read: the change is noticed when the action is done
    return [];
  }
}

/**
 * What lies in a tree's folder and is not in its manifest: what git ignores, `.git`, empty folders. It is in no key, so
 * an action may not see it. Relative paths whose characters stand for bytes (latin-1), since names need not be UTF-8.
 */
export async function undeclaredPaths({ root, manifest }: ScannedTree): Promise<string[]> {
  const bytes = (path: string): string => Buffer.from(path).toString('latin1');
  const declared = new Set(manifest.entries.map(({ path }) => bytes(path)));
  const folders = ['', ...manifest.entries.filter(({ type }) => type === 'directory').map(({ path }) => path)];
  const undeclared: string[] = [];
  for (let start = 0; start < folders.length; start += parallelReads) {
    await Promise.all(
      folders.slice(start, start + parallelReads).map(async (folder) => {
        for (const name of await namesIn(join(root, folder))) {
          const path = folder === '' ? name : `${bytes(folder)}/${name}`;
          if (!declared.has(path)) {
            undeclared.push(path);
          }
        }
      }),
    );
  }
  return undeclared;
}
