import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { Patience } from './receive.js';

/** Part of a file: from `start` to before `end`, in bytes. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const chunkSize = 1 << 17;

async function* chunksOf(handle: FileHandle, { start, end }: Span): AsyncGenerator<Buffer> {
  for (let at = start; at < end;) {
    const buffer = Buffer.allocUnsafe(Math.min(chunkSize, end - at));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) {
      throw new Error('the file is shorter than it was');
    }
    at += bytesRead;
    yield bytesRead === buffer.length ? buffer : buffer.subarray(0, bytesRead);
  }
}

/** Holds the last chunk back until the digest of all of them is the expected one. */
async function* verified(chunks: AsyncIterable<Buffer>, hex: string, onWrong: () => void): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let held: Buffer | undefined;
  for await (const chunk of chunks) {
    if (held !== undefined) {
      yield held;
    }
    hash.update(chunk);
    held = chunk;
  }
  if (hash.digest('hex') !== hex) {
    onWrong();
    throw new Error(`the content of ${hex} is not what it was`);
  }
  if (held !== undefined) {
    yield held;
  }
}

async function* guarded(
  chunks: AsyncIterable<Buffer>,
  { stall }: Patience,
  giveUp: () => void,
): AsyncGenerator<Buffer> {
  let taken = 0;
  const timer = setInterval(() => {
    if (taken === 0) {
      giveUp();
    }
    taken = 0;
  }, stall);
  try {
    for await (const chunk of chunks) {
      taken++;
      yield chunk;
    }
  } finally {
    clearInterval(timer);
  }
}

/** What to send, and how it is checked. */
export interface Sending {
  readonly file: string;
  readonly hex: string;
  /** In bytes. */
  readonly size: number;
  /** Everything, where there is none. */
  readonly span?: Span | undefined;
  readonly patience: Patience;
  /** Called where the bytes are not those of the digest any more. */
  readonly onWrong: () => void;
}

/**
 * A stream of a file's bytes; undefined where the file is not there, or not as long as it should be. All of a file is
 * verified while it streams: a reader never gets the last bytes of wrong content, but a connection that breaks off.
 */
export async function send({ file, hex, size, span, patience, onWrong }: Sending): Promise<Readable | undefined> {
  const handle = await open(file, 'r').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw error;
    }
    return undefined;
  });
  if (handle === undefined) {
    onWrong();
    return undefined;
  }
  if ((await handle.stat()).size !== size) {
    await handle.close();
    onWrong();
    return undefined;
  }
  const chunks = chunksOf(handle, span ?? { start: 0, end: size });
  const checked = span === undefined ? verified(chunks, hex, onWrong) : chunks;
  const stream: Readable = Readable.from(
    guarded(checked, patience, () => stream.destroy(new Error('the reader takes too long'))),
    { objectMode: false, highWaterMark: chunkSize },
  );
  // not in a generator's `finally`: a reader that goes away before the first chunk never begins it
  stream.once('close', () => {
    void handle.close();
  });
  return stream;
}
