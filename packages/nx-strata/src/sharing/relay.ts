import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import { RemoteFault, type HttpRemote, type Remotes, type Scratch } from '@strata/store';

/** What a relay works with. */
export interface RelayOptions {
  /** Where Nx's results are kept, by their hashes. */
  readonly upstream: HttpRemote;
  /** The same as one of the remotes: what is known of its state. */
  readonly remotes: Remotes;
  readonly scratch: () => Promise<Scratch>;
  /** Told of what is wrong with it. */
  readonly onFault?: (fault: RemoteFault) => void;
}

function answer(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-length': 0 }).end();
}

/**
 * A server on loopback that stands between Nx's client and the server of its remote cache. Nx's client fails a green run
 * where its server answers 502, cannot be reached or breaks off; this one always answers: a result that cannot be had
 * whole is a miss, and one that is stored is taken at once and sent on in the background. It serves who has its token.
 */
export class Relay {
  readonly token = randomBytes(24).toString('hex');
  readonly #server: Server;
  readonly #sending = new Set<Promise<void>>();
  readonly #ends = new AbortController();
  #bytes = 0;

  private constructor(private readonly options: RelayOptions) {
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => {
        if (response.headersSent) {
          response.destroy();
        } else {
          // nothing about a cache is worth a failed build
          answer(response, request.method === 'GET' ? 404 : 200);
        }
      });
    });
  }

  static async start(options: RelayOptions): Promise<Relay> {
    const relay = new Relay(options);
    await new Promise<void>((resolve, reject) => {
      relay.#server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    // the command decides how long there is somebody to serve
    relay.#server.unref();
    return relay;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How many results are still to be sent on, and how many bytes were. */
  get progress(): { readonly bytes: number; readonly left: number } {
    return { bytes: this.#bytes, left: this.#sending.size };
  }

  /** Waits until all results are sent on, or the signal ends that. Gives back how many were not. */
  async sent(signal: AbortSignal): Promise<number> {
    const ended = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        resolve();
      });
    });
    await Promise.race([Promise.all(this.#sending), signal.aborted ? undefined : ended]);
    return this.#sending.size;
  }

  /** Ends it, and what is still being sent on. */
  async close(): Promise<void> {
    this.#ends.abort();
    await Promise.all(this.#sending);
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = /^\/v1\/cache(\/[A-Za-z0-9_-]+)$/.exec(request.url ?? '')?.[1];
    if (path === undefined || !this.#isAllowed(request)) {
      request.resume();
      answer(response, 403);
      return;
    }
    if (request.method === 'PUT') {
      await this.#take(path, request, response);
    } else {
      await this.#give(path, response);
    }
  }

  #isAllowed({ headers: { authorization = '' } }: IncomingMessage): boolean {
    const [given, wanted] = [Buffer.from(authorization), Buffer.from(`Bearer ${this.token}`)];
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  }

  async #give(path: string, response: ServerResponse): Promise<void> {
    const { upstream } = this.options;
    const scratch = await this.options.scratch();
    try {
      const file = fileIn(scratch);
      if (await this.#tried('read', () => upstream.fetch(path, file))) {
        // only what came whole is begun to be sent: Nx takes half an answer for a fault
        response.writeHead(200, { 'content-length': (await stat(file)).size });
        await pipeline(createReadStream(file), response);
      } else {
        answer(response, 404);
      }
    } finally {
      await scratch.dispose();
    }
  }

  async #take(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const scratch = await this.options.scratch();
    const file = fileIn(scratch);
    try {
      await pipeline(request, createWriteStream(file));
    } catch (error) {
      await scratch.dispose();
      throw error;
    }
    const send = async (): Promise<boolean> => {
      const onBytes = (count: number): void => {
        this.#bytes += count;
      };
      await this.options.upstream.send(path, file, { signal: this.#ends.signal, onBytes });
      return true;
    };
    const sending = this.#tried('write', send)
      .catch(() => undefined)
      .then(() => scratch.dispose())
      .finally(() => this.#sending.delete(sending));
    this.#sending.add(sending);
    answer(response, 200);
  }

  async #tried(direction: 'read' | 'write', work: () => Promise<boolean>): Promise<boolean> {
    const { upstream, remotes } = this.options;
    if (remotes.isResting(upstream, 'read') || remotes.isResting(upstream, direction)) {
      return false;
    }
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof RemoteFault)) {
        throw error;
      }
      remotes.report(upstream, direction, error);
      this.options.onFault?.(error);
      return false;
    }
  }
}

function fileIn({ path }: Scratch): AbsolutePath {
  return absolutePath(join(path, 'result'));
}
