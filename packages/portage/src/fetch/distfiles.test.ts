import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { absolutePath, digestOf, type AbsolutePath } from '@strata/fingerprint';
import { openStore, type Store } from '@strata/store';
import type { Distfile } from '../plan.js';
import { DistfileMismatch, DistfileUnavailable, fetchDistfiles, type FetchOptions } from './distfiles.js';
import { fetchTarball } from './tarball.js';

const none: FetchOptions = { mirrors: [] };

describe('fetching distfiles', () => {
  let root: AbsolutePath;
  let store: Store;
  const servers: Server[] = [];
  const requests: string[] = [];

  beforeEach(async () => {
    root = absolutePath(mkdtempSync('/var/tmp/strata-fetch-'));
    store = await openStore({ root, remove: (folder) => rm(folder, { recursive: true, force: true }) });
    requests.length = 0;
  });

  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
    rmSync(root, { recursive: true });
  });

  const serve = async (listener: RequestListener): Promise<string> => {
    const server = createServer((request, response) => {
      requests.push(`${request.url ?? ''}${request.headers.range === undefined ? '' : ` ${request.headers.range}`}`);
      listener(request, response);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  const distfile = (name: string, content: string, ...uris: string[]): Distfile => ({
    name,
    size: Buffer.byteLength(content),
    hashes: {
      BLAKE2B: createHash('blake2b512').update(content).digest('hex'),
      SHA512: createHash('sha512').update(content).digest('hex'),
    },
    uris,
  });

  const content = 'x'.repeat(100_000);

  it('takes a file from upstream, once, whatever it is called', async () => {
    const base = await serve((_request, response) => response.end(content));
    const found = await fetchDistfiles(store, [distfile('a.tar', content, `${base}/a.tar`)], none);
    expect(found.get('a.tar')?.digest).toBe(digestOf(content));
    await fetchDistfiles(store, [distfile('other-name.tar', content, `${base}/b.tar`)], none);
    expect(requests).toEqual(['/a.tar']);
  });

  it('goes on where a connection broke', async () => {
    let first = true;
    const base = await serve((request, response) => {
      if (first) {
        first = false;
        response.writeHead(200, { 'content-length': content.length });
        response.write(content.slice(0, 40_000), () => setTimeout(() => response.destroy(), 50));
        return;
      }
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      response.writeHead(206, { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` });
      response.end(content.slice(from));
    });
    const found = await fetchDistfiles(store, [distfile('a.tar', content, `${base}/a.tar`)], none);
    expect(found.get('a.tar')?.digest).toBe(digestOf(content));
    expect(requests).toEqual(['/a.tar', '/a.tar bytes=40000-']);
  });

  it('asks again after a 503, and the next place after a 404', async () => {
    let tries = 0;
    const busy = await serve((_request, response) => {
      response.statusCode = ++tries < 3 ? 503 : 200;
      response.end(tries < 3 ? '' : content);
    });
    const gone = await serve((_request, response) => {
      response.statusCode = 404;
      response.end();
    });
    await fetchDistfiles(store, [distfile('a.tar', content, `${gone}/a.tar`, `${busy}/a.tar`)], none);
    expect(requests).toEqual(['/a.tar', '/a.tar', '/a.tar', '/a.tar']);
  });

  it('never stores what the Manifest does not describe, and takes it from elsewhere', async () => {
    const lying = await serve((_request, response) => response.end('y'.repeat(100_000)));
    const wanted = distfile('a.tar', content, `${lying}/a.tar`);
    await expect(fetchDistfiles(store, [wanted], none)).rejects.toThrow(DistfileMismatch);
    expect((await store.status()).artifacts.count).toBe(0);
    const honest = await serve((_request, response) => response.end(content));
    const found = await fetchDistfiles(store, [{ ...wanted, uris: [...wanted.uris, `${honest}/a.tar`] }], none);
    expect(found.get('a.tar')?.digest).toBe(digestOf(content));
  });

  it('asks mirrors where upstream cannot be reached, and says what it tried', async () => {
    const wanted = distfile('a.tar', content, 'http://127.0.0.1:9/a.tar');
    const failed = fetchDistfiles(store, [wanted], none);
    await expect(failed).rejects.toThrow(DistfileUnavailable);
    await failed.catch((error: unknown) => {
      expect((error as DistfileUnavailable).details.join()).toContain('127.0.0.1:9 cannot be reached');
    });
    const mirror = {
      name: 'a folder',
      candidates: (_distfile: Distfile, folder: AbsolutePath): Promise<AbsolutePath[]> => {
        const file = absolutePath(join(folder, 'candidate'));
        writeFileSync(file, content);
        return Promise.resolve([file]);
      },
    };
    expect((await fetchDistfiles(store, [wanted], { mirrors: [mirror] })).get('a.tar')?.digest).toBe(digestOf(content));
  });

  it('fetches once for two who ask at the same time', async () => {
    const base = await serve((_request, response) => setTimeout(() => response.end(content), 200));
    const wanted = [distfile('a.tar', content, `${base}/a.tar`)];
    await Promise.all([fetchDistfiles(store, wanted, none), fetchDistfiles(store, wanted, none)]);
    expect(requests).toEqual(['/a.tar']);
  });

  it('fetches a file by URL and digest, and refuses another one', async () => {
    const base = await serve((_request, response) => response.end(content));
    expect((await fetchTarball(store, `${base}/stage.tar`, digestOf(content))).size).toBe(content.length);
    await expect(fetchTarball(store, `${base}/stage.tar`, digestOf('other'))).rejects.toThrow('has the digest');
  });
});
