import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Digest } from '@strata/fingerprint';

/** Where Nx keeps the results of tasks on this machine. Nx's code is loaded here: whoever asks runs below it anyway. */
function cacheFolder(): string {
  const { cacheDir } = createRequire(import.meta.url)('@nx/devkit') as { readonly cacheDir: string };
  return cacheDir;
}

/**
 * Has Nx forget results whose output names an artifact that nobody can make again: it would put them back for ever.
 *
 * @param output the task's output file, relative to the workspace
 */
export function dropNxResults(output: string, digest: Digest): void {
  const folder = cacheFolder();
  for (const hash of readdirSync(folder)) {
    try {
      if (readFileSync(join(folder, hash, output), 'utf8').includes(digest)) {
        rmSync(join(folder, hash), { recursive: true, force: true });
      }
    } catch {
      // another task's result
    }
  }
}
