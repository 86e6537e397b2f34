import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { absolutePath, digestOf, hexOf, type AbsolutePath } from '@strata/fingerprint';
import { openStore, type ActionKey, type Descriptor, type Store } from './index.js';
import { kill, killStarted, nextWords, printed, remove, startScript } from './testing/processes.js';

const mediaType = 'text/plain';
const key = digestOf('action') as ActionKey;
const wait = 'setInterval(() => {}, 1000);';

describe('clearing a store', () => {
  let root: AbsolutePath;
  let store: Store;
  let kept: Descriptor;
  const path = (...names: string[]): string => join(root, ...names);

  beforeEach(async () => {
    root = absolutePath(mkdtempSync('/var/tmp/strata-store-'));
    store = await openStore({ root, remove });
    kept = await store.put('kept', { mediaType });
    await store.record(key, { outputs: { kept } });
    await store.tree(digestOf('tree'), (folder) => writeFile(join(folder, 'file'), 'x'));
  });

  afterEach(async () => {
    await killStarted();
    rmSync(root, { recursive: true });
  });

  async function expectRefused(who: string): Promise<void> {
    await expect(store.clear()).rejects.toMatchObject({
      name: 'UserError',
      message: `${who} is working in the store ${root}`,
      hint: expect.stringContaining('wait until it is done') as unknown,
    });
    expect(await store.lookup(key)).toEqual({ outputs: { kept } });
    expect(await store.readText(kept)).toBe('kept');
    expect(readdirSync(path('trees'))).toHaveLength(2);
  }

  it('leaves an empty store, which can be used on', async () => {
    for (const folder of ['partial', 'records', 'index']) {
      mkdirSync(path(folder));
      writeFileSync(path(folder, 'file'), 'x');
    }
    mkdirSync(path('scratch', 'left'));
    writeFileSync(path('notes'), 'not ours');
    await store.clear();
    expect(await store.status()).toEqual({
      artifacts: { count: 0, bytes: 0 },
      actions: { count: 0 },
      trees: { count: 0 },
    });
    expect(readdirSync(path('scratch'))).toEqual([]);
    expect(['partial', 'records', 'index'].filter((folder) => existsSync(path(folder)))).toEqual([]);
    expect(existsSync(path('notes'))).toBe(true);
    expect(await store.readText(await store.put('new', { mediaType }))).toBe('new');
    await (await openStore({ root, remove })).put('newer', { mediaType });
  });

  it.each([
    ['has only opened it', `await open();`],
    ['makes something', `await (await open()).scratch();`],
    ['holds a lock', `await (await open()).withLock('x', () => { console.log('up'); return new Promise(() => {}); });`],
    ['reads an artifact', `const store = await open(); await store.lookup(digestOf('action'));`],
  ])('is refused while another process %s', async (_, script) => {
    const child = startScript(root, `${wait} ${script} console.log('up');`);
    await nextWords(child);
    await expectRefused('another process');
    // not even the second time
    await expectRefused('another process');
    await kill(child);
    await store.clear();
    expect((await store.status()).artifacts.count).toBe(0);
  });

  it('is refused while this process itself works in it', async () => {
    const scratch = await store.scratch();
    await expectRefused('this process');
    await scratch.dispose();
    await store.withLock('x', () => expectRefused('this process'));
    const other = await openStore({ root, remove });
    expect(other.root).toBe(root);
    await expectRefused('another process');
  });

  it('lets those wait who open it meanwhile', async () => {
    const order: string[] = [];
    const own = absolutePath(path('own'));
    let opened: Promise<unknown> | undefined;
    const clearing = await openStore({
      root: own,
      remove: async (folder) => {
        opened ??= printed(startScript(own, 'await open();')).then(() => order.push('opened'));
        await remove(folder);
        order.push('removed');
      },
    });
    await clearing.clear();
    await opened;
    expect(order.indexOf('opened')).toBe(order.length - 1);
  });

  it('may be killed at any time, and leaves no tree that counts as whole', async () => {
    const own = absolutePath(path('own'));
    const script = `
      ${wait}
      const store = await openStore({ root, remove: async (folder) => {
        if (folder.endsWith('/trees')) {
          console.log('about to remove');
          await new Promise(() => {});
        }
        await remove(folder);
      } });
      await store.tree(digestOf('tree'), async () => {});
      await store.clear();`;
    const child = startScript(own, script);
    await nextWords(child);
    await kill(child);
    expect(readdirSync(join(own, 'trees'))).toEqual([hexOf(digestOf('tree')).slice(0, 16)]);
    const next = await openStore({ root: own, remove });
    let made = 0;
    await next.tree(digestOf('tree'), () => {
      made++;
      return Promise.resolve();
    });
    expect(made).toBe(1);
  });
});
