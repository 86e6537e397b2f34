import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { absolutePath, digestOf, type AbsolutePath } from '@strata/fingerprint';
import { openStore, type Store } from './index.js';
import { remove } from './testing/processes.js';

describe('an unpacked tree', () => {
  let root: AbsolutePath;
  let store: Store;
  let made: number;
  const name = digestOf('tree');

  const tree = (): Promise<AbsolutePath> =>
    store.tree(name, (folder) => {
      made++;
      writeFileSync(join(folder, 'file'), 'x');
      return Promise.resolve();
    });

  beforeEach(async () => {
    root = absolutePath(mkdtempSync('/var/tmp/strata-store-'));
    store = await openStore({ root, remove });
    made = 0;
  });

  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  it('is made once, and not at all when its making fails', async () => {
    await expect(store.tree(name, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(readdirSync(join(root, 'trees'))).toEqual([]);
    const [first, second] = await Promise.all([tree(), tree()]);
    expect(first).toBe(second);
    expect(made).toBe(1);
    expect(readdirSync(first)).toEqual(['file']);
  });

  it('is made again where its folder is gone', async () => {
    rmSync(await tree(), { recursive: true });
    expect(readdirSync(await tree())).toEqual(['file']);
    expect(made).toBe(2);
  });

  it.each(['', '"sha256:', '"not a digest"', 'null', JSON.stringify(digestOf('another tree'))])(
    'is made again where its label reads %s',
    async (text) => {
      const folder = await tree();
      writeFileSync(join(folder, 'stray'), 'x');
      writeFileSync(`${folder}.json`, text);
      expect(readdirSync(await tree())).toEqual(['file']);
      expect(made).toBe(2);
      await tree();
      expect(made).toBe(2);
    },
  );

  it('is made again where its maker died before the label', async () => {
    const folder = await tree();
    rmSync(`${folder}.json`);
    writeFileSync(join(folder, 'stray'), 'x');
    expect(readdirSync(await tree())).toEqual(['file']);
  });

  it('leaves nothing where it cannot be put into its place', async () => {
    const making = store.tree(name, async (folder) => {
      // sits where the label goes
      mkdirSync(`${join(root, 'trees', name.slice(7, 23))}.json`);
      await writeFile(join(folder, 'file'), 'x');
    });
    await expect(making).rejects.toThrow(/EISDIR|ERR_FS_EISDIR|directory/);
    expect(existsSync(join(root, 'trees', name.slice(7, 23), 'file'))).toBe(false);
  });
});
