import { cpSync, existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository that is tested. */
export const repositoryRoot = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/**
 * Copies the example OS, without its prefixes and what is made of them: those have tests of their own, and their plans
 * would be made anew in each of the others.
 */
export function copyExample(target: string, part = '.'): void {
  const isLeftOut = (folder: string): boolean =>
    ['prefix.yaml', 'sysext.yaml'].some((name) => existsSync(join(folder, name))) ||
    folder.endsWith('/arm64-toolchain');
  cpSync(join(repositoryRoot, 'examples/ram-os', part), join(target, part), {
    recursive: true,
    filter: (source) => part !== '.' || !isLeftOut(source),
  });
}
