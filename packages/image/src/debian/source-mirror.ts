import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import type { Store } from '@strata/store';
import { execa } from 'execa';
import { privateApt, type Apt } from './apt.js';

interface SourceFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  readonly mirror: string;
}

interface Index {
  readonly apt: Apt;
  readonly files: readonly SourceFile[];
}

/**
 * Debian's source packages as a mirror of what upstream released: the `.orig` tarball of a package is often upstream's
 * own file under another name. Found by its size in apt's index of sources, and used only where its bytes are those
 * that the caller asks for.
 */
export class DebianSourceMirror {
  readonly name = "Debian's source packages";
  #indexes: Promise<Index[]> | undefined;

  constructor(
    private readonly store: Store,
    private readonly suites: readonly string[] = ['bookworm', 'trixie'],
  ) {}

  /** Fetches every upstream tarball of that size into a folder. */
  async candidates(
    wanted: { readonly size: number },
    folder: AbsolutePath,
    signal?: AbortSignal,
  ): Promise<AbsolutePath[]> {
    this.#indexes ??= this.#readIndexes();
    const found: AbsolutePath[] = [];
    const seen = new Set<string>();
    for (const { apt, files } of await this.#indexes) {
      for (const file of files) {
        if (file.size !== wanted.size || seen.has(file.sha256)) {
          continue;
        }
        seen.add(file.sha256);
        const target = absolutePath(join(folder, basename(file.path)));
        const argv = ['download-file', `${file.mirror}/${file.path}`, target, `SHA256:${file.sha256}`];
        await execa('/usr/lib/apt/apt-helper', argv, {
          env: apt.environment,
          reject: false,
          ...(signal === undefined ? {} : { cancelSignal: signal }),
        });
        if (existsSync(target)) {
          found.push(target);
        }
      }
    }
    return found;
  }

  async #readIndexes(): Promise<Index[]> {
    const scratch = await this.store.scratch();
    const indexes: Index[] = [];
    for (const suite of this.suites) {
      const folder = absolutePath(join(scratch.path, suite));
      const apt = await privateApt(folder, { suite }, { sources: true });
      await apt.run(['apt-get', 'update', '--quiet=2']);
      const lists = join(folder, 'state/lists');
      const files: SourceFile[] = [];
      for (const name of (await readdir(lists)).filter((entry) => /_Sources(\.|$)/.test(entry))) {
        const text = await apt.run(['/usr/lib/apt/apt-helper', 'cat-file', join(lists, name)]);
        files.push(...parseSources(text, apt.mirror));
      }
      indexes.push({ apt, files });
    }
    return indexes;
  }
}

/** The upstream tarballs that an index of sources names (deb-src-control(5), Checksums-Sha256). */
function parseSources(text: string, mirror: string): SourceFile[] {
  const files: SourceFile[] = [];
  for (const paragraph of text.split('\n\n')) {
    const directory = /^Directory: (.+)$/m.exec(paragraph)?.[1];
    if (directory === undefined) {
      continue;
    }
    for (const match of paragraph.matchAll(/^ ([0-9a-f]{64}) (\d+) (\S+\.orig(?:-[\w-]+)?\.tar\.\w+)$/gm)) {
      const [, sha256 = '', size = '', name = ''] = match;
      // repacked tarballs are not upstream's bytes
      if (!/dfsg|\+ds/.test(name)) {
        files.push({ path: `${directory}/${name}`, size: Number(size), sha256, mirror });
      }
    }
  }
  return files;
}
