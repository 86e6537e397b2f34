import { chooseVictims, expiredPartials, type Victim } from './eviction.js';
import type { CacheFolder } from './folder.js';
import { roomOf, type Artifact, type Entry, type Inventory, type Partial } from './inventory.js';
import { Refused } from './refused.js';

/** Of all the room, what scopes that are not trusted have together: they cannot push out what others read. */
const untrustedShare = 0.2;
/** Some more than has to go goes at once: choosing takes a look at everything. */
const spare = 0.05;

/** Told of what was evicted. */
export type OnEvicted = (victims: readonly Victim[]) => void;

/** Keeps the cache within its size. */
export class Room {
  /** What is being received, in bytes: all of it is counted from the start. */
  #incoming = 0;
  /** Of that, what scopes that are not trusted send. */
  #incomingUntrusted = 0;

  constructor(
    private readonly folder: CacheFolder,
    private readonly inventory: Inventory,
    /** In bytes. */
    readonly size: number,
    private readonly isTrusted: (scope: string) => boolean,
    private readonly onEvicted: OnEvicted,
  ) {}

  /** The largest body that a scope may send, in bytes. */
  largest(scope: string): number {
    return this.isTrusted(scope) ? this.size : Math.floor(this.size * untrustedShare);
  }

  /** Has room for a body while `work` receives it. Throws {@link Refused} where there cannot be enough. */
  async during<T>(scope: string, bytes: number, work: () => Promise<T>): Promise<T> {
    if (bytes > this.largest(scope)) {
      throw new Refused(413, 'the body is larger than what this server keeps');
    }
    const untrusted = this.isTrusted(scope) ? 0 : bytes;
    if (this.#incoming + bytes > this.size || this.#incomingUntrusted + untrusted > this.size * untrustedShare) {
      throw new Refused(507, 'too much is being received at once');
    }
    this.#incoming += bytes;
    this.#incomingUntrusted += untrusted;
    try {
      this.evict(scope);
      return await work();
    } finally {
      this.#incoming -= bytes;
      this.#incomingUntrusted -= untrusted;
    }
  }

  /** Evicts what is too much, for all and for the scopes that are not trusted. */
  evict(scope: string): void {
    this.#drop(expiredPartials(this.inventory));
    if (!this.isTrusted(scope)) {
      const limit = this.size * untrustedShare;
      const excess = this.#untrustedBytes() + this.#incomingUntrusted - limit;
      if (excess > 0) {
        const victims = chooseVictims(this.inventory, excess + limit * spare, (candidate) =>
          this.#isUntrusted(candidate),
        );
        this.#drop(victims);
      }
    }
    const excess = this.inventory.bytes + this.#incoming - this.size;
    if (excess > 0) {
      this.#drop(chooseVictims(this.inventory, excess + this.size * spare));
    }
  }

  /** The disk is full, though the cache is within its size: makes some room. */
  relieve(bytes: number): void {
    this.#drop(chooseVictims(this.inventory, Math.max(bytes, this.inventory.bytes * spare)));
  }

  #isUntrusted(candidate: Victim): boolean {
    return candidate.type === 'artifact'
      ? [...candidate.scopes].every((scope) => !this.isTrusted(scope))
      : !this.isTrusted(candidate.scope);
  }

  #untrustedBytes(): number {
    let bytes = 0;
    for (const kept of [...this.inventory.artifacts.values(), ...this.inventory.entries, ...this.inventory.partials]) {
      bytes += this.#isUntrusted(kept) ? roomOf(kept) : 0;
    }
    return bytes;
  }

  #drop(victims: readonly Victim[]): void {
    for (const victim of victims) {
      switch (victim.type) {
        case 'artifact':
          this.dropArtifact(victim);
          break;
        case 'entry':
          this.dropEntry(victim);
          break;
        case 'partial':
          this.dropPartial(victim);
      }
    }
    if (victims.length > 0) {
      this.onEvicted(victims);
    }
  }

  dropArtifact(artifact: Artifact): void {
    if (this.inventory.removeArtifact(artifact)) {
      for (const scope of artifact.scopes) {
        this.folder.discard(this.folder.artifact(scope, artifact.hex, artifact.size));
      }
    }
  }

  /** The entry goes before its body: none is left that names what is gone. */
  dropEntry(entry: Entry): void {
    if (this.inventory.removeEntry(entry)) {
      this.folder.discard(this.folder.entry(entry.kind, entry.scope, entry.name));
      this.folder.discard(this.folder.body(entry.scope, entry.body.file));
    }
  }

  dropPartial(partial: Partial): void {
    if (this.inventory.removePartial(partial)) {
      this.folder.discard(this.folder.partial(partial.scope, partial.hex));
    }
  }
}
