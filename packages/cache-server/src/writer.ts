import type { FileHandle } from 'node:fs/promises';

/** Bytes that wait in memory at most, for each body that is being received. */
const waitingAtMost = 1 << 18;

/** Bytes after which the disk begins to take what was written: in the end, all of it would have to go there at once. */
const syncEvery = 1 << 25;

/** Files that are brought to the disk at once while more of them comes: each takes one of Node's four threads. */
const syncsAtOnce = 2;
let syncs = 0;

/**
 * Writes chunks to the end of a file while the next ones come, and are hashed: several with one call, since each call
 * costs as much as 64 KiB do.
 */
export class Writer {
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;
  /** The call that is under way. */
  #call: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  #unsynced = 0;
  #error: Error | undefined;

  constructor(private readonly handle: FileHandle) {}

  /** Takes a chunk. Settles once there is room for another one, and throws where an earlier one could not be written. */
  async write(chunk: Buffer): Promise<void> {
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    this.#writing ??= this.#writeAll();
    while (this.#waitingBytes > waitingAtMost && this.#error === undefined) {
      // what went wrong with it is noted
      await this.#call?.catch(() => undefined);
    }
    this.#throwIfFailed();
  }

  /** Has everything on the disk. */
  async end(): Promise<void> {
    await this.settled();
    this.#throwIfFailed();
    await this.handle.sync();
  }

  /** Waits until nothing is under way, however that goes: the file may be closed then. */
  async settled(): Promise<void> {
    await this.#writing;
    await this.#syncing;
  }

  #throwIfFailed(): void {
    if (this.#error !== undefined) {
      throw this.#error;
    }
  }

  /** Never throws: who writes or ends is told. */
  async #writeAll(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const chunks = this.#waiting;
        const bytes = this.#waitingBytes;
        this.#waiting = [];
        this.#call = this.#writeChunks(chunks, bytes);
        await this.#call;
        this.#waitingBytes -= bytes;
        this.#unsynced += bytes;
        this.#beginSync();
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#writing = undefined;
    }
  }

  async #writeChunks(chunks: Buffer[], bytes: number): Promise<void> {
    const { bytesWritten } = await this.handle.writev(chunks);
    if (bytesWritten < bytes) {
      // a disk that is nearly full takes a part, and says with the next byte what is wrong
      const rest = Buffer.concat(chunks).subarray(bytesWritten);
      for (let done = 0; done < rest.length;) {
        done += (await this.handle.write(rest, done)).bytesWritten;
      }
    }
  }

  #beginSync(): void {
    if (this.#unsynced < syncEvery || this.#syncing !== undefined || syncs >= syncsAtOnce) {
      return;
    }
    this.#unsynced = 0;
    syncs++;
    this.#syncing = this.handle
      .datasync()
      // a disk says only once what it lost
      .catch((error: unknown) => {
        this.#fail(error);
      })
      .finally(() => {
        syncs--;
        this.#syncing = undefined;
      });
  }

  #fail(error: unknown): void {
    this.#error ??= error instanceof Error ? error : new Error(String(error));
  }
}
