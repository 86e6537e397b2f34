import type { EntryKind } from './names.js';

/** Names an artifact that an entry cannot do without. */
export interface Need {
  readonly hex: string;
  /** In bytes. */
  readonly size: number;
}

/** What a file takes on a disk, at least and in steps of it, in bytes: many small ones count too. */
const block = 4096;

/** The room that something takes, in bytes. An entry has a small file besides its body. */
export function roomOf({ type, size }: Artifact | Entry | Partial): number {
  return Math.max(1, Math.ceil(size / block)) * block + (type === 'entry' ? block : 0);
}

/** Something that takes room and may be evicted. */
export interface Kept {
  /** In bytes. */
  readonly size: number;
  /** When it was last used: milliseconds since 1970, and never the same for two. */
  used: number;
}

/** Content under its own digest: one file, with a name (a hard link) in every scope that has it. */
export interface Artifact extends Kept {
  readonly type: 'artifact';
  readonly hex: string;
  readonly scopes: Set<string>;
}

/** A result of Nx's, or of an action: a body, and the artifacts that it names. */
export interface Entry extends Kept {
  readonly type: 'entry';
  readonly kind: EntryKind;
  readonly scope: string;
  readonly name: string;
  readonly body: { readonly file: string; readonly hex: string; readonly size: number };
  readonly needs: readonly Need[];
}

/** The beginning of an artifact whose upload broke off. */
export interface Partial extends Kept {
  readonly type: 'partial';
  readonly hex: string;
  readonly scope: string;
}

/** What is in the cache's folder, in memory. Every change of it goes with the change of the folder, in one go. */
export class Inventory {
  readonly artifacts = new Map<string, Artifact>();
  readonly #entries = new Map<string, Entry>();
  readonly #partials = new Map<string, Partial>();
  readonly #neededBy = new Map<string, Set<Entry>>();
  #bytes = 0;
  #clock = 0;

  /** The room that everything takes, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  get entries(): Iterable<Entry> {
    return this.#entries.values();
  }

  get partials(): Iterable<Partial> {
    return this.#partials.values();
  }

  get counts(): { readonly artifacts: number; readonly entries: number; readonly partials: number } {
    return { artifacts: this.artifacts.size, entries: this.#entries.size, partials: this.#partials.size };
  }

  /** A time later than every one that it gave. */
  now(): number {
    this.#clock = Math.max(Date.now(), this.#clock + 0.001);
    return this.#clock;
  }

  /** An artifact, where one of these scopes has it: the same steps for one that nobody has and one that others have. */
  artifact(hex: string, scopes: readonly string[]): Artifact | undefined {
    const found = this.artifacts.get(hex);
    return scopes.some((scope) => found?.scopes.has(scope) === true) ? found : undefined;
  }

  addArtifact(artifact: Artifact): void {
    this.artifacts.set(artifact.hex, artifact);
    this.#bytes += roomOf(artifact);
  }

  /** Gives `false` where it is gone already, and maybe another one there. */
  removeArtifact(artifact: Artifact): boolean {
    if (this.artifacts.get(artifact.hex) !== artifact) {
      return false;
    }
    this.artifacts.delete(artifact.hex);
    this.#bytes -= roomOf(artifact);
    return true;
  }

  entry(kind: EntryKind, scope: string, name: string): Entry | undefined {
    return this.#entries.get(`${kind}/${scope}/${name}`);
  }

  addEntry(entry: Entry): void {
    this.#entries.set(`${entry.kind}/${entry.scope}/${entry.name}`, entry);
    this.#bytes += roomOf(entry);
    for (const { hex } of entry.needs) {
      const needing = this.#neededBy.get(hex) ?? new Set();
      this.#neededBy.set(hex, needing.add(entry));
    }
  }

  /** Likewise. */
  removeEntry(entry: Entry): boolean {
    if (this.entry(entry.kind, entry.scope, entry.name) !== entry) {
      return false;
    }
    this.#entries.delete(`${entry.kind}/${entry.scope}/${entry.name}`);
    this.#bytes -= roomOf(entry);
    for (const { hex } of entry.needs) {
      const needing = this.#neededBy.get(hex);
      needing?.delete(entry);
      if (needing?.size === 0) {
        this.#neededBy.delete(hex);
      }
    }
    return true;
  }

  /** The entries that name an artifact. */
  needing(hex: string): ReadonlySet<Entry> {
    return this.#neededBy.get(hex) ?? none;
  }

  partial(scope: string, hex: string): Partial | undefined {
    return this.#partials.get(`${scope}/${hex}`);
  }

  addPartial(partial: Partial): void {
    this.#partials.set(`${partial.scope}/${partial.hex}`, partial);
    this.#bytes += roomOf(partial);
  }

  /** Likewise. */
  removePartial(partial: Partial): boolean {
    if (this.partial(partial.scope, partial.hex) !== partial) {
      return false;
    }
    this.#partials.delete(`${partial.scope}/${partial.hex}`);
    this.#bytes -= roomOf(partial);
    return true;
  }
}

const none: ReadonlySet<Entry> = new Set();
