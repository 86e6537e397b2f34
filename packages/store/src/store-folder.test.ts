import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import { openStore, storeRoot } from './index.js';
import { killStarted, printed, remove, startScript } from './testing/processes.js';

describe('where the store lies', () => {
  it('is what the environment says, as the XDG specification wants it', () => {
    expect(storeRoot({ STRATA_STORE: '/a/b/' })).toBe('/a/b');
    expect(storeRoot({ XDG_CACHE_HOME: '/cache' })).toBe('/cache/strata');
    expect(storeRoot({ XDG_CACHE_HOME: 'relative' })).toMatch(/\.cache\/strata$/);
    expect(() => storeRoot({ STRATA_STORE: 'relative' })).toThrow('not an absolute path');
  });
});

describe('the folder of a store', () => {
  let folder: AbsolutePath;
  const path = (...names: string[]): AbsolutePath => absolutePath(join(folder, ...names));

  beforeEach(() => {
    folder = absolutePath(mkdtempSync('/var/tmp/strata-store-'));
  });

  afterEach(async () => {
    await killStarted();
    rmSync(folder, { recursive: true });
  });

  it('is made where it is missing, for its user alone', async () => {
    await openStore({ root: path('deep', 'store'), remove });
    expect(statSync(path('deep', 'store')).mode & 0o777).toBe(0o700);
    expect(statSync(path('deep', 'store', 'trees')).mode & 0o777).toBe(0o700);
    expect(JSON.parse(readFileSync(path('deep', 'store', 'oci-layout'), 'utf8'))).toEqual({
      imageLayoutVersion: '1.0.0',
    });
  });

  it('may be empty, or the root of a file system', async () => {
    mkdirSync(path('lost+found'));
    await openStore({ root: folder, remove });
    await openStore({ root: folder, remove });
  });

  it('is no folder of somebody else, and nothing in that is touched', async () => {
    mkdirSync(path('logs'));
    writeFileSync(path('logs', 'precious'), 'x');
    await expect(openStore({ root: folder, remove })).rejects.toMatchObject({
      name: 'UserError',
      message: expect.stringContaining('is not a store of Strata') as unknown,
      hint: expect.stringContaining('STRATA_STORE') as unknown,
    });
    expect(readdirSync(folder)).toEqual(['logs']);
    expect(readdirSync(path('logs'))).toEqual(['precious']);
  });

  it('is completed where its making was broken off', async () => {
    const { root } = await openStore({ root: path('store'), remove });
    rmSync(path('store', 'actions'), { recursive: true });
    writeFileSync(path('store', 'oci-layout'), '');
    const store = await openStore({ root, remove });
    expect(readFileSync(path('store', 'oci-layout'), 'utf8')).toContain('1.0.0');
    expect((await store.status()).actions.count).toBe(0);
  });

  it('is made by one of many that come at once, and used by all', async () => {
    const script = `await (await open()).put('x', { mediaType: 'text/plain' });`;
    await Promise.all([1, 2, 3, 4].map(() => printed(startScript(path('store'), script))));
    expect((await (await openStore({ root: path('store'), remove })).status()).artifacts.count).toBe(1);
  });

  it('cannot be a file', async () => {
    writeFileSync(path('file'), '');
    await expect(openStore({ root: path('file'), remove })).rejects.toMatchObject({
      name: 'UserError',
      message: expect.stringContaining('cannot be opened') as unknown,
    });
  });
});
