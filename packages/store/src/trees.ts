import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { absolutePath, hexOf, type AbsolutePath, type Digest } from '@strata/fingerprint';
import { renameDurably, renameFolderDurably } from './durable.js';
import { digestSchema } from './schemas.js';
import type { Remover } from './types.js';

/**
 * One unpacked tree of a store: a folder under a short name, and beside it a label with its full name, which comes
 * last and goes first, so that a folder with a label is whole.
 */
export class Tree {
  readonly short: string;
  readonly folder: AbsolutePath;
  /** The label, whose time of access says when the tree was asked for last. */
  readonly label: AbsolutePath;

  constructor(
    trees: AbsolutePath,
    private readonly name: Digest,
    private readonly remove: Remover,
  ) {
    this.short = hexOf(name).slice(0, 16);
    this.folder = absolutePath(join(trees, this.short));
    this.label = absolutePath(`${this.folder}.json`);
  }

  /** Whether the tree is there and whole. Throws where another one has its short name. */
  async isWhole(): Promise<boolean> {
    const holder = await this.#holder();
    const folder = await stat(this.folder).catch(() => undefined);
    if (holder === undefined || folder?.isDirectory() !== true) {
      return false;
    }
    if (holder !== this.name) {
      throw new Error(`${this.name} and ${holder} share their first 16 hex digits`);
    }
    return true;
  }

  /** Whom the label names; undefined where there is none that can be one of this folder. */
  async #holder(): Promise<Digest | undefined> {
    try {
      const { data } = digestSchema.safeParse(JSON.parse(await readFile(this.label, 'utf8')));
      return data !== undefined && hexOf(data).startsWith(this.short) ? data : undefined;
    } catch {
      return undefined;
    }
  }

  /** Makes it in a scratch folder and puts it into place. To be called under a lock, where it is not whole. */
  async make(scratch: AbsolutePath, make: (folder: AbsolutePath) => Promise<void>): Promise<void> {
    await this.#clearAway();
    const aside = absolutePath(join(scratch, 'tree'));
    const label = join(scratch, 'label.json');
    await mkdir(aside, { mode: 0o755 });
    await make(aside);
    await writeFile(label, JSON.stringify(this.name));
    try {
      await renameFolderDurably(aside, this.folder);
      await renameDurably(label, this.label);
    } catch (error) {
      await this.#clearAway();
      throw error;
    }
  }

  async #clearAway(): Promise<void> {
    await rm(this.label, { recursive: true, force: true });
    await this.remove(this.folder);
  }
}
