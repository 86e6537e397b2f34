import { posix } from 'node:path';
import type { FileNode, Listing } from './listing.js';

/** As many links as Linux follows in one path (path_resolution(7)). */
const linkLimit = 40;

/** Whether something above a path is among some. */
function liesBelow(path: string, some: ReadonlySet<string>): boolean {
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
    if (some.has(path.slice(0, end))) {
      return true;
    }
  }
  return false;
}

/** A file system as its listings say it: merged layers, or one squashfs. Paths have no leading slash. */
export class FileSystem {
  readonly #nodes = new Map<string, FileNode>();
  /** Which names are one file: the number of its layer, and its first name there. */
  readonly #identities = new Map<string, string>();
  readonly #realFolders = new Map<string, string>();

  /** Merges layers from the bottom to the top, as the kernel and container engines do. */
  constructor(listings: readonly Listing[]) {
    listings.forEach((listing, number) => {
      this.#hide(listing);
      for (const entry of listing.entries) {
        if (entry.type === 'whiteout' || entry.type === 'opaque') {
          continue;
        }
        this.#nodes.set(entry.path, entry);
        const first = entry.type === 'file' ? (entry.sameAs ?? entry.path) : entry.path;
        this.#identities.set(entry.path, `${number}:${first}`);
      }
    });
  }

  get nodes(): ReadonlyMap<string, FileNode> {
    return this.#nodes;
  }

  /** Bytes that files take; one that has several names counts once. */
  sizeOf(paths: Iterable<string>): number {
    const counted = new Set<string>();
    let size = 0;
    for (const path of paths) {
      const node = this.#nodes.get(path);
      const identity = this.#identities.get(path) ?? path;
      if (node?.type === 'file' && !counted.has(identity)) {
        counted.add(identity);
        size += node.size;
      }
    }
    return size;
  }

  /** Where something really lies that a package names by way of a symlink (`/lib/x` for `usr/lib/x`). */
  real(path: string): string {
    const { dir, base } = posix.parse(path.replace(/^\/+/, ''));
    return posix.join(this.#realFolder(dir, 0), base);
  }

  #realFolder(folder: string, links: number): string {
    if (folder === '' || folder === '/') {
      return '';
    }
    const known = this.#realFolders.get(folder);
    if (known !== undefined) {
      return known;
    }
    const { dir, base } = posix.parse(folder);
    const path = posix.join(this.#realFolder(dir, links), base);
    const node = this.#nodes.get(path);
    const real =
      node?.type === 'symlink' && links < linkLimit
        ? this.#realFolder(posix.resolve('/', posix.dirname(path), node.target).slice(1), links + 1)
        : path;
    this.#realFolders.set(folder, real);
    return real;
  }

  /** Takes out what a layer hides of those below it. */
  #hide({ entries }: Listing): void {
    const hidden = new Set<string>();
    const emptied = new Set<string>();
    for (const { type, path } of entries) {
      if (type === 'whiteout') {
        hidden.add(path);
      }
      if (type !== 'folder') {
        emptied.add(path);
      }
    }
    if (this.#nodes.size === 0 || emptied.size === 0) {
      return;
    }
    for (const path of [...this.#nodes.keys()]) {
      if (hidden.has(path) || liesBelow(path, emptied)) {
        this.#nodes.delete(path);
        this.#identities.delete(path);
      }
    }
  }
}
