import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { Refused } from './refused.js';
import { Writer } from './writer.js';

/** A body that ended before it was whole: its sender is gone. */
export class BrokenOff extends Error {
  constructor(options?: ErrorOptions) {
    super('the body broke off', options);
    this.name = 'BrokenOff';
  }
}

/** How patient to be with whoever sends or reads. */
export interface Patience {
  /** In milliseconds: within this time, some of the body has to move. */
  readonly stall: number;
}

/** What has to move within the patience's time, in bytes: who sends a byte now and then is not served for ever. */
const leastProgress = 16_384;

/**
 * The chunks of a request's body. Throws {@link BrokenOff} where the sender goes away, and {@link Refused} (408) where
 * it sends nearly nothing. Leaves the connection open, for the answer.
 */
export async function* chunksOf(body: Readable, { stall }: Patience): AsyncGenerator<Buffer> {
  const chunks = body.iterator({ destroyOnReturn: false }) as AsyncGenerator<Buffer>;
  let received = 0;
  let waited = 0;
  let waitingSince: number | undefined;
  let giveUp: () => void = () => undefined;
  const timer = setInterval(() => {
    const now = performance.now();
    waited += waitingSince === undefined ? 0 : now - waitingSince;
    waitingSince = waitingSince === undefined ? undefined : now;
    // only what the sender owes counts, not the time that our disk takes
    if (waited > stall * 0.8 && received < leastProgress) {
      giveUp();
    }
    [received, waited] = [0, 0];
  }, stall);
  let stalled = false;
  try {
    for (;;) {
      waitingSince = performance.now();
      const next = chunks.next();
      const got = await Promise.race([
        next,
        new Promise<undefined>((resolve) => {
          giveUp = () => {
            resolve(undefined);
          };
        }),
      ]);
      waited += performance.now() - waitingSince;
      waitingSince = undefined;
      if (got === undefined) {
        stalled = true;
        next.catch(() => undefined);
        throw new Refused(408, 'the body came too slowly', { drain: 'none' });
      }
      if (got.done === true) {
        return;
      }
      received += got.value.length;
      yield got.value;
    }
  } catch (cause) {
    throw cause instanceof Refused ? cause : new BrokenOff({ cause });
  } finally {
    clearInterval(timer);
    if (!stalled) {
      await chunks.return(undefined).catch(() => undefined);
    }
  }
}

/** Reads what is left of a body, and keeps nothing. `false` where there was more than the limit. */
export async function drain(body: Readable, limit: number, patience: Patience): Promise<boolean> {
  let left = limit;
  if (body.readableEnded || body.destroyed) {
    return true;
  }
  for await (const chunk of chunksOf(body, patience)) {
    left -= chunk.length;
    if (left < 0) {
      return false;
    }
  }
  return true;
}

/** Hashes the bytes that a file has. */
export async function hashFile(file: string, hash: Hash): Promise<void> {
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 18 }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
  }
}

/**
 * Appends a body to a file, hashing on the way, and has it on the disk in the end.
 *
 * @param onBytes told of every chunk that came, in bytes
 */
export async function receive(
  body: Readable,
  file: string,
  hash: Hash,
  patience: Patience,
  onBytes: (count: number) => void,
): Promise<void> {
  const handle = await open(file, 'a', 0o600);
  const writer = new Writer(handle);
  try {
    for await (const chunk of chunksOf(body, patience)) {
      const room = writer.write(chunk);
      hash.update(chunk);
      onBytes(chunk.length);
      await room;
    }
    await writer.end();
  } finally {
    await writer.settled();
    await handle.close();
  }
}
