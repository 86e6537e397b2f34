import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { repositoryRoot } from './repository.js';

/** A package as `npm pack` made it. */
export interface PackedPackage {
  readonly name: string;
  /** Path of the tarball. */
  readonly tarball: string;
  /** Paths in it. */
  readonly files: readonly string[];
}

const packedSchema = z.object({
  name: z.string(),
  filename: z.string(),
  files: z.array(z.object({ path: z.string() })),
});

function npm(folder: string, ...words: string[]): string {
  return execFileSync('npm', words, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Packs every package of this repository into a folder, as for a registry. */
export function packAll(folder: string): PackedPackage[] {
  const names = readdirSync(join(repositoryRoot, 'packages')).map((name) => `./packages/${name}`);
  const told = JSON.parse(npm(repositoryRoot, 'pack', '--json', '--pack-destination', folder, ...names)) as object;
  // npm 12 gives a map by name where older ones give a list
  return Object.values(told).map((one: unknown): PackedPackage => {
    const { name, filename, files } = packedSchema.parse(one);
    return { name, tarball: join(folder, filename), files: files.map(({ path }) => path) };
  });
}

/** Has npm install all packages of this repository, packed, and Nx into a workspace that has a `package.json`. */
export function installPacked(workspace: string): void {
  const file = join(workspace, 'package.json');
  const own = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as {
    readonly devDependencies: { readonly nx: string };
  };
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as object;
  const packed = packAll(workspace).map(({ name, tarball }): [string, string] => [name, `file:${tarball}`]);
  const devDependencies = { nx: own.devDependencies.nx, ...Object.fromEntries(packed) };
  writeFileSync(file, JSON.stringify({ ...manifest, devDependencies }, undefined, 2));
  // what this repository was installed from is in npm's cache
  npm(workspace, 'install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error');
}
