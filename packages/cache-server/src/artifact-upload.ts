import { createHash } from 'node:crypto';
import { linkSync, lstatSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import type { Scope } from './access.js';
import type { Cache } from './cache.js';
import type { Artifact } from './inventory.js';
import { sync } from './folder.js';
import { BrokenOff, chunksOf, hashFile, receive } from './receive.js';
import { Refused } from './refused.js';

/** Which part of an artifact a request brings: bytes `start` to before `end`. */
export interface Part {
  readonly start: number;
  readonly end: number;
  /** Of the whole artifact, in bytes. */
  readonly total: number;
}

/** What came of it. */
export type Upload = { readonly state: 'whole' } | { readonly state: 'partial'; readonly offset: number };

/** The status of an answer to content that is not what it should be: of no use to go on with. */
const wrongContent = 400;

/** The header that says how much of an upload is here. */
export const offsetHeader = 'Upload-Offset';

/**
 * Takes an artifact, or a part of one. Who sends all of its bytes has it from then on, whether others had it before or
 * not: the same steps are gone for both, and nothing tells one from the other.
 */
export class ArtifactUpload {
  constructor(
    private readonly cache: Cache,
    private readonly scope: Scope,
    private readonly hex: string,
    private readonly onBytes: (count: number) => void,
  ) {}

  /** How much of it an upload that broke off left here, in bytes. */
  get offset(): number {
    return this.cache.inventory.partial(this.scope.name, this.hex)?.size ?? 0;
  }

  async take(body: Readable, part: Part): Promise<Upload> {
    const own = this.cache.artifact(this.hex, this.scope);
    // nothing is gained by writing it once more
    if (own !== undefined && part.start === 0 && part.end === part.total) {
      this.cache.useArtifact(own);
      return this.#compare(body);
    }
    const file = this.cache.folder.incoming({ scope: this.scope.name, hex: this.hex });
    if (part.start > 0) {
      this.#claimPartial(part.start, file);
    }
    try {
      // what came of it before takes room, too
      return await this.cache.room.during(this.scope.name, part.end, () => this.#take(body, part, file));
    } catch (error) {
      const isGood = error instanceof BrokenOff || (error instanceof Refused && error.status !== wrongContent);
      if (isGood) {
        this.#keepPartial(file);
      }
      throw error;
    } finally {
      this.cache.folder.discard(file);
    }
  }

  async #compare(body: Readable): Promise<Upload> {
    const hash = createHash('sha256');
    for await (const chunk of chunksOf(body, this.cache.options.patience)) {
      hash.update(chunk);
      this.onBytes(chunk.length);
    }
    this.#check(hash.digest('hex'));
    return { state: 'whole' };
  }

  #check(actual: string): void {
    if (actual !== this.hex) {
      throw new Refused(wrongContent, `the content has the digest ${actual}`);
    }
  }

  async #take(body: Readable, { start, end, total }: Part, file: string): Promise<Upload> {
    const { room, options } = this.cache;
    if (total > room.largest(this.scope.name)) {
      throw new Refused(413, 'the artifact is larger than what this server keeps');
    }
    const hash = createHash('sha256');
    if (start > 0) {
      await hashFile(file, hash);
    }
    await receive(body, file, hash, options.patience, this.onBytes);
    if (end < total) {
      return { state: 'partial', offset: this.#keepPartial(file) };
    }
    this.#check(hash.digest('hex'));
    await this.#publish(file, total);
    return { state: 'whole' };
  }

  /** Takes over the beginning: of two that go on with it at once, one does. */
  #claimPartial(start: number, file: string): void {
    const { inventory, folder } = this.cache;
    const partial = inventory.partial(this.scope.name, this.hex);
    if (partial?.size !== start) {
      throw new Refused(409, `the upload goes on at ${this.offset}`, {
        headers: { [offsetHeader]: String(this.offset) },
      });
    }
    inventory.removePartial(partial);
    renameSync(folder.partial(this.scope.name, this.hex), file);
  }

  /** Keeps what came, unless more is here. Gives how much is here. */
  #keepPartial(file: string): number {
    const { inventory, folder, room } = this.cache;
    const { name: scope } = this.scope;
    const size = lstatSync(file, { throwIfNoEntry: false })?.size ?? 0;
    const known = inventory.partial(scope, this.hex);
    if (size <= (known?.size ?? 0)) {
      folder.discard(file);
      return known?.size ?? 0;
    }
    if (known !== undefined) {
      room.dropPartial(known);
    }
    renameSync(file, folder.partial(scope, this.hex));
    inventory.addPartial({ type: 'partial', scope, hex: this.hex, size, used: inventory.now() });
    return size;
  }

  async #publish(file: string, size: number): Promise<void> {
    const { inventory, folder } = this.cache;
    const { name: scope } = this.scope;
    folder.furnish(scope);
    const place = folder.artifact(scope, this.hex, size);
    const known = inventory.artifacts.get(this.hex);
    if (known === undefined || !this.#share(known, place)) {
      renameSync(file, place);
      const used = inventory.now();
      inventory.addArtifact({ type: 'artifact', hex: this.hex, size, used, scopes: new Set([scope]) });
    }
    const partial = inventory.partial(scope, this.hex);
    if (partial !== undefined) {
      this.cache.room.dropPartial(partial);
    }
    await sync(dirname(place));
  }

  /** Gives one's scope a name for the file that others have. `false` where somebody deleted it. */
  #share(known: Artifact, place: string): boolean {
    const { inventory, folder, room } = this.cache;
    if (!known.scopes.has(this.scope.name)) {
      try {
        linkSync(folder.artifact([...known.scopes][0] ?? '', known.hex, known.size), place);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
          throw error;
        }
        room.dropArtifact(known);
        return false;
      }
      known.scopes.add(this.scope.name);
    }
    known.used = inventory.now();
    return true;
  }
}
