import { gzipSync } from 'node:zlib';
import { encodeActionResult, decodeActionResult } from '@strata/store';
import { digestOf } from '@strata/fingerprint';
import { nxEntry } from './testing/nx-entry.js';
import { freshBytes, hexOf, TestServer } from './testing/rig.js';

const server = new TestServer();
beforeAll(() => server.start());
afterAll(() => server.dispose());

/** A key that nobody used before. */
const freshKey = (): string => hexOf(freshBytes(16));

function action(...contents: readonly Buffer[]): Buffer {
  const outputs = contents.map((content, index) => [
    `output${index}`,
    { mediaType: 'text/plain', digest: digestOf(content), size: content.length },
  ]);
  return Buffer.from(encodeActionResult({ outputs: Object.fromEntries(outputs) as never }));
}

describe("Nx's protocol", () => {
  it('gives what was put, whatever it is', async () => {
    const entry = gzipSync('an entry of another plugin');
    expect(await server.get('/v1/cache/1234567890')).toMatchObject({ status: 404 });
    expect(await server.put('/v1/cache/1234567890', entry)).toMatchObject({ status: 200, text: '' });
    const { status, headers, body } = await server.get('/v1/cache/1234567890');
    expect([status, headers['content-type'], body]).toEqual([200, 'application/octet-stream', entry]);
  });

  it('lets the first write win, and takes the same once more', async () => {
    expect(await server.put('/v1/cache/first', 'one')).toMatchObject({ status: 200 });
    expect(await server.put('/v1/cache/first', 'two')).toMatchObject({ status: 409 });
    expect(await server.put('/v1/cache/first', 'one')).toMatchObject({ status: 200 });
    expect(await server.get('/v1/cache/first')).toMatchObject({ status: 200, text: 'one' });
  });

  it('has an entry of ours only with every artifact that it names, and may write it again until then', async () => {
    const [own, parent] = [freshBytes(3000), freshBytes(10)];
    const names = [own, parent].map((content) => ({ hex: hexOf(content), size: content.length }));
    const entry = await nxEntry([names[0]!], names);
    expect(await server.put('/v1/cache/ours', entry)).toMatchObject({ status: 200 });
    await server.putArtifact(own);
    expect(await server.get('/v1/cache/ours')).toMatchObject({ status: 404 });
    const again = await nxEntry([names[0]!], names.toReversed());
    expect(await server.put('/v1/cache/ours', again)).toMatchObject({ status: 200 });
    await server.putArtifact(parent);
    expect(await server.get('/v1/cache/ours')).toMatchObject({ status: 200, body: again });
    expect(await server.put('/v1/cache/ours', entry)).toMatchObject({ status: 409 });
  });

  it('takes a size that is not the one of the artifact for another artifact', async () => {
    const hex = await server.putArtifact('content');
    await server.put('/v1/cache/size', await nxEntry([{ hex, size: 6 }]));
    expect(await server.get('/v1/cache/size')).toMatchObject({ status: 404 });
  });
});

describe('actions', () => {
  it('are there with all their artifacts, and the first write wins', async () => {
    const [content, key] = [freshBytes(100), freshKey()];
    const bytes = action(content);
    expect(await server.put(`/ac/${key}`, bytes)).toMatchObject({ status: 200 });
    expect(await server.get(`/ac/${key}`)).toMatchObject({ status: 404 });
    const other = action(content, content.subarray(1));
    expect(await server.put(`/ac/${key}`, other)).toMatchObject({ status: 200 });
    expect(await server.put(`/ac/${key}`, bytes)).toMatchObject({ status: 200 });
    const hex = await server.putArtifact(content);
    const { status, body } = await server.get(`/ac/${key}`);
    expect([status, decodeActionResult(body).outputs['output0']?.digest]).toEqual([200, `sha256:${hex}`]);
    expect(await server.ask('HEAD', `/ac/${key}`)).toMatchObject({
      status: 200,
      headers: { 'content-length': String(bytes.length) },
    });
    expect(await server.put(`/ac/${key}`, other)).toMatchObject({ status: 409 });
    expect(await server.put(`/ac/${key}`, bytes)).toMatchObject({ status: 200 });
  });

  it('are ActionResults', async () => {
    for (const body of ['', '<html></html>', action(Buffer.from('x')).subarray(0, 20)]) {
      expect(await server.put(`/ac/${freshKey()}`, body)).toMatchObject({ status: 400 });
    }
  });
});

describe('artifacts', () => {
  it('come back as they were, in parts too', async () => {
    const content = freshBytes(700_000);
    const hex = await server.putArtifact(content);
    expect((await server.get(`/cas/${hex}`)).body.equals(content)).toBe(true);
    expect(await server.ask('HEAD', `/cas/${hex}`)).toMatchObject({
      status: 200,
      headers: { 'content-length': '700000', 'accept-ranges': 'bytes' },
    });
    const range = (text: string): ReturnType<typeof server.ask> =>
      server.ask('GET', `/cas/${hex}`, { headers: { Range: text } });
    const rest = await range('bytes=300000-');
    expect([rest.status, rest.headers['content-range']]).toEqual([206, 'bytes 300000-699999/700000']);
    expect(rest.body.equals(content.subarray(300_000))).toBe(true);
    expect((await range('bytes=5-9')).body).toEqual(content.subarray(5, 10));
    expect((await range('bytes=-3')).body).toEqual(content.subarray(-3));
    expect((await range('bytes=699999-9999999')).body).toEqual(content.subarray(-1));
    expect(await range('bytes=700000-')).toMatchObject({
      status: 416,
      headers: { 'content-range': 'bytes */700000' },
    });
    for (const odd of ['bytes=9-5', 'bytes=0-1,5-6', 'lines=1-2', 'bytes=--', 'bytes=-']) {
      expect([odd, (await range(odd)).status]).toEqual([odd, odd === 'bytes=9-5' ? 416 : 200]);
    }
  });

  it('may be empty', async () => {
    const hex = await server.putArtifact('');
    expect(await server.get(`/cas/${hex}`)).toMatchObject({
      status: 200,
      text: '',
      headers: { 'content-length': '0' },
    });
  });

  it('are not taken where the content has another digest', async () => {
    const hex = hexOf('what it should be');
    expect(await server.put(`/cas/${hex}`, 'what it is')).toMatchObject({
      status: 400,
      text: `the content has the digest ${hexOf('what it is')}\n`,
    });
    expect(await server.get(`/cas/${hex}`)).toMatchObject({ status: 404 });
    expect(await server.ask('HEAD', `/cas/${hex}`)).toMatchObject({ headers: { 'upload-offset': '0' } });
    await server.putArtifact('what it should be');
    expect(await server.put(`/cas/${hex}`, 'what it is')).toMatchObject({ status: 400 });
    expect(await server.get(`/cas/${hex}`)).toMatchObject({ status: 200, text: 'what it should be' });
  });

  it('come in parts', async () => {
    const content = freshBytes(10_000);
    const path = `/cas/${hexOf(content)}`;
    const part = (start: number, end: number, body = content.subarray(start, end)): ReturnType<typeof server.ask> =>
      server.ask('PUT', path, { body, headers: { 'Content-Range': `bytes ${start}-${end - 1}/10000` } });
    const offset = async (): Promise<unknown> => (await server.ask('HEAD', path)).headers['upload-offset'];
    expect(await part(0, 4000)).toMatchObject({ status: 202, headers: { 'upload-offset': '4000' } });
    expect(await offset()).toBe('4000');
    expect(await part(5000, 6000)).toMatchObject({ status: 409, headers: { 'upload-offset': '4000' } });
    expect(await part(4000, 9000)).toMatchObject({ status: 202, headers: { 'upload-offset': '9000' } });
    expect(await server.get(path)).toMatchObject({ status: 404 });
    expect(await part(9000, 10_000)).toMatchObject({ status: 200 });
    expect((await server.get(path)).body.equals(content)).toBe(true);
  });

  it('start anew where the beginning was wrong', async () => {
    const content = freshBytes(1000);
    const path = `/cas/${hexOf(content)}`;
    const send = (start: number, body: Buffer): ReturnType<typeof server.ask> =>
      server.ask('PUT', path, {
        body,
        headers: { 'Content-Range': `bytes ${start}-${start + body.length - 1}/1000` },
      });
    expect(await send(0, Buffer.alloc(500))).toMatchObject({ status: 202 });
    expect(await send(500, content.subarray(500))).toMatchObject({ status: 400 });
    expect(await server.ask('HEAD', path)).toMatchObject({ status: 404, headers: { 'upload-offset': '0' } });
    expect(await server.put(path, content)).toMatchObject({ status: 200 });
  });

  it('are not taken where header and body do not fit', async () => {
    const path = `/cas/${hexOf('0123456789')}`;
    for (const range of ['bytes 0-8/10', 'bytes 0-10/11', 'bytes 5-14/10', 'bytes */10', 'nonsense']) {
      const { status } = await server.ask('PUT', path, { body: '0123456789', headers: { 'Content-Range': range } });
      expect([range, status]).toEqual([range, 400]);
    }
  });
});
