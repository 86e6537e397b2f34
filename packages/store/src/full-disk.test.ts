import { mkdtempSync, rmSync } from 'node:fs';
import { UserError } from '@strata/definitions';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import { explainingFullDisk } from './full-disk.js';
import { killStarted, printed, startScript } from './testing/processes.js';

describe('a store on a small file system', () => {
  let folder: AbsolutePath;

  beforeEach(() => {
    folder = absolutePath(mkdtempSync('/var/tmp/strata-store-'));
  });

  afterEach(async () => {
    await killStarted();
    rmSync(folder, { recursive: true });
  });

  /** What a script gives to `tell`, in a mount namespace of its own, where the store's folder is on one of 1 MiB and 64 files. */
  async function onSmallDisk(script: string): Promise<Record<string, unknown>> {
    const mounting = `mount -t tmpfs -o size=1m,nr_inodes=64 tmpfs "$0"; exec "$@"`;
    const prelude = `
      import fs from 'node:fs';
      const disk = root;
      const told = {};
      const tell = async (name, work) => {
        told[name] = await Promise.resolve().then(work).catch((error) => error.lines ?? 'not explained: ' + error.stack);
      };
      const files = () => fs.readdirSync(disk, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && !entry.name.startsWith('filler')).map((entry) => entry.parentPath + '/' + entry.name).sort();
      const untilFull = (work) => {
        for (;;) {
          try { work(); } catch (error) { if (error.code !== 'ENOSPC') throw error; return; }
        }
      };
      const fill = () => untilFull(() => fs.appendFileSync(disk + '/filler', Buffer.alloc(4096)));
      const fillFiles = () => { let count = 0; untilFull(() => fs.closeSync(fs.openSync(disk + '/filler' + count++, 'w'))); };
      const free = () => fs.readdirSync(disk).filter((name) => name.startsWith('filler')).forEach((name) => fs.rmSync(disk + '/' + name));
      const openAt = (name) => openStore({ root: disk + '/' + name, remove });
      const mediaType = 'text/plain';`;
    const under = ['unshare', '--map-root-user', '--mount', 'sh', '-euc', mounting, folder];
    return JSON.parse(
      await printed(startScript(folder, `${prelude}\n${script}\nconsole.log(JSON.stringify(told));`, under)),
    ) as Record<string, unknown>;
  }

  const explained = [
    expect.stringMatching(/^error: the file system of the store .*\/store is full$/),
    expect.stringMatching(/^hint: free some space there/),
  ] as unknown;

  it('says that it is full, whatever is written, leaves nothing half-made, and goes on when there is room', async () => {
    const told = await onSmallDisk(`
      const store = await openAt('store');
      const kept = await store.put('kept', { mediaType });
      const key = digestOf('action');
      const scratch = await store.scratch();
      fs.writeFileSync(scratch.path + '/file', 'adopted');
      fill();
      const before = files();
      await tell('put', () => store.put(Buffer.alloc(8192), { mediaType }));
      await tell('record', () => store.record(key, { outputs: { kept } }));
      await tell('tree', () => store.tree(digestOf('tree'), async (made) => fs.writeFileSync(made + '/file', 'x')));
      await tell('left', () => files().filter((file) => !before.includes(file) && !file.includes('/locks/')));
      await tell('lookup', async () => (await store.lookup(key)) ?? 'nothing');
      await tell('adopt', async () => (await store.adopt(scratch.path + '/file', { mediaType })).digest === digestOf('adopted'));
      await tell('read', () => store.readText(kept));
      free();
      await tell('afterwards', async () => {
        await store.record(key, { outputs: { kept } });
        const tree = await store.tree(digestOf('tree'), async (made) => fs.writeFileSync(made + '/file', 'x'));
        return [(await store.lookup(key)).outputs.kept.size, fs.readdirSync(tree)];
      });`);
    expect(told).toEqual({
      put: explained,
      record: explained,
      tree: explained,
      left: [],
      lookup: 'nothing',
      adopt: true,
      read: 'kept',
      afterwards: [4, ['file']],
    });
  });

  it('says so where not one file more can be made', async () => {
    const told = await onSmallDisk(`
      const store = await openAt('store');
      fillFiles();
      await tell('put', () => store.put('x', { mediaType }));
      await tell('scratch', () => store.scratch());
      await tell('lock', () => store.withLock('new', async () => 'ran'));
      await tell('tree', () => store.tree(digestOf('tree'), async () => {}));
      free();
      await tell('afterwards', async () => store.readText(await store.put('x', { mediaType })));`);
    expect(told).toEqual({ put: explained, scratch: explained, lock: explained, tree: explained, afterwards: 'x' });
  });

  it('says so where the store itself cannot be made, and makes it when there is room', async () => {
    const told = await onSmallDisk(`
      fill();
      await tell('without space', () => openAt('store'));
      fillFiles();
      await tell('without files', () => openAt('store'));
      free();
      await tell('afterwards', async () => {
        const store = await openAt('store');
        return [await store.readText(await store.put('x', { mediaType })), fs.readFileSync(store.root + '/oci-layout', 'utf8')];
      });`);
    expect(told).toEqual({
      'without space': explained,
      'without files': explained,
      afterwards: ['x', '{"imageLayoutVersion":"1.0.0"}'],
    });
  });

  it('can be cleared', async () => {
    const told = await onSmallDisk(`
      const store = await openAt('store');
      for (const byte of [1, 2, 3, 4]) await store.put(Buffer.alloc(16384, byte), { mediaType });
      fill();
      fillFiles();
      await tell('clear', async () => { await store.clear(); return (await store.status()).artifacts.count; });
      await tell('afterwards', async () => store.readText(await store.put('x', { mediaType })));`);
    expect(told).toEqual({ clear: 0, afterwards: 'x' });
  });
});

describe('the explanation of a full disk', () => {
  const explain = (error: unknown): Promise<unknown> =>
    explainingFullDisk(absolutePath('/store'), () => Promise.reject(error as Error)).catch((thrown: unknown) => thrown);

  it('is given for a quota too, and for what was caused by either', async () => {
    const quota = Object.assign(new Error('write'), { code: 'EDQUOT' });
    expect(await explain(quota)).toMatchObject({
      message: 'the file system of the store /store is full',
      cause: quota,
    });
    expect(await explain(new Error('it failed', { cause: quota }))).toBeInstanceOf(UserError);
  });

  it('is not given for anything else', async () => {
    const denied = Object.assign(new Error('write'), { code: 'EACCES' });
    expect(await explain(denied)).toBe(denied);
    expect(await explain(undefined)).toBeUndefined();
    const own = new UserError('known', { hint: 'x', cause: Object.assign(new Error('write'), { code: 'ENOSPC' }) });
    expect(await explain(own)).toBe(own);
  });
});
