import { cpSync, existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository that is tested. */
export const repositoryRoot = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/**
 * Copies the example OS, without its prefixes, what is made of them and what that is tried on: those have tests of their
 * own, and their plans would be made anew in each of the others.
 */
export function copyExample(target: string, part = '.'): void {
  const isLeftOut = (folder: string): boolean =>
    ['prefix.yaml', 'sysext.yaml'].some((name) => existsSync(join(folder, name))) ||
    /\/(arm64-toolchain|debian-[^/]*)$/.test(folder);
  cpSync(join(repositoryRoot, 'examples/ram-os', part), join(target, part), {
    recursive: true,
    filter: (source) => part !== '.' || !isLeftOut(source),
  });
}
