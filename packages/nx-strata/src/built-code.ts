import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const packages = [
  '@strata/definitions',
  '@strata/fingerprint',
  '@strata/store',
  '@strata/sandbox',
  '@strata/portage',
  '@strata/image',
  '@strata/vm',
];

/** A package of ours and the files of its built code, relative to its folder. */
export interface BuiltPackage {
  readonly folder: string;
  readonly files: readonly string[];
}

/** Files of a package's built code: what is only there for tests is not packed, and does not count. */
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

/** Strata's own built code, by package, in a fixed order. */
export function builtCode(): BuiltPackage[] {
  const require = createRequire(import.meta.url);
  return [
    join(dirname(fileURLToPath(import.meta.url)), '..'),
    ...packages.map((name) => dirname(require.resolve(`${name}/package.json`))),
  ].map((folder) => ({ folder, files: builtFiles(folder) }));
}
