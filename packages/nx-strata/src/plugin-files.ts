import type { Kind } from '@strata/definitions';

// not taken from the schemas: those are loaded only where a definition has changed (see remembered.ts)
const kinds: Record<Kind, true> = {
  repository: true,
  layer: true,
  prefix: true,
  kernel: true,
  initramfs: true,
  image: true,
  sysext: true,
};

/** Names of the files that make a folder a project of Strata. */
export const definitionFiles: readonly string[] = Object.keys(kinds).map((kind) => `${kind}.yaml`);

/** Names of the files by which Nx itself makes projects of folders. */
export const projectFiles = ['package.json', 'project.json'] as const;

/** Where package managers say which folders are theirs, which decides whether Nx counts a `package.json`. */
export const packageManagerFiles = ['package.json', 'pnpm-workspace.yaml', 'lerna.json'] as const;
