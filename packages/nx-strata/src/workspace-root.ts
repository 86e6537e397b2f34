import { existsSync, readdirSync, readFileSync, type Dirent } from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '@strata/definitions';
import { definitionFiles } from './plugin-files.js';
import { readWorkspace, type ReadWorkspace } from './read-workspace.js';

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

/** Whether git's patterns for a workspace, as far as they are plain names and paths, leave a folder out. */
function ignoring(root: string): (path: string, name: string) => boolean {
  const file = join(root, '.gitignore');
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  const plain = lines.map((line) => line.trim().replace(/\/$/, '')).filter((line) => /^[\w./-]+$/.test(line));
  // gitignore(5): with a slash before its end, a pattern is a path from here
  const paths = new Set(plain.filter((line) => line.includes('/')).map((line) => line.replace(/^\//, '')));
  const names = new Set(['node_modules', ...plain.filter((line) => !line.includes('/'))]);
  return (path, name) => name.startsWith('.') || names.has(name) || paths.has(path);
}

/** The files that make projects of folders, relative to the workspace. In a large tree a library for globs takes 2 s. */
function foundDefinitions(root: string): string[] {
  const isLeftOut = ignoring(root);
  const found: string[] = [];
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of readFolder(join(root, folder))) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && !isLeftOut(path, entry.name)) {
        folders.push(path);
      } else if (!entry.isDirectory() && definitionFiles.includes(entry.name)) {
        found.push(path);
      }
    }
  }
  return found.sort();
}

/** What is in a folder; nothing, where it may not be read: then it is no project of this user. */
function readFolder(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** The definitions of the workspace, found without Nx's project graph. */
export function scanWorkspace(root: string): ReadWorkspace {
  return readWorkspace(root, foundDefinitions(root), { projects: new Map(), complete: false, options: {} });
}
