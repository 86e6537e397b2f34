import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { parseDigest } from '@strata/fingerprint';
import { openUserStore } from '@strata/sandbox';
import type { Store } from '@strata/store';
import {
  debFileName,
  fetchLocked,
  formatLock,
  lockRequest,
  parseLock,
  type Lock,
  type LockedPackage,
  type LockReader,
} from '../index.js';

describe('a lock file', () => {
  const files = new Map<string, string>();
  const asked: string[] = [];
  let folder: string;
  let server: Server;
  let mirror: string;
  let store: Store;

  beforeAll(async () => {
    folder = mkdtempSync('/var/tmp/strata-fetch-');
    store = await openUserStore({ STRATA_STORE: join(folder, 'store') });
    server = createServer((request, response) => {
      const path = decodeURIComponent(request.url ?? '').replace('/debian/', '');
      asked.push(path);
      const content = files.get(path);
      response.writeHead(content === undefined ? 404 : 200, { 'content-length': content?.length ?? 0 }).end(content);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}/debian`;
  });

  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await store.clear();
    rmSync(folder, { recursive: true, force: true });
  });

  const entry = (name: string, version: string, content: string): LockedPackage => {
    const hash = createHash('sha256').update(content).digest('hex');
    const file = `pool/main/${name[0] ?? ''}/${name}/${name}_${version}_amd64.deb`;
    const sha256 = parseDigest(`sha256:${hash}`);
    return { name, version, architecture: 'amd64', file, size: content.length, sha256, for: ['root'] };
  };
  /** A package that the mirror has. */
  const served = (name: string, version = '1.0-1', content = `content of ${name}`): LockedPackage => {
    const made = entry(name, version, content);
    files.set(made.file, content);
    return made;
  };
  const lockOf = (...packages: LockedPackage[]): Lock => ({
    suite: 'trixie',
    architecture: 'amd64',
    requested: lockRequest({ packages: packages.map(({ name }) => name) }),
    packages,
    wheels: [],
  });
  const readerOf = ({ suite, requested }: Lock): LockReader => ({
    place: 'os/layer.lock.yaml',
    project: 'base',
    suite,
    requested,
  });
  const fetch = (lock: Lock): ReturnType<typeof fetchLocked> => fetchLocked(store, lock, { project: 'base', mirror });

  it('is read as it was written, one package a line', () => {
    const lock: Lock = {
      ...lockOf(served('b'), { ...served('a++', '1:2~rc+dfsg-1'), for: ['root', 'seed'] }),
      wheels: [{ name: 'portage', version: '3.0', file: 'portage-3.0-py3-none-any.whl', sha256: served('b').sha256 }],
    };
    const text = formatLock(lock);
    expect(parseLock(text, readerOf(lock))).toEqual({ ...lock, packages: [...lock.packages].reverse() });
    expect(text.split('\n').filter((line) => line.startsWith('  - '))).toHaveLength(3);
    expect(formatLock(parseLock(text, readerOf(lock)))).toBe(text);
  });

  it('is refused where the definition has come to ask for something else', () => {
    const lock = lockOf(served('a'), served('b'));
    const reader = { ...readerOf(lock), suite: 'bookworm', requested: lockRequest({ packages: ['b', 'c'] }) };
    let error: unknown;
    try {
      parseLock(formatLock(lock), reader);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({
      name: 'UserError',
      message: 'os/layer.lock.yaml was made for another definition of base',
      details: [
        'suite: trixie is locked, bookworm is asked for',
        'packages: c is new',
        'packages: a is asked for no more',
      ],
      hint: 'write it anew: npx strata update base',
    });
  });

  it('is refused where it is none, with the command that writes it anew', () => {
    for (const text of [
      '',
      '- a',
      'suite: trixie\n',
      formatLock(lockOf(served('a'))).replace('pool/', '../pool/'),
      '{',
    ]) {
      let error: unknown;
      try {
        parseLock(text, readerOf(lockOf()));
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toMatchObject({
        name: 'UserError',
        message: 'os/layer.lock.yaml is no lock file',
        hint: 'write it anew: npx strata update base',
      });
    }
  });

  it('is fetched whole, and nothing of it twice', async () => {
    const packages = Array.from({ length: 40 }, (_, index) => served(`lib${index}++`, `${index}+dfsg~1-1`));
    const lock = lockOf(...packages);
    const fetched = await fetch(lock);
    expect([...fetched.keys()]).toEqual(packages.map(debFileName));
    for (const one of packages) {
      expect(await store.readText(fetched.get(debFileName(one))!)).toBe(`content of ${one.name}`);
    }
    asked.length = 0;
    expect(await fetch(lock)).toEqual(fetched);
    expect(asked).toEqual([]);
  });

  it('names every version that is gone from the mirror, and how to go on', async () => {
    const gone = [
      entry('libstdc++6', '14-1', 'a'),
      entry('cpio', '2.15+dfsg-2', 'b'),
      entry('lz4', '1:1.9~rc1-1', 'c'),
    ];
    await expect(fetch(lockOf(served('there'), ...gone, served('too')))).rejects.toMatchObject({
      name: 'PinnedVersionGone',
      message: `${mirror} no longer has libstdc++6 14-1, cpio 2.15+dfsg-2, lz4 1:1.9~rc1-1`,
      hint: 'move the lock file forward: npx strata update base',
    });
    // what the mirror has is kept
    asked.length = 0;
    await fetch(lockOf(served('there'), served('too')));
    expect(asked).toEqual([]);
  });

  it('takes no other bytes than those that it names, and does not call a mirror that fails one that has moved on', async () => {
    const changed = served('changed');
    files.set(changed.file, 'CONTENT of changed');
    await expect(fetch(lockOf(changed))).rejects.toMatchObject({
      name: 'UserError',
      message: `${changed.file} cannot be fetched from ${mirror}`,
      details: [expect.stringMatching(/Hash Sum mismatch|unexpected size/i), expect.anything()] as unknown,
    });
    const nobody = { project: 'base', mirror: 'http://127.0.0.1:9/debian' };
    await expect(fetchLocked(store, lockOf(entry('far', '1', 'x')), nobody)).rejects.toMatchObject({
      name: 'UserError',
      message: 'pool/main/f/far/far_1_amd64.deb cannot be fetched from http://127.0.0.1:9/debian',
    });
  });
});
