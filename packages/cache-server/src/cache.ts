import { utimes } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { Scope } from './access.js';
import { CacheFolder } from './folder.js';
import { Inventory, type Artifact, type Entry, type Kept } from './inventory.js';
import { load } from './load.js';
import type { EntryKind } from './names.js';
import type { Patience } from './receive.js';
import { Room, type OnEvicted } from './room.js';
import { send, type Span } from './send.js';

/** How a cache is opened. */
export interface CacheOptions {
  readonly folder: CacheFolder;
  /** The most that it keeps, in bytes. */
  readonly size: number;
  readonly isTrusted: (scope: string) => boolean;
  readonly patience: Patience;
  readonly onEvicted: OnEvicted;
  /** Told of content that is not what it was when it came: the disk is to blame. */
  readonly onDamaged: (hex: string) => void;
}

/** How often it is written down that something is in use, in milliseconds. */
const noteEvery = 60_000;

/** What is kept, and reading it. How things come in is in `artifact-upload.ts` and `entry-upload.ts`. */
export class Cache {
  readonly inventory = new Inventory();
  readonly room: Room;

  private constructor(readonly options: CacheOptions) {
    const { folder, size, isTrusted, onEvicted } = options;
    this.room = new Room(folder, this.inventory, size, isTrusted, onEvicted);
  }

  /** Reads what the folder has, and evicts what is too much. */
  static open(options: CacheOptions): Cache {
    const cache = new Cache(options);
    load(options.folder, cache.inventory);
    cache.room.evict('');
    return cache;
  }

  get folder(): CacheFolder {
    return this.options.folder;
  }

  /** An artifact that a scope may see. */
  artifact(hex: string, { reads }: Scope): Artifact | undefined {
    return this.inventory.artifact(hex, reads);
  }

  /** An entry that a scope may see, and with every artifact that it names: that, or none. */
  entry(kind: EntryKind, name: string, scope: Scope): Entry | undefined {
    for (const holder of scope.reads) {
      const entry = this.inventory.entry(kind, holder, name);
      if (entry !== undefined && this.isWhole(entry, scope)) {
        return entry;
      }
    }
    return undefined;
  }

  /** Whether the artifacts that an entry names are all here, and of the sizes that it says. */
  isWhole({ needs }: Pick<Entry, 'needs'>, scope: Scope): boolean {
    return needs.every(({ hex, size }) => this.artifact(hex, scope)?.size === size);
  }

  /** Notes that somebody relies on an artifact: who hears that it is here will not send it, but an entry that needs it. */
  useArtifact(artifact: Artifact): void {
    this.#use(artifact, this.#fileOf(artifact));
  }

  /** Under any of its names. */
  #fileOf({ hex, size, scopes }: Artifact): string {
    const [scope = ''] = scopes;
    return this.folder.artifact(scope, hex, size);
  }

  async sendArtifact(artifact: Artifact, span?: Span): Promise<Readable | undefined> {
    const { hex, size } = artifact;
    const file = this.#fileOf(artifact);
    this.#use(artifact, file);
    const onWrong = (): void => {
      // evicted while it was to be opened: nothing is wrong
      if (this.inventory.artifacts.get(hex) === artifact) {
        this.options.onDamaged(hex);
        this.room.dropArtifact(artifact);
      }
    };
    return send({ file, hex, size, span, patience: this.options.patience, onWrong });
  }

  async sendEntry(entry: Entry, scope: Scope): Promise<Readable | undefined> {
    const { kind, body } = entry;
    this.#use(entry, this.folder.entry(kind, entry.scope, entry.name));
    for (const { hex } of entry.needs) {
      const artifact = this.artifact(hex, scope);
      if (artifact !== undefined) {
        this.useArtifact(artifact);
      }
    }
    const onWrong = (): void => {
      if (this.inventory.entry(kind, entry.scope, entry.name) === entry) {
        this.options.onDamaged(body.hex);
        this.room.dropEntry(entry);
      }
    };
    const file = this.folder.body(entry.scope, body.file);
    return send({ file, hex: body.hex, size: body.size, patience: this.options.patience, onWrong });
  }

  #use(kept: Kept, file: string): void {
    const now = this.inventory.now();
    const noted = kept.used;
    kept.used = now;
    if (now - noted > noteEvery) {
      // evicted meanwhile: nothing to note
      utimes(file, now / 1000, now / 1000).catch(() => undefined);
    }
  }
}
