import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { absolutePath, digestOf, hexOf, type AbsolutePath } from '@strata/fingerprint';
import { openStore, type ActionKey, type Descriptor, type Store } from './index.js';
import { kill, killStarted, nextWords, remove, startScript } from './testing/processes.js';

const mediaType = 'text/plain';

describe('collecting', () => {
  let root: AbsolutePath;
  let store: Store;

  beforeEach(async () => {
    root = absolutePath(mkdtempSync('/var/tmp/strata-collect-'));
    store = await openStore({ root, remove });
  });

  afterEach(async () => {
    await killStarted();
    rmSync(root, { recursive: true });
  });

  const blob = ({ digest }: Descriptor): string => join(root, 'blobs/sha256', hexOf(digest));

  /** An artifact of 1000 bytes that was asked for some hours ago. */
  async function old(letter: string, hours: number): Promise<Descriptor> {
    const artifact = await store.put(letter.repeat(1000), { mediaType });
    const then = new Date(Date.now() - hours * 3600_000);
    utimesSync(blob(artifact), then, statSync(blob(artifact)).mtime);
    return artifact;
  }

  it('takes what was not asked for for the longest time, and forgets its actions', async () => {
    const [first, second, third] = [await old('a', 3), await old('b', 2), await old('c', 1)];
    const [one, other] = [digestOf('one') as ActionKey, digestOf('other') as ActionKey];
    await store.record(one, { outputs: { first, third } });
    await store.record(other, { outputs: { third } });
    expect(await store.collect(1500)).toEqual({ freed: 2000, items: 2, left: 1000, needed: 0 });
    expect(readdirSync(join(root, 'blobs/sha256'))).toEqual([hexOf(third.digest)]);
    expect(readdirSync(join(root, 'actions'))).toEqual([`${hexOf(other)}.json`]);
    expect(await store.has(second)).toBe(false);
  });

  it('takes unpacked trees, with what is in them', async () => {
    const tree = await store.tree(digestOf('tree'), (folder) => {
      mkdirSync(join(folder, 'deep'));
      writeFileSync(join(folder, 'deep/file'), 'x'.repeat(10_000));
      return Promise.resolve();
    });
    const then = new Date(Date.now() - 3600_000);
    utimesSync(`${tree}.json`, then, then);
    const { items, freed } = await store.collect(0);
    expect(items).toBe(1);
    expect(freed).toBeGreaterThan(10_000);
    expect(readdirSync(join(root, 'trees'))).toEqual([]);
    expect(readdirSync(join(root, 'scratch')).length).toBeLessThanOrEqual(2);
  });

  it('leaves what another process asked for as long as that lives', async () => {
    const [needed, unneeded] = [await old('a', 3), await old('b', 2)];
    const child = startScript(
      root,
      `const store = await open();
       await store.path(${JSON.stringify(needed)});
       console.log('holds');
       setInterval(() => undefined, 1000);`,
    );
    await nextWords(child);
    expect(await store.collect(0)).toEqual({ freed: 1000, items: 1, left: 1000, needed: 1000 });
    expect(await store.has(needed)).toBe(true);
    expect(await store.has(unneeded)).toBe(false);
    await kill(child);
    expect(await store.collect(0)).toEqual({ freed: 1000, items: 1, left: 0, needed: 0 });
  });

  it('does not take reading everything for its use', async () => {
    const artifact = await old('a', 50);
    const { atimeMs, mtimeMs } = statSync(blob(artifact));
    expect(await store.verify()).toBe(0);
    const after = statSync(blob(artifact));
    expect([Math.round(after.atimeMs), after.mtimeMs]).toEqual([Math.round(atimeMs), mtimeMs]);
  });

  it('removes what is damaged when it is asked to look', async () => {
    const [good, bad] = [await old('a', 1), await old('b', 1)];
    const key = digestOf('action') as ActionKey;
    await store.record(key, { outputs: { bad } });
    rmSync(blob(bad));
    writeFileSync(blob(bad), 'x'.repeat(1000));
    const seen: number[] = [];
    expect(await store.verify(({ done }) => seen.push(done))).toBe(1);
    expect(seen.at(-1)).toBe(2000);
    expect(await store.has(good)).toBe(true);
    expect(await store.has(bad)).toBe(false);
    expect(await store.lookup(key)).toBeUndefined();
  });
});
