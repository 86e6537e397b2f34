import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { encodeActionResult } from '@strata/store';
import { digestOf } from '@strata/fingerprint';
import { nxEntry } from './testing/nx-entry.js';
import { ask, freshBytes, hexOf, RawClient, team, TestServer, type Answer } from './testing/rig.js';

const server = new TestServer();
const { file, tokens } = team();
const { ci, laptop, pull, fork, late } = tokens;
beforeAll(() => server.start({ tokens: file }));
afterAll(() => server.dispose());

/** What a client can tell an answer by. */
function tellable({ status, headers, text }: Answer): unknown {
  return { status, headers: { ...headers, date: 'now' }, text };
}

function actionOf(content: string): Buffer {
  const digest = digestOf(content);
  const outputs = { log: { mediaType: 'text/plain', digest, size: content.length } };
  return Buffer.from(encodeActionResult({ outputs }));
}

describe('tokens', () => {
  it('are needed for everything but asking whether the server lives', async () => {
    const paths = ['/v1/cache/1', `/cas/${hexOf('')}`, `/ac/${hexOf('')}`, '/metrics', '/elsewhere'];
    for (const path of paths) {
      for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) {
        for (const token of [null, 'x', `${ci}x`, ci.slice(0, -1), late]) {
          const answer = await server.ask(method, path, { token, body: method === 'PUT' ? 'body' : undefined });
          expect([path, method, answer.status]).toEqual([path, method, 401]);
        }
      }
    }
    expect(await server.ask('GET', '/health', { token: null })).toMatchObject({ status: 200, text: 'ok\n' });
    const basic = `Basic ${Buffer.from(`x:${ci}`).toString('base64')}`;
    expect(await server.ask('GET', '/v1/cache/1', { token: null, headers: { Authorization: basic } })).toMatchObject({
      status: 401,
    });
  });

  it('that may only read are refused once all of the body was read, and the connection goes on', async () => {
    const hex = hexOf('r');
    for (const path of ['/v1/cache/readonly', `/ac/${hex}`, `/cas/${hex}`]) {
      const connection = new RawClient(server.url);
      const head = `Host: x\r\nAuthorization: Bearer ${laptop}\r\n`;
      connection.write(`PUT ${path} HTTP/1.1\r\n${head}Content-Length: 3000000\r\n\r\n`);
      connection.write(Buffer.alloc(3_000_000));
      connection.write(`GET ${path} HTTP/1.1\r\n${head}Connection: close\r\n\r\n`);
      const answers = await connection.closed();
      expect(answers.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 403', 'HTTP/1.1 404']);
      expect(answers).toContain('this token may only read');
    }
  });

  it('read metrics only where the file says so', async () => {
    expect(await server.get('/metrics', pull)).toMatchObject({ status: 403 });
    const { text } = await server.get('/metrics', ci);
    expect(text).toMatch(/^strata_cache_used_bytes \d+$/m);
    expect(text).toMatch(/^strata_cache_lookups_total\{kind="nx",result="miss"\} \d+$/m);
  });

  it('are in no log', () => {
    expect(server.log).toContain('"token":"laptop"');
    for (const token of Object.values(tokens)) {
      expect(server.log).not.toContain(token);
    }
  });
});

describe('a pull request that writes first', () => {
  it('poisons nobody: main builds its own, and gives it to all', async () => {
    const key = hexOf('attack');
    await server.putArtifact('evil', pull);
    for (const path of ['/v1/cache/attack', `/ac/${key}`]) {
      const [evil, good] = path.startsWith('/ac') ? [actionOf('evil'), actionOf('good')] : ['evil', 'good'];
      expect(await server.put(path, evil, pull)).toMatchObject({ status: 200 });
      for (const token of [ci, laptop, fork]) {
        expect(await server.get(path, token)).toMatchObject({ status: 404 });
      }
      expect((await server.get(path, pull)).body).toEqual(Buffer.from(evil));
      await server.putArtifact('good', ci);
      expect(await server.put(path, good, ci)).toMatchObject({ status: 200 });
      for (const token of [ci, laptop, fork, pull]) {
        expect((await server.get(path, token)).body).toEqual(Buffer.from(good));
      }
      for (const token of [fork, pull]) {
        expect(await server.put(path, evil, token)).toMatchObject({ status: 409 });
      }
      expect(await server.put(path, evil, laptop)).toMatchObject({ status: 403 });
      expect((await server.get(path, laptop)).body).toEqual(Buffer.from(good));
    }
    // and is told before it sends anything large
    const allowed = [ci, laptop].map(
      async (token) => (await server.ask('HEAD', `/cas/${key}`, { token })).headers.allow,
    );
    expect(await Promise.all(allowed)).toEqual(['GET, HEAD, PUT', 'GET, HEAD']);
  });

  it('cannot make an entry of main whole, nor name what it does not have', async () => {
    const content = 'only the pull request has it';
    const hex = hexOf(content);
    const entry = await nxEntry([{ hex, size: content.length }]);
    await server.put('/v1/cache/incomplete', entry, ci);
    await server.putArtifact(content, pull);
    expect(await server.get('/v1/cache/incomplete', ci)).toMatchObject({ status: 404 });
    await server.put('/v1/cache/names', entry, fork);
    expect(await server.get('/v1/cache/names', fork)).toMatchObject({ status: 404 });
  });
});

describe('an artifact of others', () => {
  const secret = `secret ${'x'.repeat(5000)}`;
  const [hex, unknown] = [hexOf(secret), hexOf('nobody has it')];

  it('is the same as one that nobody has, whatever is asked', async () => {
    await server.putArtifact(secret, pull);
    for (const token of [ci, laptop, fork]) {
      for (const method of ['GET', 'HEAD']) {
        for (const headers of [{}, { Range: 'bytes=0-3' }, { Range: 'bytes=9999999-' }]) {
          const theirs = await server.ask(method, `/cas/${hex}`, { token, headers });
          const nobodys = await server.ask(method, `/cas/${unknown}`, { token, headers });
          expect([theirs.status, tellable(theirs)]).toEqual([404, tellable(nobodys)]);
        }
      }
    }
  });

  it('is not had by who knows its digest, but by who sends all of it', async () => {
    const part = { body: secret.slice(0, 10), headers: { 'Content-Range': `bytes 0-9/${secret.length}` } };
    expect(await server.ask('PUT', `/cas/${hex}`, { token: fork, ...part })).toMatchObject({ status: 202 });
    expect(await server.put(`/cas/${hex}`, 'y'.repeat(secret.length), fork)).toMatchObject({ status: 400 });
    expect(await server.put(`/cas/${hex}`, '', fork)).toMatchObject({ status: 400 });
    expect(await server.get(`/cas/${hex}`, fork)).toMatchObject({ status: 404 });
    const [theirs, nobodys] = [
      await server.put(`/cas/${hex}`, secret, fork),
      await server.put(`/cas/${hexOf('new')}`, 'new', fork),
    ];
    expect([theirs.status, tellable(theirs)]).toEqual([200, tellable(nobodys)]);
    expect(await server.get(`/cas/${hex}`, fork)).toMatchObject({ status: 200, text: secret });
    expect(await server.get(`/cas/${hex}`, ci)).toMatchObject({ status: 404 });
  });

  it('takes room once, and stays with those who have it', async () => {
    const used = async (): Promise<number> =>
      Number(/^strata_cache_used_bytes (\d+)$/m.exec((await server.get('/metrics', ci)).text)?.[1]);
    const before = await used();
    await server.putArtifact(secret, ci);
    expect(await used()).toBe(before);
    await server.restart({ tokens: file });
    expect(await used()).toBe(before);
    for (const token of [ci, laptop, fork, pull]) {
      expect(await server.get(`/cas/${hex}`, token)).toMatchObject({ status: 200, text: secret });
    }
  });

  it('has a beginning for who sent it alone', async () => {
    const part = { body: 'begin', headers: { 'Content-Range': 'bytes 0-4/13' } };
    const path = `/cas/${hexOf('beginning end')}`;
    await server.ask('PUT', path, { token: pull, ...part });
    const offset = async (token: string): Promise<unknown> =>
      (await server.ask('HEAD', path, { token })).headers['upload-offset'];
    expect([await offset(pull), await offset(fork), await offset(ci)]).toEqual(['5', '0', '0']);
  });
});

describe('the tokens file', () => {
  const statusOf = async (token: string): Promise<number> => (await server.get('/v1/cache/none', token)).status;
  const until = async (holds: () => Promise<boolean>): Promise<void> => {
    while (!(await holds())) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };

  it('is read again when it changes: several at once while tokens are changed, and those taken out are nobody’s', async () => {
    const next = team();
    const line = next.file.split('\n').find((one) => one.includes('name: ci,'))!;
    appendFileSync(server.tokensFile, `${line}\n`);
    await until(async () => (await statusOf(next.tokens.ci)) === 404);
    expect(await statusOf(ci)).toBe(404);
    writeFileSync(`${server.tokensFile}.new`, next.file, { mode: 0o600 });
    renameSync(`${server.tokensFile}.new`, server.tokensFile);
    server.process?.kill('SIGHUP');
    await until(async () => (await statusOf(ci)) === 401);
    expect([await statusOf(next.tokens.ci), await statusOf(laptop)]).toEqual([404, 401]);
    expect(await server.put('/v1/cache/revoked', 'x', ci)).toMatchObject({ status: 401 });
    writeFileSync(server.tokensFile, 'tokens: half a fi');
    server.process?.kill('SIGHUP');
    await until(() => Promise.resolve(server.log.includes('those from before stay in force')));
    expect([await statusOf(next.tokens.ci), await statusOf(ci)]).toEqual([404, 401]);
  });
});

describe('two clients at once', () => {
  it('never mix: of different content one wins, of the same both do', async () => {
    const other = new TestServer();
    await other.start();
    try {
      for (let round = 0; round < 5; round++) {
        const bodies = Array.from({ length: 8 }, (_, index) => `${round}/${index} `.repeat(20_000));
        const path = `/v1/cache/race${round}`;
        const answers = await Promise.all(bodies.map((body) => other.put(path, body)));
        const winners = bodies.filter((_, index) => answers[index]?.status === 200);
        expect(answers.filter(({ status }) => status === 409)).toHaveLength(7);
        expect(winners).toEqual([(await other.get(path)).text]);
        const same = await Promise.all(bodies.map(() => other.put(`${path}same`, bodies[0]!)));
        expect(same.map(({ status }) => status)).toEqual(bodies.map(() => 200));
        const content = freshBytes(100_000);
        const artifact = `/cas/${hexOf(content)}`;
        const wrong = Buffer.from(content).fill(0, 50_000);
        const puts = [content, wrong, content, wrong].map((body) => other.put(artifact, body));
        expect((await Promise.all(puts)).map(({ status }) => status)).toEqual([200, 400, 200, 400]);
        expect((await ask(other.url, 'GET', artifact, { token: other.token })).body.equals(content)).toBe(true);
      }
    } finally {
      await other.dispose();
    }
  });
});
