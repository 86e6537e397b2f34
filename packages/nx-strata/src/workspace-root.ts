import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import fastGlob from 'fast-glob';
import { UserError } from '@strata/definitions';
import { definitionGlob, readWorkspace, type ReadWorkspace } from './read-workspace.js';

/** The folder of the Nx workspace that a folder lies in. */
export function findWorkspaceRoot(start: string): string {
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'nx.json'))) {
      return folder;
    }
    if (folder === dirname(folder)) {
      throw new UserError(`${start} is in no Nx workspace`, { hint: 'run this below the folder that has nx.json' });
    }
  }
}

/** The definitions of the workspace, found without Nx's project graph. */
export async function scanWorkspace(root: string): Promise<ReadWorkspace> {
  const ignored = existsSync(join(root, '.gitignore'))
    ? readFileSync(join(root, '.gitignore'), 'utf8')
        .split('\n')
        .filter((line) => /^[\w./-]+\/$/.test(line))
        .map((line) => `**/${line}**`)
    : [];
  const files = await fastGlob(definitionGlob, { cwd: root, ignore: ['**/node_modules/**', ...ignored] });
  const surroundings = { projects: new Map(), complete: false, options: {} };
  return readWorkspace(root, files.map((file) => relative('.', file)).sort(), surroundings);
}
