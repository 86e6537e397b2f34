import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { absolutePath, digestOf, hexOf, type AbsolutePath } from '@strata/fingerprint';
import { encodeActionResult, MissingArtifact, type ActionKey, type ActionResult, type Descriptor } from '../index.js';
import { openLocalStore } from '../open-store.js';
import { SharedStore } from '../shared-store.js';
import { Nginx } from '../testing/nginx.js';
import { remove } from '../testing/processes.js';
import { freePort, numbers, proxyTo, serve, type TestServer } from '../testing/servers.js';
import { HttpRemote } from './http-remote.js';
import type { Patience } from './pace.js';
import { Remotes } from './remotes.js';
import { Uploader } from './uploader.js';

const mediaType = 'text/plain';
const key = digestOf('action') as ActionKey;

/** Little enough for a test, and too little for nothing that works. */
const patience: Patience = { connect: 1000, answer: 1000, window: 1000, leastRate: 1024, retries: 2, backOff: 10 };

/** A store with one remote, as a process of a command has it. */
interface Machine {
  readonly store: SharedStore;
  readonly uploader: Uploader;
  readonly faults: string[];
}

describe('remotes of a store', () => {
  const roots: AbsolutePath[] = [];
  const servers: { stop(): Promise<void> }[] = [];
  const opened: Remotes[] = [];

  async function machine(url: string, root = absolutePath(mkdtempSync('/var/tmp/strata-remote-'))): Promise<Machine> {
    roots.push(root);
    const faults: string[] = [];
    const local = await openLocalStore({ root, remove });
    const remote = new HttpRemote({ url, patience });
    const remotes = new Remotes([remote], root, (message) => faults.push(message));
    opened.push(remotes);
    return {
      store: new SharedStore(local, { remotes, offersTo: [remote.name] }),
      uploader: new Uploader(local, remotes),
      faults,
    };
  }

  async function bad(answer: RequestListener): Promise<TestServer> {
    const server = await serve(answer);
    servers.push(server);
    return server;
  }

  /** An action with one artifact, made on a machine. */
  async function made({ store }: Machine, content: Buffer): Promise<ActionResult> {
    const result = { outputs: { file: await store.put(content, { mediaType, annotations: { a: 'b' } }) } };
    await store.record(key, result);
    return result;
  }

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((remotes) => remotes.close()));
    await Promise.all(servers.splice(0).map((server) => server.stop()));
    new Set(roots.splice(0)).forEach((root) => {
      rmSync(root, { recursive: true });
    });
  });

  describe('a plain HTTP cache, as Bazel uses one', () => {
    let nginx: Nginx;

    beforeAll(async () => {
      nginx = await Nginx.start();
    });

    afterAll(() => nginx.stop());

    it('keeps what one machine made for another, which fetches bytes when it needs them', async () => {
      const content = randomBytes(3_000_000);
      const one = await machine(nginx.url);
      const result = await made(one, content);
      expect(await one.uploader.drain()).toBe(0);
      const other = await machine(nginx.url);
      const { root } = other.store;
      expect(await other.store.lookup(key)).toEqual(result);
      expect(readdirSync(join(root, 'blobs/sha256'))).toEqual([]);
      const { file } = result.outputs as { file: Descriptor };
      expect(await other.store.has(file)).toBe(true);
      expect(await other.store.find(file.digest, mediaType)).toEqual({
        mediaType,
        digest: file.digest,
        size: file.size,
      });
      expect(readFileSync(await other.store.path(file)).equals(content)).toBe(true);
      expect([...one.faults, ...other.faults]).toEqual([]);
    });

    it('goes on with a download that broke off, and notices a damaged beginning', async () => {
      const content = randomBytes(2_000_000);
      const one = await machine(nginx.url);
      const { file } = (await made(one, content)).outputs as { file: Descriptor };
      await one.uploader.drain();
      const counted = await proxyTo(Number(new URL(nginx.url).port));
      servers.push(counted);
      const other = await machine(counted.url);
      const partial = join(other.store.root, 'partial');
      mkdirSync(partial);
      writeFileSync(join(partial, `remote-${hexOf(file.digest).slice(0, 32)}`), content.subarray(0, 1_900_000));
      await other.store.path(file);
      expect(counted.moved()).toBeLessThan(150_000);
      const third = await machine(nginx.url);
      mkdirSync(join(third.store.root, 'partial'));
      writeFileSync(
        join(third.store.root, 'partial', `remote-${hexOf(file.digest).slice(0, 32)}`),
        'not its beginning',
      );
      await expect(third.store.path(file)).rejects.toThrow(MissingArtifact);
      expect(readdirSync(join(third.store.root, 'partial'))).toEqual([]);
      // and the next one gets it
      expect(readFileSync(await third.store.path(file)).equals(content)).toBe(true);
    });

    it('is read from through a proxy that cuts connections', async () => {
      const content = randomBytes(3_000_000);
      const one = await machine(nginx.url);
      const { file } = (await made(one, content)).outputs as { file: Descriptor };
      await one.uploader.drain();
      const proxy = await proxyTo(Number(new URL(nginx.url).port), numbers(100_000, 600_000));
      servers.push(proxy);
      const other = await machine(proxy.url);
      expect(readFileSync(await other.store.path(file)).equals(content)).toBe(true);
      expect(proxy.cuts()).toBeGreaterThan(3);
      expect(other.faults).toEqual([]);
    });

    it('is replaced by building where it lost an artifact', async () => {
      const one = await machine(nginx.url);
      const { file } = (await made(one, randomBytes(1000))).outputs as { file: Descriptor };
      await one.uploader.drain();
      rmSync(join(nginx.folder, 'cas', hexOf(file.digest)));
      const other = await machine(nginx.url);
      expect(await other.store.lookup(key)).toBeDefined();
      await expect(other.store.readText(file)).rejects.toThrow(MissingArtifact);
      // the action that makes it is known no more, so that it runs again
      expect(await other.store.lookup(key)).toBeUndefined();
      expect(await other.store.has(file)).toBe(false);
    });
  });

  it('leaves what a full cache does not take for later, and says so once', async () => {
    let isFull = true;
    const kept = new Map<string, Buffer>();
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const url = request.url ?? '';
        const found = kept.get(url);
        if (request.method === 'PUT') {
          if (!isFull) {
            kept.set(url, Buffer.concat(chunks));
          }
          response.writeHead(isFull ? 507 : 200).end();
        } else {
          response.writeHead(found === undefined ? 404 : 200, { 'content-length': found?.length ?? 0 }).end(found);
        }
      });
    };
    const { url } = await bad(answer);
    const one = await machine(url);
    await made(one, Buffer.from('content'));
    expect(await one.uploader.drain()).toBe(1);
    expect(await one.uploader.drain()).toBe(1);
    expect(one.faults).toEqual([`warning: the cache ${url} answers 507: what was built here is not shared for now`]);
    // the next command finds room
    isFull = false;
    const next = await machine(url, one.store.root);
    opened.at(-1)?.forget();
    expect(await next.uploader.drain()).toBe(0);
    expect([...kept.keys()].map((path) => path.split('/')[1])).toEqual(['cas', 'ac']);
  });

  it('takes a token that may not write as it is, without a word', async () => {
    const { url } = await bad((request, response) => {
      request.resume().once('end', () => response.writeHead(request.method === 'PUT' ? 403 : 404).end());
    });
    const one = await machine(url);
    await made(one, Buffer.from('content'));
    expect(await one.uploader.drain()).toBe(0);
    expect(one.faults).toEqual([]);
  });

  it('sends nothing large where a server says that the token may not write', async () => {
    const asked: string[] = [];
    const { url } = await bad((request, response) => {
      asked.push(request.method ?? '');
      request.resume().once('end', () => response.writeHead(404, { allow: 'GET, HEAD' }).end());
    });
    const one = await machine(url);
    await made(one, randomBytes(100_000));
    expect(await one.uploader.drainAll()).toBe(0);
    await made(one, randomBytes(100_000));
    expect(await one.uploader.drainAll()).toBe(0);
    expect(asked).toEqual(['HEAD']);
    expect([one.faults, opened.at(-1)?.takeNotices()]).toEqual([[], []]);
  });

  it('gives nothing of one workspace to the cache of another', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const one = await machine(url);
    await made(one, Buffer.from('a secret'));
    expect(await one.uploader.drain()).toBe(1);
    const asked: string[] = [];
    const other = await bad((request, response) => {
      asked.push(request.url ?? '');
      request.resume().once('end', () => response.writeHead(404).end());
    });
    const next = await machine(other.url, one.store.root);
    expect(await next.uploader.drainAll()).toBe(0);
    expect(asked).toEqual([]);
    expect(await one.uploader.progress()).toMatchObject({ left: 1 });
  });

  it('waits with many entries for those before them, and takes that for no slowness', async () => {
    let sent = 0;
    const { url } = await bad((request, response) => {
      request.resume().once('end', () =>
        setTimeout(() => {
          sent++;
          response.end();
        }, 500),
      );
    });
    const remote = new HttpRemote({ url, patience });
    const one = await machine(url);
    const file = absolutePath(join(one.store.root, 'entry'));
    writeFileSync(file, randomBytes(10_000));
    await Promise.all(Array.from({ length: 24 }, (_, index) => remote.send(`/v1/cache/${index}`, file)));
    expect(sent).toBe(24);
    await remote.close();
  });

  it('speaks through a proxy as everybody does, and to this machine itself without one', async () => {
    const asked: string[] = [];
    const proxy = await bad((request, response) => {
      asked.push(request.url ?? '');
      response.writeHead(404).end();
    });
    const here = await bad((_request, response) => response.writeHead(404).end());
    const before = process.env['http_proxy'];
    // people write it without a scheme
    process.env['http_proxy'] = `127.0.0.1:${proxy.port}`;
    try {
      const [far, near] = [await machine('http://cache.example:3280'), await machine(here.url)];
      expect([await far.store.lookup(key), await near.store.lookup(key)]).toEqual([undefined, undefined]);
      expect([...far.faults, ...near.faults]).toEqual([]);
      expect(asked).toEqual([`http://cache.example:3280/ac/${hexOf(key)}`]);
    } finally {
      if (before === undefined) {
        delete process.env['http_proxy'];
      } else {
        process.env['http_proxy'] = before;
      }
    }
  });

  const truth = Buffer.from('the truth');
  const artifact: Descriptor = { mediaType, digest: digestOf(truth), size: truth.length };
  const action = encodeActionResult({ outputs: { file: artifact } });

  /** Servers that are of no use, by what is said of them. */
  const useless: Record<string, RequestListener> = {
    'answers 502': (_request, response) => response.writeHead(502).end('bad gateway'),
    'answers 301 (it is at https://cache.example)': (_request, response) =>
      response.writeHead(301, { location: 'https://cache.example/ac/1' }).end(),
    'answers 401': (_request, response) => response.writeHead(401).end(),
    'answers 200 to everything, with a page': (_request, response) => response.end('<html>welcome</html>'),
    'does not answer': () => undefined,
    'cuts every connection': (request) => request.socket.destroy(),
    'sends other bytes': (request, response) =>
      response.end(request.url?.startsWith('/ac') === true ? action : Buffer.from('the lie!!')),
    'sends more bytes': (request, response) =>
      response.end(request.url?.startsWith('/ac') === true ? action : Buffer.concat([truth, truth])),
    'sends fewer bytes': (request, response) =>
      response.end(request.url?.startsWith('/ac') === true ? action : truth.subarray(0, 4)),
    'sends an action of half its bytes': (request, response) =>
      response.end(request.url?.startsWith('/ac') === true ? action.subarray(0, action.length / 2) : 'a lie'),
    'sends a byte now and then': (request, response) => {
      response.writeHead(200, { 'content-length': 9 });
      const clock = setInterval(() => response.write('t'), 300);
      request.socket.once('close', () => {
        clearInterval(clock);
      });
    },
  };

  it.each(Object.keys(useless))('goes on without a server that %s', async (what) => {
    const { url } = await bad(useless[what]!);
    const one = await machine(url);
    const found = await one.store.lookup(key);
    await expect(one.store.path(artifact)).rejects.toThrow(MissingArtifact);
    await expect(one.store.path(artifact)).rejects.toThrow(MissingArtifact);
    expect(readdirSync(join(one.store.root, 'blobs/sha256'))).toEqual([]);
    // an action that is whole is believed until its bytes are needed
    expect(found === undefined).toBe(!what.endsWith('bytes') || what.includes('action'));
    expect(one.faults.length).toBeGreaterThan(0);
    expect(one.faults[0]).toMatch(/^warning: the cache http:\/\/127\.0\.0\.1:\d+ .*: the build goes on without it$/);
    expect(await made(one, Buffer.from('built here'))).toBeDefined();
    await one.uploader.drain();
  });

  it('asks a server that is down once, however many processes there are, and says so once', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const one = await machine(url);
    expect(await one.store.lookup(key)).toBeUndefined();
    let asked = 0;
    const server = await bad((_request, response) => {
      asked++;
      response.writeHead(404).end();
    });
    // another process of the same user, for which the same address is somebody else's by now
    const remotes = new Remotes([new HttpRemote({ url, patience })], one.store.root, (text) => one.faults.push(text));
    opened.push(remotes);
    expect(await remotes.action(key)).toBeUndefined();
    expect(one.faults).toEqual([
      `warning: the cache ${url} cannot be reached (ECONNREFUSED): the build goes on without it`,
    ]);
    expect(remotes.takeNotices()).toEqual(one.faults);
    expect(remotes.takeNotices()).toEqual([]);
    expect(asked).toBe(0);
    // a new command asks again
    remotes.forget();
    expect(remotes.isResting(remotes.all[0]!, 'read')).toBe(false);
    await server.stop();
  });

  it('fails on a disk of its own that is full, or not writable, as a store without remotes does', async () => {
    const { url } = await bad((request, response) =>
      response.end(request.url?.startsWith('/ac') === true ? action : truth),
    );
    const one = await machine(url);
    const blobs = join(one.store.root, 'blobs/sha256');
    rmSync(blobs, { recursive: true });
    writeFileSync(blobs, 'no folder');
    await expect(one.store.path(artifact)).rejects.toThrow(/ENOTDIR|EEXIST/);
    chmodSync(one.store.root, 0o700);
  });
});
