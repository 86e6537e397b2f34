import { readFile, readlink, stat } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { UserError } from '@strata/definitions';
import fastGlob from 'fast-glob';
import { digestOf, digestOfFile, digestOfJson } from './digest.js';
import { readState, tokenOf, type FileState } from './file-state.js';
import { mapInParallel } from './parallel.js';
import { decodeUtf8, foldersOf, sortPaths } from './paths.js';
import { explainReading } from './reading.js';
import type { AbsolutePath, ScannedTree, TreeEntry } from './types.js';
import { walk } from './walk.js';

/** What of a folder belongs to its tree. */
export interface ScanOptions {
  /** Whether files that git ignores are part of the tree: yes for another task's output, no for a folder of sources. */
  readonly gitIgnored: 'include' | 'exclude';
  /** Globs, relative to the root, of what is left out. */
  readonly exclude?: readonly string[];
}

/** Below this size (in bytes) a file is read in one piece, which is much faster than a stream. */
const smallFile = 1 << 18;

// the callback functions: those of `fs/promises` take three times as long
const read = promisify(readFile);
const readLink = promisify(readlink);

async function requireFolder(root: AbsolutePath): Promise<void> {
  let cause: unknown;
  try {
    if ((await promisify(stat)(root)).isDirectory()) {
      return;
    }
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    if (code !== 'ENOENT' && code !== 'ENOTDIR') {
      throw explainReading(error, root);
    }
    cause = error;
  }
  throw new UserError(`there is no folder ${root}`, {
    hint: 'make it, or correct the path in the definition',
    cause,
  });
}

async function excludedPaths(root: AbsolutePath, globs: readonly string[]): Promise<string[]> {
  return globs.length === 0
    ? []
    : fastGlob([...globs], {
        cwd: root,
        dot: true,
        followSymbolicLinks: false,
        ignore: ['**/.git'],
        onlyFiles: false,
        suppressErrors: true,
      });
}

async function readEntry(absolute: string, path: string, { status }: FileState): Promise<TreeEntry> {
  if (status.isSymbolicLink()) {
    const target = await readLink(absolute, { encoding: 'buffer' });
    return { type: 'symlink', path, target: decodeUtf8(target, () => `the target of the symlink ${absolute}`) };
  }
  if (!status.isFile()) {
    throw new UserError(`${absolute} is neither a file, a folder nor a symlink`, {
      hint: 'remove it from the tree; device nodes are declared under `devices:` of a layer',
    });
  }
  const digest = status.size < smallFile ? digestOf(await read(absolute)) : await digestOfFile(absolute);
  return { type: 'file', path, executable: (status.mode & 0o100n) !== 0n, size: Number(status.size), digest };
}

/**
 * Reads a folder once: types, executable bits, link targets, sizes and digests. Folders without a file or link below
 * them are left out, as git does, and so is everything that is called `.git`. Throws a {@link UserError} where
 * something is neither file, folder nor symlink, may not be read, vanishes meanwhile, or has a name or link target that
 * is not UTF-8; where git cannot tell what it ignores, or ignores the folder itself; and where there is no such folder.
 */
export async function scanTree(root: AbsolutePath, options: ScanOptions): Promise<ScannedTree> {
  await requireFolder(root);
  const { folders: walked, files } = await walk(root, {
    askGit: options.gitIgnored === 'exclude',
    exclude: await excludedPaths(root, options.exclude ?? []),
  });
  const folders = foldersOf(files);
  const paths = sortPaths([...folders, ...files]);
  // every state is older than what was read of the file or folder, so that no write in between stays unnoticed
  const lines = new Map<string, string>();
  const entries = await mapInParallel(paths, async (path): Promise<TreeEntry> => {
    if (folders.has(path)) {
      return { type: 'directory', path };
    }
    const absolute = join(root, path);
    try {
      const state = await readState(root, path);
      lines.set(path, state.line);
      return await readEntry(absolute, path, state);
    } catch (error) {
      throw explainReading(error, absolute);
    }
  });
  const token = await tokenOf(['', ...paths].map((path) => walked.get(path)?.line ?? lines.get(path) ?? ''));
  return { root, manifest: { entries, digest: digestOfJson(entries.map((entry) => ({ ...entry }))) }, token };
}
