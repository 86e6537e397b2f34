import { createWriteStream, statSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { EnvHttpProxyAgent, interceptors, request, type Dispatcher } from 'undici';

/** Milliseconds until a host that does not answer counts as unreachable. */
const connectTimeout = 5000;
const retries = 3;

/** How far a file is. */
export interface Arrived {
  /** Bytes that are there. */
  readonly bytes: number;
  /** Bytes that it has; undefined where the server does not say. */
  readonly size: number | undefined;
}

/** Fetches files over few connections that are kept open, through the proxies that the environment names. */
export class Downloader {
  readonly #dispatcher: Dispatcher;
  readonly #agent: EnvHttpProxyAgent;
  readonly #unreachable = new Map<string, string>();

  constructor(connections: number) {
    this.#agent = new EnvHttpProxyAgent({
      connections,
      connect: { timeout: connectTimeout },
      headersTimeout: 30_000,
      bodyTimeout: 60_000,
    });
    this.#dispatcher = this.#agent.compose(interceptors.redirect({ maxRedirections: 8 }));
  }

  /**
   * Fetches into a file, going on where an earlier attempt stopped. Throws where it cannot, with the reason as message.
   *
   * @param onBytes told how many more bytes there are now, and how far the file is
   */
  async fetch(
    uri: string,
    file: string,
    signal: AbortSignal | undefined,
    onBytes: (count: number, arrived: Arrived) => void,
  ): Promise<void> {
    if (uri.startsWith('file:')) {
      await copyFile(fileURLToPath(uri), file);
      return;
    }
    const { host } = new URL(uri);
    for (let attempt = 0; ; attempt++) {
      const down = this.#unreachable.get(host);
      if (down !== undefined) {
        throw new Error(down);
      }
      try {
        await this.#once(uri, file, signal, onBytes);
        return;
      } catch (error) {
        signal?.throwIfAborted();
        const { code } = error as { code?: string };
        if (
          code === 'UND_ERR_CONNECT_TIMEOUT' ||
          code === 'ENOTFOUND' ||
          code === 'EAI_AGAIN' ||
          code === 'ECONNREFUSED'
        ) {
          this.#unreachable.set(host, `${host} cannot be reached (${code})`);
        } else if (error instanceof Refused || attempt >= retries) {
          throw error;
        } else {
          await new Promise((resolve) => setTimeout(resolve, 250 * 2 ** attempt));
        }
      }
    }
  }

  async #once(
    uri: string,
    file: string,
    signal: AbortSignal | undefined,
    onBytes: (count: number, arrived: Arrived) => void,
  ): Promise<void> {
    const start = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    const response = await request(uri, {
      dispatcher: this.#dispatcher,
      headers: {
        'user-agent': 'strata',
        'accept-encoding': 'identity',
        ...(start > 0 ? { range: `bytes=${start}-` } : {}),
      },
      ...(signal === undefined ? {} : { signal }),
    });
    const { statusCode, body } = response;
    if (statusCode === 416) {
      await body.dump();
      return;
    }
    if (statusCode !== 200 && statusCode !== 206) {
      await body.dump();
      const reason = `${new URL(uri).host} answers ${statusCode}`;
      throw statusCode >= 500 || statusCode === 429 ? new Error(reason) : new Refused(reason);
    }
    let bytes = statusCode === 206 ? start : 0;
    const length = Number(response.headers['content-length'] ?? Number.NaN);
    const size = Number.isNaN(length) ? undefined : bytes + length;
    body.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      onBytes(chunk.length, { bytes, size });
    });
    await pipeline(body, createWriteStream(file, { flags: statusCode === 206 ? 'a' : 'w' }));
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }
}

/** An answer that asking again would not change. */
class Refused extends Error {}
