import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { freshBytes, hexOf, RawClient, TestServer } from './testing/rig.js';
import { CuttingProxy, downloadPatiently, uploadPatiently } from './testing/upload.js';

const server = new TestServer();
beforeAll(() => server.start({ words: ['--patience', '1s', '--size', '100MB'] }));
afterAll(() => server.dispose());

/** The beginning of a request, as it goes over the wire. */
const head = (method: string, path: string, more = ''): string =>
  `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.token}\r\n${more}\r\n`;
const incoming = (): string[] => readdirSync(join(server.folder, 'incoming'));

describe('names that are none', () => {
  const odd = [
    '..',
    '../../etc/passwd',
    '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
    '..%2f..%2flocal-token',
    'a%2fb',
    '%00',
    '%ff',
    '%zz',
    '.',
    'x.json',
    'A'.repeat(10_000),
    '0'.repeat(129),
    'ü',
  ];

  it('are refused, and make no file', async () => {
    const everything = (): string[] => readdirSync(server.folder, { recursive: true }) as string[];
    const before = everything();
    for (const shelf of ['/v1/cache/', '/cas/', '/ac/']) {
      for (const name of odd) {
        for (const method of ['GET', 'PUT']) {
          const connection = new RawClient(server.url);
          const length = method === 'PUT' ? 'Content-Length: 4\r\n' : '';
          connection.write(Buffer.from(head(method, `${shelf}${name}`, `${length}Connection: close\r\n`)));
          connection.write(method === 'PUT' ? 'evil' : '');
          const answer = await connection.closed();
          expect([method, name.slice(0, 50), answer]).toEqual([
            method,
            name.slice(0, 50),
            expect.stringMatching(/^HTTP\/1.1 (400|404|414) /),
          ]);
        }
      }
    }
    for (const name of [hexOf('x').toUpperCase(), hexOf('x').slice(1), `${hexOf('x')}0`]) {
      expect(await server.put(`/cas/${name}`, 'x')).toMatchObject({ status: 400 });
      expect(await server.put(`/ac/${name}`, 'x')).toMatchObject({ status: 400 });
    }
    expect(everything()).toEqual(before);
  });
});

describe('bodies', () => {
  it('that are cut leave their beginning to go on with, and nothing that can be seen', async () => {
    const content = freshBytes(1_000_000);
    const path = `/cas/${hexOf(content)}`;
    const connection = new RawClient(server.url);
    connection.write(head('PUT', path, 'Content-Length: 1000000\r\n'));
    connection.write(content.subarray(0, 600_000));
    const offset = async (): Promise<number> =>
      Number((await server.ask('HEAD', path)).headers['upload-offset'] ?? Number.NaN);
    while (incoming().length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    connection.socket.end();
    while ((await offset()) === 0) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(await server.get(path)).toMatchObject({ status: 404 });
    const start = await offset();
    const rest = content.subarray(start);
    const headers = { 'Content-Range': `bytes ${start}-999999/1000000` };
    expect(await server.ask('PUT', path, { body: rest, headers })).toMatchObject({ status: 200 });
    expect((await server.get(path)).body.equals(content)).toBe(true);
    expect(incoming()).toEqual([]);
  });

  it('that are cut make no entry', async () => {
    const connection = new RawClient(server.url);
    connection.write(head('PUT', '/v1/cache/cut', 'Content-Length: 100\r\n'));
    connection.write('half');
    connection.socket.end();
    await connection.closed();
    while (incoming().length > 0) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(await server.get('/v1/cache/cut')).toMatchObject({ status: 404 });
    expect(await server.put('/v1/cache/cut', 'whole')).toMatchObject({ status: 200 });
  });

  it('without a length, or larger than what is kept, are refused', async () => {
    for (const path of ['/v1/cache/big', `/cas/${hexOf('big')}`, `/ac/${hexOf('big')}`]) {
      const endless = { 'Transfer-Encoding': 'chunked' };
      expect(await server.ask('PUT', path, { headers: endless })).toMatchObject({ status: 411 });
      const connection = new RawClient(server.url);
      connection.write(head('PUT', path, 'Content-Length: 200000000\r\n'));
      // the answer comes in between, and the end of the connection after it
      connection.write(Buffer.alloc(70_000_000));
      expect(await connection.closed()).toMatch(/^HTTP\/1.1 413 /);
    }
    const range = { 'Content-Range': 'bytes 0-3/99999999999' };
    expect(await server.ask('PUT', `/cas/${hexOf('x')}`, { body: 'tiny', headers: range })).toMatchObject({
      status: 413,
    });
    expect(incoming()).toEqual([]);
  });

  it('with lengths that contradict each other are no requests', async () => {
    for (const more of [
      'Content-Length: 4\r\nContent-Length: 5\r\n',
      'Content-Length: -1\r\n',
      'Content-Length: x\r\n',
    ]) {
      const connection = new RawClient(server.url);
      connection.write(`${head('PUT', '/v1/cache/smuggled', more)}evil`);
      expect(await connection.closed()).toMatch(/^HTTP\/1.1 400 /);
    }
    const both = 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n';
    const connection = new RawClient(server.url);
    connection.write(`${head('PUT', '/v1/cache/smuggled', both)}0\r\n\r\n`);
    expect(await connection.closed()).toMatch(/^HTTP\/1.1 400 /);
    expect(await server.get('/v1/cache/smuggled')).toMatchObject({ status: 404 });
  });
});

describe('clients that take their time', () => {
  it('are let go, whatever they are slow with, and others are served meanwhile', async () => {
    const content = freshBytes(20_000_000);
    const hex = await server.putArtifact(content);
    const silent = new RawClient(server.url);
    const [slowHead, slowBody, slowReader] = [1, 2, 3].map(() => new RawClient(server.url)) as [
      RawClient,
      RawClient,
      RawClient,
    ];
    slowHead.write('GET /v1/cache/1 HTTP/1.1\r\nX: ');
    slowBody.write(head('PUT', `/cas/${hexOf('slow')}`, 'Content-Length: 100000\r\n'));
    slowReader.write(head('GET', `/cas/${hex}`));
    slowReader.socket.pause();
    const dripping = setInterval(() => {
      slowHead.write('x');
      slowBody.write('x');
    }, 50);
    try {
      expect((await server.get(`/cas/${hex}`)).body.equals(content)).toBe(true);
      expect(await slowBody.closed()).toMatch(/^HTTP\/1.1 408 /);
      await slowHead.closed();
      await silent.closed();
      // what is in flight already comes, the end never does
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      slowReader.socket.resume();
      expect((await slowReader.closed()).length).toBeLessThan(content.length);
      expect((await server.get(`/cas/${hex}`)).body.equals(content)).toBe(true);
    } finally {
      clearInterval(dripping);
    }
  });
});

describe('a thousand clients at once', () => {
  // this machine is not patient enough with itself for the patience of the tests above
  beforeAll(() => server.restart());

  it('all get what is theirs', async () => {
    const shared = freshBytes(50_000);
    const hex = await server.putArtifact(shared);
    const clients = Array.from({ length: 1000 }, async (_, index) => {
      if (index % 10 !== 0) {
        return (await server.get(`/cas/${hex}`)).body.equals(shared);
      }
      const own = `client ${index} `.repeat(1000);
      const stored = await server.putArtifact(own);
      return (await server.get(`/cas/${stored}`)).text === own;
    });
    expect((await Promise.all(clients)).filter((good) => good)).toHaveLength(1000);
  });
});

describe('readers that go away at once', () => {
  it('leave no file open', async () => {
    const content = freshBytes(1_000_000);
    const hex = await server.putArtifact(content);
    const open = (): number => readdirSync(`/proc/${server.process?.pid}/fd`).length;
    const before = open();
    for (let index = 0; index < 100; index++) {
      const reader = new RawClient(server.url);
      await once(reader.socket, 'connect');
      reader.write(head('GET', `/cas/${hex}`));
      await new Promise((resolve) => setTimeout(resolve, index % 4));
      reader.socket.resetAndDestroy();
    }
    while (open() > before + 5) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
});

describe('a proxy that cuts connections', () => {
  it('is got through, up and down', async () => {
    const proxy = new CuttingProxy(server.url, 900_000);
    const remote = { url: await proxy.start(), token: server.token };
    try {
      const content = freshBytes(4_000_000);
      const hex = hexOf(content);
      expect(await uploadPatiently(remote, hex, content)).toBeGreaterThan(4);
      expect((await server.get(`/cas/${hex}`)).body.equals(content)).toBe(true);
      const { content: got, attempts } = await downloadPatiently(remote, hex, content.length);
      expect([got.equals(content), attempts > 4]).toEqual([true, true]);
      expect(incoming()).toEqual([]);
    } finally {
      proxy.stop();
    }
  });
});
