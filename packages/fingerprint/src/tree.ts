import { readlinkSync, stat } from 'node:fs';
import { promisify } from 'node:util';
import { UserError } from '@strata/definitions';
import fastGlob from 'fast-glob';
import { digestOf, hexOf } from './digest.js';
import { readRoot, tokenOf } from './file-state.js';
import { gitIgnoredPaths } from './git-ignored.js';
import { FileHasher } from './hash-file.js';
import { manifestOf, type ReadTree } from './manifest.js';
import { below, bytePath, decodeUtf8 } from './paths.js';
import { KnownFiles } from './known-files.js';
import { explainReading } from './reading.js';
import { certainFromNow, digestBytes, TreeIndex } from './tree-index.js';
import { Turns } from './turns.js';
import type { AbsolutePath, ScannedTree } from './types.js';
import { walk, type WalkedTree } from './walk.js';

/** What of a folder belongs to its tree. */
export interface ScanOptions {
  /** Whether files that git ignores are part of the tree: yes for another task's output, no for a folder of sources. */
  readonly gitIgnored: 'include' | 'exclude';
  /** Globs, relative to the root, of what is left out. */
  readonly exclude?: readonly string[];
  /**
   * A folder for what is remembered between runs, one file for each large tree; made where it is missing. Without it
   * every file is read.
   */
  readonly indexFolder?: AbsolutePath | undefined;
}

/** In a tree with fewer paths, reading files takes no longer than remembering them. */
const fewestRemembered = 100;

async function requireFolder(root: AbsolutePath): Promise<void> {
  let cause: unknown;
  try {
    if ((await promisify(stat)(root)).isDirectory()) {
      return;
    }
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'ELOOP') {
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

function readTarget(link: string): string {
  const target = readlinkSync(link, { encoding: 'buffer' });
  return decodeUtf8(target, () => `the target of the symlink ${link}`);
}

/** Reads the targets of all links of a tree. */
function readTargets(root: string, { paths, states }: Pick<WalkedTree, 'paths' | 'states'>): Map<number, string> {
  const targets = new Map<number, string>();
  for (const [row, path] of paths.entries()) {
    if (states.type(row) === 'symlink') {
      try {
        targets.set(row, readTarget(below(root, path)));
      } catch (error) {
        throw explainReading(error, below(root, path));
      }
    }
  }
  return targets;
}

/** Reads what the rows of a tree stand for: the content of files that are not known, and the targets of links. */
async function readRows(
  root: string,
  { paths, states }: Pick<WalkedTree, 'paths' | 'states'>,
  known: KnownFiles,
): Promise<ReadTree> {
  const turns = new Turns();
  const hasher = new FileHasher(turns);
  const digests = new Uint8Array(paths.length * digestBytes);
  const targets = new Map<number, string>();
  for (const [row, path] of paths.entries()) {
    const type = states.type(row);
    if (type === 'folder' || (type === 'file' && known.copyDigest(path, states, row, digests))) {
      continue;
    }
    const absolute = below(root, path);
    try {
      if (type === 'symlink') {
        targets.set(row, readTarget(absolute));
      } else if (type === 'file') {
        digests.set(await hasher.hash(absolute, states, row), row * digestBytes);
      } else {
        throw new UserError(`${absolute} is neither a file, a folder nor a symlink`, {
          hint: 'remove it from the tree; device nodes are declared under `devices:` of a layer',
        });
      }
    } catch (error) {
      throw explainReading(error, absolute);
    }
    if (turns.due) {
      await turns.give();
    }
  }
  return { paths, states, digests, targets };
}

/**
 * Reads a folder once: types, executable bits, link targets, sizes and digests. Folders without a file or link below
 * them are left out, as git does, and so is everything that is called `.git`. Throws a {@link UserError} where
 * something is neither file, folder nor symlink, may not be read, vanishes meanwhile, or has a name or link target that
 * is not UTF-8; where git cannot tell what it ignores, or ignores the folder itself; and where there is no such folder.
 */
export async function scanTree(root: AbsolutePath, options: ScanOptions): Promise<ScannedTree> {
  const certainBefore = certainFromNow();
  await requireFolder(root);
  const { gitIgnored, exclude = [], indexFolder } = options;
  // every state is older than what was read of the file or folder, so that no write in between stays unnoticed
  const rootState = readRoot(root);
  const askGit = gitIgnored === 'exclude';
  const remembering =
    indexFolder === undefined ? undefined : new TreeIndex(indexFolder, { root, gitIgnored, exclude: [...exclude] });
  const index = remembering?.trusts(root, rootState.device(1)) === true ? remembering : undefined;
  // git takes half a second in a large tree, and can have a core of its own meanwhile
  const leftOut = Promise.all([askGit ? gitIgnoredPaths(root) : [], excludedPaths(root, exclude)]);
  leftOut.catch(() => undefined);
  const known = new KnownFiles(root, index, await index?.read());
  const [ignored, excluded] = await known.lookAhead(leftOut);
  const skip = [...ignored, ...excluded.map(bytePath)].sort();
  const skipDigest = hexOf(digestOf(skip.join('\0')));
  const unchanged = await known.unchanged(rootState, skipDigest);
  if (unchanged !== undefined) {
    const targets = readTargets(root, unchanged);
    return { root, manifest: manifestOf({ ...unchanged, targets }, unchanged.digest), token: unchanged.token };
  }
  const walked = await walk(root, { askGit, skip, earlier: (path, table) => known.copyState(path, table) });
  const tree = await readRows(root, walked, known);
  const token = await tokenOf(rootState, tree.paths, tree.states);
  const manifest = manifestOf(tree);
  if (index !== undefined && tree.paths.length >= fewestRemembered) {
    const { empty, hasRepositories } = walked;
    await index.write({
      paths: [...tree.paths, ...empty.paths],
      states: tree.states.with(empty.states),
      digests: Buffer.concat([tree.digests, new Uint8Array(empty.paths.length * digestBytes)]),
      treeRows: tree.paths.length,
      leftOut: hasRepositories ? '0'.repeat(64) : skipDigest,
      token,
      manifest: hexOf(manifest.digest),
      certainBefore,
    });
  }
  return { root, manifest, token };
}
