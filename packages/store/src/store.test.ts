import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { absolutePath, digestOf, hexOf, type AbsolutePath } from '@strata/fingerprint';
import {
  descriptorSchema,
  MissingArtifact,
  openStore,
  WrongDigest,
  type ActionKey,
  type Descriptor,
  type Store,
} from './index.js';
import { remove } from './testing/processes.js';

const mediaType = 'text/plain';
const key = digestOf('action') as ActionKey;

describe('a store', () => {
  let root: AbsolutePath;
  let store: Store;
  const blob = ({ digest }: Descriptor): string => join(root, 'blobs/sha256', hexOf(digest));
  const record = (text: string): void => {
    writeFileSync(join(root, 'actions', `${hexOf(key)}.json`), text);
  };

  beforeEach(async () => {
    root = absolutePath(mkdtempSync('/var/tmp/strata-store-'));
    store = await openStore({ root, remove });
  });

  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  it('keeps artifacts by their digests, as an OCI image layout does', async () => {
    const artifact = await store.put('hello', { mediaType });
    expect(artifact).toEqual({ mediaType, digest: digestOf('hello'), size: 5 });
    expect(await store.readText(artifact)).toBe('hello');
    expect(statSync(blob(artifact)).mode & 0o777).toBe(0o444);
    expect(existsSync(join(root, 'oci-layout'))).toBe(true);
  });

  it('refuses content with another digest than expected, and leaves nothing', async () => {
    await expect(store.put('lie', { mediaType, expect: digestOf('truth') })).rejects.toThrow(WrongDigest);
    expect(readdirSync(join(root, 'blobs/sha256'))).toEqual([]);
  });

  it('leaves nothing of a stream that breaks', async () => {
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from('half');
        await Promise.resolve();
        throw new Error('cut off');
      })(),
    );
    await expect(store.put(broken, { mediaType })).rejects.toThrow('cut off');
    expect(readdirSync(join(root, 'blobs/sha256'))).toEqual([]);
    const [own = ''] = readdirSync(join(root, 'scratch')).filter((name) => !name.endsWith('.lock'));
    expect(readdirSync(join(root, 'scratch', own))).toEqual([]);
  });

  it('takes files over, unless they are others than expected', async () => {
    const scratch = await store.scratch();
    const file = absolutePath(join(scratch.path, 'file'));
    writeFileSync(file, 'made', { mode: 0o666 });
    await expect(store.adopt(file, { mediaType, expect: digestOf('else') })).rejects.toThrow(WrongDigest);
    const artifact = await store.adopt(file, { mediaType, annotations: { note: 'of it' } });
    expect(artifact).toEqual({ mediaType, digest: digestOf('made'), size: 4, annotations: { note: 'of it' } });
    expect(existsSync(file)).toBe(false);
    expect(statSync(blob(artifact)).mode & 0o777).toBe(0o444);
  });

  it('knows an action only while every artifact that it names is there and whole', async () => {
    const artifact = await store.put('made', { mediaType });
    await store.record(key, { outputs: { made: artifact }, facts: { seconds: 1 } });
    expect(await store.lookup(key)).toEqual({ outputs: { made: artifact }, facts: { seconds: 1 } });
    truncateSync(blob(artifact), 2);
    expect(await store.lookup(key)).toBeUndefined();
    rmSync(blob(artifact));
    expect(await store.lookup(key)).toBeUndefined();
  });

  it('has no artifact that was cut off, until it is made again', async () => {
    const artifact = await store.put('made', { mediaType });
    expect(await store.has(artifact)).toBe(true);
    truncateSync(blob(artifact), 2);
    expect(await store.has(artifact)).toBe(false);
    await expect(store.path(artifact)).rejects.toThrow(MissingArtifact);
    expect(await store.find(artifact.digest, mediaType)).toBeUndefined();
    await store.put('made', { mediaType });
    expect(await store.readText(artifact)).toBe('made');
    expect(await store.find(artifact.digest, mediaType)).toEqual(artifact);
    expect(await store.find(digestOf('else'), mediaType)).toBeUndefined();
  });

  it('drops an artifact that somebody wrote into, and tells of it; one that was copied here is read once', async () => {
    const told: string[] = [];
    const watched = await openStore({ root, remove, onDamaged: (file) => told.push(file) });
    const artifact = await watched.put('made', { mediaType });
    const file = await watched.path(artifact);
    const { mtimeMs } = statSync(file);
    utimesSync(file, new Date(), new Date());
    expect(await watched.has(artifact)).toBe(true);
    expect(statSync(file).mtimeMs).toBe(mtimeMs);
    chmodSync(file, 0o644);
    writeFileSync(file, 'mode');
    expect(await watched.has(artifact)).toBe(false);
    expect(existsSync(file)).toBe(false);
    expect(told).toEqual([file]);
  });

  it('takes a record that nobody can read for no record', async () => {
    const artifact = await store.put('made', { mediaType });
    await store.record(key, { outputs: { made: artifact } });
    const good = JSON.stringify({ outputs: { made: artifact } });
    const bad = ['', '{"outputs":{"ma', 'null', '[]', '{}', '\0\0\0\0', good.replace('sha256:', 'sha512:')];
    for (const text of [...bad, good.replace(/sha256:.{10}/, 'sha256:'), good.replace('"size":4', '"size":"4"')]) {
      record(text);
      expect(await store.lookup(key)).toBeUndefined();
    }
    record(good);
    expect(await store.lookup(key)).toBeDefined();
  });

  it('refuses a bad descriptor without throwing', () => {
    const good = { mediaType, digest: digestOf('x'), size: 1 };
    expect(descriptorSchema.safeParse(good).success).toBe(true);
    for (const digest of ['', 'sha256:bad', digestOf('x').toUpperCase(), `${digestOf('x')}/..`, 1, null, undefined]) {
      expect(descriptorSchema.safeParse({ ...good, digest }).success).toBe(false);
    }
  });
});
