import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
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

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(js|py|json)$|^[^.]+$/.test(entry.name) && !entry.name.includes('.test.'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes('node_modules') && /\/(dist|guest|host)\//.test(path))
    .sort();
}

let known: string | undefined;

/**
 * A digest of Strata's own built code, for Nx's hashes: what an older Strata made is asked for again, and the action
 * keys then say what of it really has to run.
 */
export function codeDigest(): string {
  const require = createRequire(import.meta.url);
  known ??= digestOfJson(
    [
      join(dirname(fileURLToPath(import.meta.url)), '..'),
      ...packages.map((name) => dirname(require.resolve(`${name}/package.json`))),
    ].flatMap((folder) => filesBelow(folder).map((path) => [path.slice(folder.length), digestOf(readFileSync(path))])),
  ).slice(0, 23);
  return known;
}
