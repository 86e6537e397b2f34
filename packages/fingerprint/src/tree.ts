import { execFile } from 'node:child_process';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { UserError } from '@strata/definitions';
import fastGlob from 'fast-glob';
import xxhash from 'xxhash-wasm';
import { digestOfFile, digestOfJson } from './digest.js';
import type { AbsolutePath, ScannedTree, TreeEntry } from './types.js';

/** What of a folder belongs to its tree. */
export interface ScanOptions {
  /** Whether files that git ignores are part of the tree: yes for another task's output, no for a folder of sources. */
  readonly gitIgnored: 'include' | 'exclude';
  /** Globs, relative to the root, of what is left out. */
  readonly exclude?: readonly string[];
}

const parallelReads = 16;

const run = promisify(execFile);

/** What git ignores below a folder: relative paths, folders with a trailing slash. Empty outside of a git work tree. */
async function gitIgnoredPaths(root: string): Promise<string[]> {
  const argv = ['ls-files', '--others', '--ignored', '--exclude-standard', '--directory', '-z'];
  try {
    const { stdout } = await run('git', argv, { cwd: root, maxBuffer: 1 << 28 });
    return stdout.split('\0').filter((path) => path !== '');
  } catch {
    return [];
  }
}

/** Orders paths by the bytes of their UTF-8 form, as every tool on the other side of a tar does. */
export function comparePaths(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

async function mapInParallel<In, Out>(items: readonly In[], work: (item: In) => Promise<Out>): Promise<Out[]> {
  const results: Out[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) {
      results[index] = await work(items[index] as In);
    }
  };
  await Promise.all(Array.from({ length: parallelReads }, worker));
  return results;
}

async function listPaths(root: string, skip: ReadonlySet<string>): Promise<string[]> {
  const paths: string[] = [];
  const visit = async (folder: string): Promise<void> => {
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.name.includes('\uFFFD')) {
        throw new UserError(`the name of ${join(root, path)} is not UTF-8`, { hint: 'rename the file' });
      }
      if (entry.isDirectory()) {
        if (entry.name !== '.git' && !skip.has(`${path}/`)) {
          await visit(path);
        }
      } else if (!skip.has(path)) {
        paths.push(path);
      }
    }
  };
  await visit('');
  return paths;
}

async function readEntry(root: string, path: string): Promise<TreeEntry> {
  const absolute = join(root, path);
  const status = await lstat(absolute);
  if (status.isSymbolicLink()) {
    return { type: 'symlink', path, target: await readlink(absolute) };
  }
  if (!status.isFile()) {
    throw new UserError(`${absolute} is neither a file, a folder nor a symlink`, {
      hint: 'remove it from the tree; device nodes are declared under `devices:` of a layer',
    });
  }
  const digest = await digestOfFile(absolute);
  return { type: 'file', path, executable: (status.mode & 0o100) !== 0, size: status.size, digest };
}

function foldersOf(paths: readonly string[]): string[] {
  const folders = new Set<string>();
  for (const path of paths) {
    for (
      let end = path.lastIndexOf('/');
      end > 0 && !folders.has(path.slice(0, end));
      end = path.lastIndexOf('/', end - 1)
    ) {
      folders.add(path.slice(0, end));
    }
  }
  return [...folders];
}

/**
 * Reads a folder once: types, executable bits, link targets, sizes and digests. Folders without a file or link below
 * them are left out, as git does, and so are `.git` folders. Throws a {@link UserError} where something is neither file,
 * folder nor symlink, or where there is no such folder.
 */
export async function scanTree(root: AbsolutePath, options: ScanOptions): Promise<ScannedTree> {
  const skip = new Set(options.gitIgnored === 'exclude' ? await gitIgnoredPaths(root) : []);
  let paths: string[];
  try {
    paths = await listPaths(root, skip);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new UserError(`there is no folder ${root}`, {
        hint: 'make it, or correct the path in the definition',
        cause: error,
      });
    }
    throw error;
  }
  if (options.exclude !== undefined && options.exclude.length > 0) {
    const excluded = new Set(
      await fastGlob([...options.exclude], { cwd: root, dot: true, followSymbolicLinks: false, onlyFiles: false }),
    );
    paths = paths.filter((path) => !excluded.has(path) && !foldersOf([path]).some((folder) => excluded.has(folder)));
  }
  const folders = new Set(foldersOf(paths));
  const all = [...folders, ...paths].sort(comparePaths);
  // taken before anything is read, so that a file written to in between is noticed in the end
  const token = await changeToken(root, all);
  const entries = await mapInParallel(all, async (path): Promise<TreeEntry> =>
    folders.has(path) ? { type: 'directory', path } : readEntry(root, path),
  );
  return { root, manifest: { entries, digest: digestOfJson(entries.map((entry) => ({ ...entry }))) }, token };
}

/**
 * A token (xxh64 over path, inode, ctime, size and mode of the root and of every path below it) that differs when
 * anything there was written to since, even if the content was put back. Detects change on this machine only; never part of a key.
 */
export async function changeToken(root: AbsolutePath, paths: readonly string[]): Promise<string> {
  const hasher = (await xxhash()).create64();
  const lines = await mapInParallel(['', ...paths], async (path) => {
    const status = await lstat(join(root, path), { bigint: true }).catch(() => undefined);
    return status === undefined
      ? `${path} gone\n`
      : `${path} ${status.ino} ${status.ctimeNs} ${status.size} ${status.mode}\n`;
  });
  return hasher.update(lines.join('')).digest().toString(16);
}
