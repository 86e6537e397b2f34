import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hexOf, type Digest, type ScannedTree, type TreeEntry, type TreeManifest } from '@strata/fingerprint';
import { writeAside } from './write-aside.js';

/** Files whose content is kept with a record, so that a later one can show what changed in them: in bytes, and in number. */
const keptFileSize = 16 * 1024;
const keptFiles = 2000;

/** In milliseconds: another process may just have written something younger, for a record that it has not written yet. */
const settled = 3600_000;

/** The trees that records name: their manifests, and the content of their small files. What cannot be read is not there. */
export class KeptTrees {
  /** Trees as they are now, by the digests of their manifests. */
  readonly #present = new Map<string, ScannedTree>();
  readonly #imported = new Map<string, TreeManifest>();

  /** @param folder where records are kept */
  constructor(private readonly folder: string) {}

  async prepare(): Promise<void> {
    for (const name of ['trees', 'files']) {
      await mkdir(join(this.folder, name), { recursive: true });
    }
  }

  /** Knows a tree that lies on the disk now. */
  addPresent(tree: ScannedTree): void {
    this.#present.set(tree.manifest.digest, tree);
  }

  /** Knows a tree of another machine. */
  addImported(digest: string, entries: unknown): void {
    this.#imported.set(digest, { digest: digest as Digest, entries: entries as TreeEntry[] });
  }

  /** The entries of a tree; undefined where they are not kept. */
  manifest(digest: string): TreeManifest | undefined {
    const known = this.#present.get(digest)?.manifest ?? this.#imported.get(digest);
    if (known !== undefined) {
      return known;
    }
    try {
      const text = readFileSync(join(this.folder, 'trees', digest.slice(7)), 'utf8');
      return { digest: digest as Digest, entries: JSON.parse(text) as TreeEntry[] };
    } catch {
      return undefined;
    }
  }

  /** The content of a small file of a tree; undefined where it is not kept. */
  content(digest: string): string | undefined {
    try {
      return readFileSync(this.#presentFile(digest) ?? join(this.folder, 'files', digest.slice(7)), 'utf8');
    } catch {
      return undefined;
    }
  }

  /** A small text file with a digest, in a tree that lies on the disk now. */
  #presentFile(digest: string): string | undefined {
    for (const { root, manifest } of this.#present.values()) {
      const found = manifest.entries.find(
        (entry) => entry.type === 'file' && entry.digest === digest && entry.size <= keptFileSize,
      );
      if (found !== undefined) {
        const path = join(root, found.path);
        return readFileSync(path).includes(0) ? undefined : path;
      }
    }
    return undefined;
  }

  /** Keeps a tree, with its small text files where there are not too many. */
  async keep({ root, manifest }: ScannedTree): Promise<void> {
    const { entries, digest } = manifest;
    if (existsSync(join(this.folder, 'trees', hexOf(digest)))) {
      return;
    }
    const files = entries.flatMap((entry) => (entry.type === 'file' && entry.size <= keptFileSize ? [entry] : []));
    for (const entry of files.length <= keptFiles ? files : []) {
      if (!existsSync(join(this.folder, 'files', hexOf(entry.digest)))) {
        const content = await readFile(join(root, entry.path)).catch(() => undefined);
        if (content?.includes(0) === false) {
          await writeAside(this.folder, 'files', hexOf(entry.digest), content);
        }
      }
    }
    await writeAside(this.folder, 'trees', hexOf(digest), JSON.stringify(entries));
  }

  /**
   * Deletes what is of no tree that is needed.
   *
   * @param needed digests of manifests
   */
  async prune(needed: ReadonlySet<string>, now: number): Promise<void> {
    const files = new Set<string>();
    for (const name of await readdir(join(this.folder, 'trees'))) {
      const digest = `sha256:${name}`;
      if (!needed.has(digest)) {
        await this.#removeSettled('trees', name, now);
        continue;
      }
      this.manifest(digest)?.entries.forEach((entry) => {
        if (entry.type === 'file') {
          files.add(hexOf(entry.digest));
        }
      });
    }
    for (const name of await readdir(join(this.folder, 'files'))) {
      if (!files.has(name)) {
        await this.#removeSettled('files', name, now);
      }
    }
  }

  async #removeSettled(folder: string, name: string, now: number): Promise<void> {
    const path = join(this.folder, folder, name);
    const written = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => now,
    );
    if (now - written > settled) {
      await rm(path, { force: true });
    }
  }
}
