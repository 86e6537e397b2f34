import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createServer, type RequestListener } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A server on loopback. */
export interface TestServer {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

async function listen(server: Server): Promise<TestServer> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    stop: () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      sockets.forEach((socket) => socket.destroy());
      return closed;
    },
  };
}

/** An HTTP server that answers as it is told to. */
export function serve(answer: RequestListener): Promise<TestServer> {
  return listen(createServer(answer));
}

/** A port on which nobody listens. */
export async function freePort(): Promise<number> {
  const server = await serve(() => undefined);
  await server.stop();
  return server.port;
}

/** Bytes that went through a proxy. */
export interface Proxy extends TestServer {
  readonly moved: () => number;
  /** Connections that it cut. */
  readonly cuts: () => number;
}

/**
 * A proxy that passes bytes on.
 *
 * @param nextCut after how many bytes it cuts a connection; none where it is not given
 */
export async function proxyTo(port: number, nextCut?: () => number): Promise<Proxy> {
  let [moved, cuts] = [0, 0];
  const server = createTcpServer((socket) => {
    const other = connect(port, '127.0.0.1');
    let left = nextCut?.() ?? Infinity;
    const counting = (): Transform =>
      new Transform({
        transform(chunk: Buffer, _encoding, done) {
          moved += chunk.length;
          left -= chunk.length;
          if (left < 0) {
            cuts++;
            socket.resetAndDestroy();
            other.resetAndDestroy();
          }
          done(null, chunk);
        },
      });
    pipeline(socket, counting(), other).catch(() => undefined);
    pipeline(other, counting(), socket).catch(() => undefined);
  });
  return { ...(await listen(server)), moved: () => moved, cuts: () => cuts };
}

/** Numbers from `least` to `most` that look random, and are the same each time. */
export function numbers(least: number, most: number): () => number {
  let state = 12345;
  return () => {
    // the constants of Numerical Recipes' generator
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return least + Math.floor((state / 2 ** 32) * (most - least));
  };
}
