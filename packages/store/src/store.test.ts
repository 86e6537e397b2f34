import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { absolutePath, digestOf, hexOf, type AbsolutePath } from '@strata/fingerprint';
import { MissingArtifact, openStore, storeRoot, WrongDigest, type ActionKey, type Store } from './index.js';

const mediaType = 'text/plain';

describe('a store', () => {
  let root: AbsolutePath;
  let store: Store;
  const remove = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true });
  const key = (name: string): ActionKey => digestOf(name) as ActionKey;

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
    const file = join(root, 'blobs/sha256', hexOf(artifact.digest));
    expect(statSync(file).mode & 0o777).toBe(0o444);
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
  });

  it('knows an action only while every artifact that it names is there and whole', async () => {
    const artifact = await store.put('made', { mediaType });
    await store.record(key('action'), { outputs: { made: artifact } });
    expect((await store.lookup(key('action')))?.outputs['made']).toEqual(artifact);
    rmSync(join(root, 'blobs/sha256', hexOf(artifact.digest)));
    expect(await store.lookup(key('action'))).toBeUndefined();
    await expect(store.path(artifact)).rejects.toThrow(MissingArtifact);
  });

  it('takes a truncated record for no record', async () => {
    const artifact = await store.put('made', { mediaType });
    await store.record(key('action'), { outputs: { made: artifact } });
    writeFileSync(join(root, 'actions', `${hexOf(key('action'))}.json`), '{"outputs":{"ma');
    expect(await store.lookup(key('action'))).toBeUndefined();
  });

  it('makes a tree once, and not at all when its making fails', async () => {
    const name = digestOf('tree');
    let made = 0;
    const make = (folder: string): Promise<void> => {
      made++;
      writeFileSync(join(folder, 'file'), 'x');
      return Promise.resolve();
    };
    await expect(store.tree(name, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    const [first, second] = await Promise.all([store.tree(name, make), store.tree(name, make)]);
    expect(first).toBe(second);
    expect(made).toBe(1);
    expect(readdirSync(first)).toEqual(['file']);
  });

  it('frees a lock when its holder is killed', async () => {
    const lock = join(root, 'locks', 'work');
    const holder = spawn('flock', [lock, 'sh', '-c', 'echo held; exec sleep 600'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
    });
    await once(holder.stdout, 'data');
    const events: string[] = [];
    const waiting = store.withLock(
      'work',
      () => Promise.resolve(events.push('ran')),
      () => events.push('waits'),
    );
    while (events.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    process.kill(-(holder.pid ?? 0), 'SIGKILL');
    await waiting;
    expect(events).toEqual(['waits', 'ran']);
  });

  it('removes what a killed process left half-made', async () => {
    const script = `import { openStore } from ${JSON.stringify(new URL('index.js', import.meta.url).href)};
      const store = await openStore({ root: ${JSON.stringify(root)}, remove: async () => {} });
      console.log((await store.scratch()).path);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [data] = (await once(child.stdout, 'data')) as [Buffer];
    const left = data.toString().trim();
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(existsSync(left)).toBe(true);
    await (await openStore({ root, remove })).put('next', { mediaType });
    expect(existsSync(left)).toBe(false);
  });

  it('is not cleared while another process works in it', async () => {
    const other = await openStore({ root, remove });
    const scratch = await other.scratch();
    await store.put('kept', { mediaType });
    await expect(store.clear()).rejects.toThrow('another process is working in the store');
    await scratch.dispose();
  });

  it('says that its file system is full', async () => {
    if (process.getuid?.() !== 0) {
      // only root may mount the small file system that this needs; CI runs as root
      return;
    }
    const small = absolutePath(mkdtempSync('/var/tmp/strata-small-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small]);
    try {
      const full = await openStore({ root: absolutePath(join(small, 'store')), remove });
      await expect(full.put(Buffer.alloc(4 << 20), { mediaType })).rejects.toThrow('is full');
    } finally {
      execFileSync('umount', ['--lazy', small]);
    }
  });
});

describe('where the store lies', () => {
  it('is what the environment says, as the XDG specification wants it', () => {
    expect(storeRoot({ STRATA_STORE: '/a/b/' })).toBe('/a/b');
    expect(storeRoot({ XDG_CACHE_HOME: '/cache' })).toBe('/cache/strata');
    expect(storeRoot({ XDG_CACHE_HOME: 'relative' })).toMatch(/\.cache\/strata$/);
    expect(() => storeRoot({ STRATA_STORE: 'relative' })).toThrow('not an absolute path');
  });
});
