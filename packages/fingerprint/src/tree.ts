import type { AbsolutePath, TreeChange, TreeManifest } from './types.js';

/** What of a folder belongs to its tree. */
export interface ScanOptions {
  /** Whether files that git ignores are part of the tree: yes for another task's output, no for a folder of sources. */
  readonly gitIgnored: 'include' | 'exclude';
  /** Globs, relative to the root, of what is left out. */
  readonly exclude?: readonly string[];
}

/**
 * Reads a folder once: types, executable bits, link targets, sizes and digests. Folders without a file or link below
 * them are left out, as git does. Throws where something is neither file, folder nor symlink.
 */
export function scanTree(_root: AbsolutePath, _options: ScanOptions): Promise<TreeManifest> {
  throw new Error('not implemented');
}

/**
 * A token (xxh64 over path, inode, ctime and size of every entry) that differs when anything in the tree was written to
 * since, even if the content was put back. Detects change on this machine only; never part of a key.
 */
export function changeToken(_root: AbsolutePath, _manifest: TreeManifest): Promise<string> {
  throw new Error('not implemented');
}

/** What changed from one manifest to another, sorted by path. */
export function compareTrees(_before: TreeManifest, _after: TreeManifest): TreeChange[] {
  throw new Error('not implemented');
}
