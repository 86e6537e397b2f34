import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  unlinkSync,
  watch,
  writeFileSync,
  chmodSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import { encodeActionResult, HttpRemote } from '@strata/store';
import { absolutePath, digestOf } from '@strata/fingerprint';
import { freshBytes, hexOf, RawClient, team, TestServer } from './testing/rig.js';

let server: TestServer;
beforeEach(() => {
  server = new TestServer();
});
afterEach(() => server.dispose());

const head = (method: string, path: string, more = ''): string =>
  `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.token}\r\n${more}\r\n`;

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function filesIn(...path: string[]): string[] {
  return readdirSync(join(server.folder, ...path));
}

function actionOf(...contents: readonly Buffer[]): Buffer {
  const outputs = contents.map((content, index) => [
    `output${index}`,
    { mediaType: 'text/plain', digest: digestOf(content), size: content.length },
  ]);
  return Buffer.from(encodeActionResult({ outputs: Object.fromEntries(outputs) as never }));
}

describe('a server that is killed', () => {
  it('in the middle of a PUT, has what it acknowledged, and goes on with the rest', async () => {
    await server.start();
    const kept = await server.putArtifact(freshBytes(100_000));
    await server.put('/v1/cache/kept', 'kept');
    const content = freshBytes(5_000_000);
    const path = `/cas/${hexOf(content)}`;
    const [artifact, entry] = [new RawClient(server.url), new RawClient(server.url)];
    artifact.write(head('PUT', path, 'Content-Length: 5000000\r\n'));
    artifact.write(content.subarray(0, 3_000_000));
    entry.write(head('PUT', '/v1/cache/half', 'Content-Length: 1000\r\n'));
    entry.write('half');
    await until(() => filesIn('incoming').some((name) => statSync(join(server.folder, 'incoming', name)).size > 1e6));
    await server.restart();
    expect([await artifact.closed(), await entry.closed()]).toEqual(['', '']);
    expect(await server.get('/v1/cache/kept')).toMatchObject({ status: 200, text: 'kept' });
    expect(await server.get(`/cas/${kept}`)).toMatchObject({ status: 200 });
    expect(await server.get('/v1/cache/half')).toMatchObject({ status: 404 });
    const found = await server.ask('HEAD', path);
    const start = Number(found.headers['upload-offset']);
    expect([found.status, start > 1e6, filesIn('incoming')]).toEqual([404, true, []]);
    const headers = { 'Content-Range': `bytes ${start}-4999999/5000000` };
    expect(await server.ask('PUT', path, { body: content.subarray(start), headers })).toMatchObject({ status: 200 });
    expect((await server.get(path)).body.equals(content)).toBe(true);
  });

  it('in the middle of a GET, leaves its client with less than it promised, and everything where it was', async () => {
    await server.start();
    const content = freshBytes(16_000_000);
    const hex = await server.putArtifact(content);
    const reader = new RawClient(server.url);
    reader.write(head('GET', `/cas/${hex}`));
    await once(reader.socket, 'data');
    reader.socket.pause();
    await server.end('SIGKILL');
    reader.socket.resume();
    expect((await reader.closed()).length).toBeLessThan(content.length);
    await server.start();
    expect((await server.get(`/cas/${hex}`)).body.equals(content)).toBe(true);
  });

  it('in the middle of an eviction, has only whole entries, and those that were used last', async () => {
    await server.start();
    await server.put(`/ac/${hexOf('first')}`, actionOf());
    await server.end();
    const shelf = join(server.folder, 'scopes', 'local');
    const contents = Array.from({ length: 400 }, (_, index) => Buffer.from(`artifact ${index}`));
    const start = Date.now() / 1000 - 1000;
    const put = (age: number, ...path: string[]): void => {
      utimesSync(join(shelf, ...path), start + 500 - age, start + 500 - age);
    };
    contents.forEach((content, index) => {
      writeFileSync(join(shelf, 'artifacts', `${hexOf(content)}.${content.length}`), content);
      put(400 - index, 'artifacts', `${hexOf(content)}.${content.length}`);
    });
    const actions = Array.from({ length: 200 }, (_, index) => {
      // neighbours share an artifact
      const needed = contents.slice(index * 2, index * 2 + 3);
      return { key: hexOf(`action ${index}`), needed, bytes: actionOf(...needed) };
    });
    actions.forEach(({ key, needed, bytes }, index) => {
      const file = randomUUID();
      writeFileSync(join(shelf, 'bodies', file), bytes);
      const needs = needed.map((content) => ({ hex: hexOf(content), size: content.length }));
      const body = { file, hex: hexOf(bytes), size: bytes.length };
      writeFileSync(join(shelf, 'ac', `${key}.json`), JSON.stringify({ body, needs }));
      put(400 - index * 2, 'ac', `${key}.json`);
    });
    const watching = watch(join(shelf, 'ac'));
    const evicting = once(watching, 'change');
    const starting = server.start({ words: ['--size', '2MB'] }).catch(() => undefined);
    await evicting;
    await server.end('SIGKILL');
    watching.close();
    await starting;
    await server.start();
    const found = await Promise.all(actions.map(({ key }) => server.get(`/ac/${key}`)));
    const whole = found.flatMap(({ status }, index) => (status === 200 ? [index] : []));
    expect(found.map(({ status }) => status).filter((status) => status !== 200 && status !== 404)).toEqual([]);
    // the oldest went, one after the other
    expect([whole[0]! > 0, whole.at(-1)]).toEqual([true, 199]);
    expect(whole).toEqual(whole.map((_, index) => whole[0]! + index));
    expect(whole.filter((index) => !found[index]!.body.equals(actions[index]!.bytes))).toEqual([]);
    const needed = new Set(whole.flatMap((index) => actions[index]!.needed));
    const artifacts = await Promise.all(
      [...needed].map(async (content) => (await server.get(`/cas/${hexOf(content)}`)).body.equals(content)),
    );
    expect(artifacts).not.toContain(false);
    expect(filesIn('trash')).toEqual([]);
  });
});

describe('files that are damaged', () => {
  it('are never served: they are gone, and may be sent again', async () => {
    await server.start();
    const content = freshBytes(1_000_000);
    const hex = await server.putArtifact(content);
    await server.put('/v1/cache/damaged', content);
    await server.put(`/ac/${hex}`, actionOf(content));
    const shelf = join(server.folder, 'scopes', 'local');
    const files = ['artifacts', 'bodies'].flatMap((name) =>
      readdirSync(join(shelf, name)).map((file) => join(shelf, name, file)),
    );
    for (const file of files.filter((one) => statSync(one).size === content.length)) {
      const bytes = readFileSync(file);
      bytes[999_999]! ^= 1;
      chmodSync(file, 0o600);
      writeFileSync(file, bytes);
    }
    for (const path of [`/cas/${hex}`, '/v1/cache/damaged']) {
      const reader = new RawClient(server.url);
      reader.write(head('GET', path));
      expect((await reader.closed()).length).toBeLessThan(content.length);
      expect(await server.get(path)).toMatchObject({ status: 404 });
    }
    expect(await server.get(`/ac/${hex}`)).toMatchObject({ status: 404 });
    await server.putArtifact(content);
    expect(await server.put('/v1/cache/damaged', content)).toMatchObject({ status: 200 });
    expect((await server.get(`/cas/${hex}`)).body.equals(content)).toBe(true);
    expect(await server.get(`/ac/${hex}`)).toMatchObject({ status: 200 });
  });

  it('may be deleted under it: they are gone then, and may be sent again', async () => {
    const { file, tokens } = team();
    await server.start({ tokens: file });
    for (const [reader, writer] of [
      [tokens.ci, tokens.ci],
      [undefined, tokens.ci],
      [undefined, tokens.pull],
    ] as const) {
      const content = freshBytes(1000);
      const hex = await server.putArtifact(content, tokens.ci);
      unlinkSync(join(server.folder, 'scopes', 'main', 'artifacts', `${hex}.1000`));
      if (reader !== undefined) {
        expect(await server.get(`/cas/${hex}`, reader)).toMatchObject({ status: 404 });
      }
      // of one's own, that it is gone is noticed when it is read
      await server.putArtifact(content, writer);
      const { status } = await server.get(`/cas/${hex}`, writer);
      if (status === 404) {
        await server.putArtifact(content, writer);
      }
      expect((await server.get(`/cas/${hex}`, writer)).body).toEqual(content);
    }
  });

  it('are found at the start, where they are too short or no entries', async () => {
    await server.start();
    const hex = await server.putArtifact('content');
    await server.put('/v1/cache/short', 'a body');
    await server.put('/v1/cache/text', 'another body');
    await server.put('/v1/cache/good', 'good');
    await server.end();
    const shelf = join(server.folder, 'scopes', 'local');
    truncateSync(join(shelf, 'artifacts', `${hex}.7`), 3);
    const { body } = JSON.parse(readFileSync(join(shelf, 'nx', 'short.json'), 'utf8')) as { body: { file: string } };
    truncateSync(join(shelf, 'bodies', body.file), 3);
    writeFileSync(join(shelf, 'nx', 'text.json'), '{"body": {"file": "../../../local-token"');
    writeFileSync(
      join(shelf, 'nx', 'path.json'),
      '{"body":{"file":"../../../local-token","hex":"x","size":1},"needs":[]}',
    );
    writeFileSync(join(server.folder, 'partial', 'stray'), 'x');
    await server.start();
    for (const path of [`/cas/${hex}`, '/v1/cache/short', '/v1/cache/text', '/v1/cache/path']) {
      expect([path, (await server.get(path)).status]).toEqual([path, 404]);
    }
    expect(await server.get('/v1/cache/good')).toMatchObject({ status: 200, text: 'good' });
    expect([filesIn('scopes/local/nx'), filesIn('scopes/local/bodies').length]).toEqual([['good.json'], 1]);
  });
});

describe('a disk that is full', () => {
  it('takes nothing that it cannot keep, serves what it has, and makes room', async () => {
    const mounting = 'mkdir -p "$0"; mount -t tmpfs -o size=4m tmpfs "$0"; exec "$@"';
    const under = ['unshare', '--map-root-user', '--mount', 'sh', '-euc', mounting, server.folder];
    await server.start({ under, words: ['--size', '1GB'] });
    const first = freshBytes(500_000);
    await server.putArtifact(first);
    await server.put('/v1/cache/kept', 'kept');
    const tooLarge = freshBytes(6_000_000);
    expect(await server.put(`/cas/${hexOf(tooLarge)}`, tooLarge)).toMatchObject({
      status: 507,
      text: 'the disk is full\n',
    });
    expect(await server.get(`/cas/${hexOf(tooLarge)}`)).toMatchObject({ status: 404 });
    // what Strata makes of it
    const file = absolutePath(join(server.root, 'large'));
    writeFileSync(file, tooLarge);
    const remote = new HttpRemote({ url: server.url, token: server.token });
    const artifact = { mediaType: 'text/plain', digest: digestOf(tooLarge), size: tooLarge.length };
    await expect(remote.upload(artifact, file)).rejects.toMatchObject({ kind: 'full', message: 'answers 507' });
    await remote.close();
    const statuses: number[] = [];
    const stored: Buffer[] = [];
    for (let index = 0; index < 10; index++) {
      const content = freshBytes(1_000_000);
      const { status } = await server.put(`/cas/${hexOf(content)}`, content);
      statuses.push(status);
      if (status === 200) {
        stored.push(content);
      }
    }
    expect(new Set(statuses)).toEqual(new Set([200, 507]));
    expect(stored.length).toBeGreaterThan(4);
    const answers = await Promise.all(stored.map((content) => server.get(`/cas/${hexOf(content)}`)));
    expect(answers.map(({ status, body }, index) => status === 404 || body.equals(stored[index]!))).not.toContain(
      false,
    );
    expect((await server.get(`/cas/${hexOf(stored.at(-1)!)}`)).body.equals(stored.at(-1)!)).toBe(true);
    expect(await server.ask('GET', '/health')).toMatchObject({ status: 200 });
    // from inside of its mount namespace: nothing half-made is left
    const pid = String(server.process?.pid);
    const left = execFileSync('ls', [`/proc/${pid}/root${server.folder}/incoming`], { encoding: 'utf8' });
    expect(left).toBe('');
  });
});
