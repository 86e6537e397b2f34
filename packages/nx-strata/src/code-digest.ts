import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { digestOf, digestOfJson } from '@strata/fingerprint';

const packages = [
  '@strata/definitions',
  '@strata/fingerprint',
  '@strata/store',
  '@strata/sandbox',
  '@strata/portage',
  '@strata/image',
  '@strata/vm',
];

/** Paths of a package's built code, relative to it: what is only there for tests is not packed, and does not count. */
function builtFiles(folder: string): string[] {
  return ['dist', 'guest', 'host']
    .flatMap((part) => {
      try {
        return readdirSync(join(folder, part), { withFileTypes: true, recursive: true });
      } catch {
        // not every package has each of them
        return [];
      }
    })
    .filter((entry) => entry.isFile() && /\.(js|py|json)$|^[^.]+$/.test(entry.name) && !entry.name.includes('.test.'))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((path) => !path.startsWith('dist/testing/'))
    .sort();
}

let known: string | undefined;

/**
 * A digest of Strata's own built code, for Nx's hashes: what an older Strata made is asked for again, and the action
 * keys then say what of it really has to run. The same wherever the packages are installed.
 */
export function codeDigest(): string {
  const require = createRequire(import.meta.url);
  known ??= digestOfJson(
    [
      join(dirname(fileURLToPath(import.meta.url)), '..'),
      ...packages.map((name) => dirname(require.resolve(`${name}/package.json`))),
    ].map((folder) => builtFiles(folder).map((path) => [path, digestOf(readFileSync(join(folder, path)))])),
  ).slice(0, 23);
  return known;
}
