import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import pLimit from 'p-limit';
import { hexOf, type AbsolutePath, type Digest } from '@strata/fingerprint';
import { decodeActionResult, encodeActionResult } from '../action-result.js';
import type { ActionKey, ActionResult, Descriptor } from '../types.js';
import { HttpClient } from './http-client.js';
import { atPace, usualPatience, type Patience } from './pace.js';
import { RemoteFault, type Remote, type TransferOptions } from './remote.js';

/** A remote's address, and how it is spoken to. */
export interface HttpRemoteOptions {
  /** `http://host:port/path`; a user and a password in it are sent as basic authentication. */
  readonly url: string;
  /** Sent as a bearer token. */
  readonly token?: string | undefined;
  readonly readOnly?: boolean | undefined;
  readonly patience?: Patience;
}

/** Bytes that are read from the disk at once: a sixteenth of them, Node's own choice, takes half as much time again. */
const chunkSize = 1024 * 1024;

/** What a remote is called: its address, without what is secret in it. */
export function remoteName(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`.replace(/\/+$/, '');
}

/** What a remote says of an artifact. */
interface Known {
  readonly size?: number;
  readonly offset: number;
  readonly mayWrite: boolean;
}

/** Fewer than there are connections: an entry that waits for one would count as one that does not move. */
const entriesAtOnce = 4;

/** Bytes of an action's result that are read at most. */
const largestRecord = 16 * 1024 * 1024;

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.size ?? 0;
}

/**
 * Writes what comes into a file. However that ends, everything that came is in the file: a proxy that cuts connections
 * leaves a download further each time.
 *
 * @param onChunk sees each chunk before it is written; what it throws ends the transfer
 */
async function receive(body: Readable, out: WriteStream, onChunk: (chunk: Buffer) => void): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    out.once('close', resolve);
  });
  try {
    await new Promise<void>((resolve, reject) => {
      out.once('error', reject);
      out.on('drain', () => body.resume());
      body.once('error', reject);
      body.once('end', resolve);
      body.on('data', (chunk: Buffer) => {
        try {
          onChunk(chunk);
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
          body.destroy();
          return;
        }
        if (!out.write(chunk)) {
          body.pause();
        }
      });
    });
  } finally {
    body.destroy();
    out.end();
    await closed;
  }
}

/**
 * A cache behind plain HTTP: artifacts at `/cas/<sha256>`, actions at `/ac/<key>` as the Remote Execution API's
 * ActionResult. That is what strata-cache and caches for Bazel offer; of what strata-cache has beyond them, uploads that
 * go on where they broke off are used where the server offers them.
 */
export class HttpRemote implements Remote {
  readonly name: string;
  readonly readOnly: boolean;
  readonly #client: HttpClient;
  readonly #entries = pLimit(entriesAtOnce);
  readonly #patience: Patience;

  constructor({ url, token, readOnly, patience = usualPatience }: HttpRemoteOptions) {
    const { username, password } = new URL(url);
    this.name = remoteName(url);
    this.readOnly = readOnly === true;
    const basic = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
    const headers = {
      'user-agent': 'strata',
      'accept-encoding': 'identity',
      ...(username === '' ? {} : { authorization: `Basic ${basic}` }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    this.#patience = patience;
    this.#client = new HttpClient(this.name, headers, patience);
  }

  async action(key: ActionKey, signal?: AbortSignal): Promise<ActionResult | undefined> {
    const bytes = await this.#client.trying(signal, () =>
      atPace(this.#patience, signal, (ends, onBytes) => this.#recordOf(key, ends, onBytes)),
    );
    try {
      return bytes === undefined ? undefined : decodeActionResult(bytes);
    } catch (cause) {
      throw new RemoteFault('wrong', `sent an action that is none: ${(cause as Error).message}`, { cause });
    }
  }

  async #recordOf(
    key: ActionKey,
    signal: AbortSignal,
    onBytes: (count: number) => void,
  ): Promise<Uint8Array | undefined> {
    const answer = await this.#client.ask('GET', `/ac/${hexOf(key)}`, { signal });
    if (answer.statusCode === 404) {
      await answer.body.dump();
      return undefined;
    }
    await this.#client.require(answer, 200);
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > largestRecord) {
        throw new RemoteFault('wrong', `sent more than ${largestRecord} bytes as an action`);
      }
      onBytes(chunk.length);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  async size(digest: Digest, signal?: AbortSignal): Promise<number | undefined> {
    return this.#client.trying(signal, async () => {
      const { size } = await this.#head(digest, signal);
      return size;
    });
  }

  async download(artifact: Descriptor, file: AbsolutePath, options: TransferOptions = {}): Promise<boolean> {
    return this.#client.going(
      () => sizeOf(file),
      options.signal,
      () => this.#downloadOnce(artifact, file, options),
    );
  }

  async upload(artifact: Descriptor, file: AbsolutePath, options: TransferOptions = {}): Promise<void> {
    const { size, digest } = artifact;
    const { signal } = options;
    /** How much of it is there; undefined where all of it is. */
    const look = async (): Promise<number | undefined> => {
      const known = await this.#client.trying(signal, () => this.#head(digest, signal));
      if (!known.mayWrite) {
        // before gigabytes are sent that are refused in the end
        throw new RemoteFault('forbidden', 'may not be written to with this token');
      }
      return known.size === size ? undefined : Math.min(known.offset, size);
    };
    let seen: { readonly offset: number | undefined } | undefined = { offset: await look() };
    const position = async (): Promise<number> => {
      seen = { offset: await look() };
      return seen.offset ?? size;
    };
    await this.#client.going(position, signal, async () => {
      const { offset } = seen ?? { offset: await look() };
      // wherever this breaks off, only the server knows how much of it came
      seen = undefined;
      if (offset !== undefined) {
        await this.#uploadOnce(artifact, file, offset === size ? 0 : offset, options);
      }
    });
  }

  async record(key: ActionKey, result: ActionResult, signal?: AbortSignal): Promise<void> {
    await this.#client.trying(signal, async () => {
      const answer = await this.#client.ask('PUT', `/ac/${hexOf(key)}`, { signal, body: encodeActionResult(result) });
      // what is there already is as good as this
      await this.#client.require(answer, 200, 201, 204, 409);
      await answer.body.dump();
    });
  }

  /**
   * Fetches an entry of another kind that the server keeps, into a file that is written anew.
   *
   * @param path with its slash: `/v1/cache/<hash>`
   * @returns whether it is there
   */
  async fetch(path: string, file: AbsolutePath, signal?: AbortSignal): Promise<boolean> {
    return this.#entries(() =>
      this.#client.trying(signal, () =>
        atPace(this.#patience, signal, (ends, onBytes) => this.#fetchOnce(path, file, ends, onBytes)),
      ),
    );
  }

  async #fetchOnce(
    path: string,
    file: AbsolutePath,
    signal: AbortSignal,
    onBytes: (count: number) => void,
  ): Promise<boolean> {
    const answer = await this.#client.ask('GET', path, { signal });
    if (answer.statusCode === 404) {
      await answer.body.dump();
      return false;
    }
    await this.#client.require(answer, 200);
    await receive(answer.body, createWriteStream(file), (chunk) => {
      onBytes(chunk.length);
    });
    return true;
  }

  /** Stores an entry of another kind; one that is there already stays as it is. */
  async send(path: string, file: AbsolutePath, options: TransferOptions = {}): Promise<void> {
    const size = await sizeOf(file);
    await this.#entries(async () => {
      options.signal?.throwIfAborted();
      await this.#client.trying(options.signal, () => this.#put(path, file, { ...options, start: 0, size }, 409));
    });
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  /** The size of an artifact, or how much of it an upload that broke off has left; and whether it may be written. */
  async #head(digest: Digest, signal?: AbortSignal): Promise<Known> {
    const { statusCode, headers, body } = await this.#client.ask('HEAD', `/cas/${hexOf(digest)}`, { signal });
    await body.dump();
    const { allow = 'PUT' } = headers;
    const mayWrite = [allow]
      .flat()
      .join(',')
      .split(/\s*,\s*/)
      .includes('PUT');
    if (statusCode === 404) {
      return { offset: Number(headers['upload-offset'] ?? 0), mayWrite };
    }
    await this.#client.require({ statusCode, headers, body }, 200);
    return { size: Number(headers['content-length']), offset: 0, mayWrite };
  }

  async #downloadOnce(artifact: Descriptor, file: AbsolutePath, options: TransferOptions): Promise<boolean> {
    const { size, digest } = artifact;
    let hash = createHash('sha256');
    let start = await sizeOf(file);
    if (start > size) {
      await rm(file);
      start = 0;
    }
    if (start > 0) {
      for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
        hash.update(chunk);
      }
    }
    if (start < size || size === 0) {
      const there = await atPace(this.#patience, options.signal, async (signal, onBytes) => {
        const range = start > 0 ? { range: `bytes=${start}-` } : {};
        const answer = await this.#client.ask('GET', `/cas/${hexOf(digest)}`, { signal, headers: range });
        if (answer.statusCode === 404) {
          await answer.body.dump();
          return false;
        }
        if (answer.statusCode === 416) {
          await answer.body.dump();
          await rm(file);
          throw new Error('has not as many bytes');
        }
        await this.#client.require(answer, 200, 206);
        if (answer.statusCode === 200) {
          // a server that knows no ranges begins anew
          hash = createHash('sha256');
          start = 0;
        }
        let room = size - start;
        await receive(
          answer.body,
          createWriteStream(file, { flags: start > 0 ? 'a' : 'w', highWaterMark: chunkSize }),
          (chunk) => {
            room -= chunk.length;
            if (room < 0) {
              throw new RemoteFault('wrong', 'sent more bytes than the artifact has');
            }
            hash.update(chunk);
            onBytes(chunk.length);
            options.onBytes?.(chunk.length);
          },
        );
        return true;
      });
      if (!there) {
        return false;
      }
    }
    if ((await sizeOf(file)) < size) {
      throw new Error('ended before its end');
    }
    const actual = `sha256:${hash.digest('hex')}`;
    if (actual !== digest) {
      await rm(file);
      throw new RemoteFault('wrong', `sent other content as ${digest.slice(0, 19)}`);
    }
    return true;
  }

  async #uploadOnce(
    { digest, size }: Descriptor,
    file: AbsolutePath,
    start: number,
    options: TransferOptions,
  ): Promise<void> {
    await this.#put(`/cas/${hexOf(digest)}`, file, { ...options, start, size });
  }

  /** Sends a file, or its end. */
  async #put(
    path: string,
    file: AbsolutePath,
    options: TransferOptions & { readonly start: number; readonly size: number },
    ...alsoGood: number[]
  ): Promise<void> {
    const { start, size } = options;
    await atPace(this.#patience, options.signal, async (signal, onBytes) => {
      const stream = createReadStream(file, { start, highWaterMark: chunkSize });
      let sent = start;
      // no listener on the stream: with one it flows, and what comes before there is a connection is lost
      const body = async function* (): AsyncGenerator<Buffer> {
        for await (const chunk of stream as AsyncIterable<Buffer>) {
          sent += chunk.length;
          onBytes(chunk.length);
          options.onBytes?.(chunk.length);
          yield chunk;
        }
      };
      // while a server that has everything puts it on its disk, nothing moves
      const waiting = setInterval(() => {
        if (sent === size) {
          onBytes(2 * this.#patience.leastRate);
        }
      }, 1000);
      try {
        const answer = await this.#client.ask('PUT', path, {
          signal,
          body: Readable.from(body(), { objectMode: false, highWaterMark: chunkSize }),
          headers: {
            'content-length': String(size - start),
            ...(start > 0 ? { 'content-range': `bytes ${start}-${size - 1}/${size}` } : {}),
          },
          answer: 6 * this.#patience.answer,
        });
        if (start > 0 && [400, 409].includes(answer.statusCode)) {
          await answer.body.dump();
          throw new Error('what came of it before is of no use');
        }
        await this.#client.require(answer, 200, 201, 204, ...alsoGood);
        await answer.body.dump();
      } finally {
        clearInterval(waiting);
        stream.destroy();
      }
    });
  }
}
