import http from 'node:http';
import { createServer, connect, type AddressInfo, type Server } from 'node:net';
import { ask } from './rig.js';

/** Where a client keeps an artifact. */
export interface Remote {
  readonly url: string;
  readonly token: string;
}

/** Uploads as the README says: asks how much is there, goes on behind it, until all is. Gives how often it had to. */
export async function uploadPatiently({ url, token }: Remote, hex: string, content: Buffer): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    try {
      const { status, headers } = await ask(url, 'HEAD', `/cas/${hex}`, { token });
      if (status === 200) {
        return attempt;
      }
      const start = Number(headers['upload-offset']);
      const range = { 'Content-Range': `bytes ${start}-${content.length - 1}/${content.length}` };
      const body = content.subarray(start);
      await ask(url, 'PUT', `/cas/${hex}`, { token, body, headers: start === 0 ? {} : range });
    } catch {
      // cut: once more
    }
  }
}

/** Downloads with ranges, until all is there. Gives the content, and how often it had to ask. */
export async function downloadPatiently(
  { url, token }: Remote,
  hex: string,
  size: number,
): Promise<{ readonly content: Buffer; readonly attempts: number }> {
  let content = Buffer.alloc(0);
  let attempts = 0;
  for (; content.length < size; attempts++) {
    const headers = { Authorization: `Bearer ${token}`, Range: `bytes=${content.length}-` };
    await new Promise<void>((resolve) => {
      const request = http.get(`${url}/cas/${hex}`, { headers, agent: false }, (response) => {
        response.on('data', (part: Buffer) => {
          content = Buffer.concat([content, part]);
        });
        response.once('error', () => undefined);
        response.once('close', resolve);
      });
      request.once('error', () => {
        resolve();
      });
    });
  }
  return { content, attempts };
}

/** A proxy that cuts every connection after some bytes, another number each time. */
export class CuttingProxy {
  readonly #server: Server;
  #seed = 12_345;

  constructor(target: string, mostBytes: number) {
    const { port } = new URL(target);
    this.#server = createServer((client) => {
      this.#seed = (this.#seed * 1_103_515_245 + 12_345) % 2 ** 31;
      let left = this.#seed % mostBytes;
      const upstream = connect(Number(port), '127.0.0.1');
      const count = (data: Buffer): void => {
        left -= data.length;
        if (left < 0) {
          client.destroy();
          upstream.destroy();
        }
      };
      for (const socket of [client, upstream]) {
        socket.on('error', () => undefined);
        socket.on('data', count);
      }
      client.pipe(upstream);
      upstream.pipe(client);
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.close();
  }
}
