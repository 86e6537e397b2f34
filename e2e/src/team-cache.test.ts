import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { freePort, proxyTo, serve, type Proxy } from '@strata/store/testing/servers.js';
import { CacheProcess } from './cache-process.js';
import { Workspace, type Outcome } from './rig.js';

const minutes = 60_000;

// the store outlives a run of this test: what it builds has to be new each time
const unique = `${process.pid}-${Date.now()}`;

/** Enough that moving it would be noticed, and not to be packed into less. */
const noise = Array.from({ length: 20_000 }, (_, index) =>
  createHash('sha256').update(`${unique} ${index}`).digest('base64'),
).join('\n');

const files = {
  'os/notes/layer.yaml':
    'name: notes\nfrom: scratch\ntoolchain: vm-toolchain\ntrees:\n  - { source: tree, target: /srv }\n',
  'os/notes/tree/noise': noise,
  'os/notes-image/image.yaml': 'name: notes-image\nlayers: [notes]\n',
  'os/dice/layer.yaml': 'name: dice\nfrom: scratch\ntoolchain: vm-toolchain\nscripts: [throw.sh]\n',
  'os/dice/throw.sh': `#!/bin/sh\n# ${unique}\nmkdir -p "$ROOT/srv"; head -c 16 /dev/urandom > "$ROOT/srv/dice"\n`,
  'os/dice-image/image.yaml': 'name: dice-image\nlayers: [dice]\n',
  'os/ebuilds/repository.yaml': 'name: ebuilds\n',
  'os/ebuilds/profiles/repo_name': 'ebuilds\n',
};
const options = { projects: ['toolchain', 'vm-toolchain'], files };

/** Digests that a task's output names, by the names of its files. */
function outputs(workspace: Workspace, file: string): Record<string, { digest: string; size: number }> {
  return (JSON.parse(workspace.read(file)) as { outputs: Record<string, { digest: string; size: number }> }).outputs;
}

function digestOf(file: string): string {
  return `sha256:${createHash('sha256').update(readFileSync(file)).digest('hex')}`;
}

/** Deletes artifacts from a folder, wherever in it they lie. */
function lose(folder: string, digests: readonly string[]): void {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile() && digests.some((digest) => entry.name.startsWith(digest.slice('sha256:'.length)))) {
      rmSync(join(entry.parentPath, entry.name));
    }
  }
}

function expectGood({ status, output }: Outcome): void {
  expect([status, output.slice(-3000)]).toEqual([0, expect.anything()]);
}

describe('a team', () => {
  const cache = new CacheProcess();
  let one: Workspace;
  let two: Workspace;
  let wire: Proxy;

  beforeAll(async () => {
    await cache.start();
    wire = await proxyTo(cache.port);
    one = new Workspace('shared', { ...options, environment: cache.variables });
    // as in a company: nothing of this machine is behind its proxy
    const proxies = { HTTP_PROXY: `http://127.0.0.1:${await freePort()}`, NO_PROXY: 'intranet.example' };
    const farther = { ...cache.variables, ...proxies, NX_SELF_HOSTED_REMOTE_CACHE_SERVER: wire.url };
    two = new Workspace('empty', { ...options, environment: farther });
  }, 5 * minutes);

  afterAll(async () => {
    one.dispose();
    two.dispose();
    await wire.stop();
    await cache.dispose();
  });

  /** Makes the server and the second machine lose artifacts. */
  async function loseEverywhere(...artifacts: readonly ({ readonly digest: string } | undefined)[]): Promise<void> {
    await cache.stop();
    for (const folder of [cache.folder, join(two.store, 'blobs')]) {
      lose(
        folder,
        artifacts.map((artifact) => artifact?.digest ?? ''),
      );
    }
    await cache.start();
  }

  it(
    'builds nothing that one of it has built, and moves next to nothing',
    async () => {
      const first = await one.nxAside(['run', 'notes-image:build', '--outputStyle=static']);
      expectGood(first);
      expect(first.ran).toEqual(['notes:build', 'notes-image:build']);
      const second = await two.nxAside(['run', 'notes-image:build', '--outputStyle=static']);
      expectGood(second);
      expect(second.ran).toEqual([]);
      expect(second.output).toContain('notes-image:build  [remote cache]');
      expect(readdirSync(join(two.store, 'blobs/sha256'))).toEqual([]);
      expect(wire.moved()).toBeLessThan(1_000_000);
    },
    5 * minutes,
  );

  it(
    'builds nothing with other hashes of Nx’s either, and then fetches just what is exported',
    async () => {
      two.write('nx.json', two.read('nx.json').replace('{', '{ "parallel": 2,'));
      const before = wire.moved();
      const second = await two.nxAside(['run', 'notes-image:build', '--outputStyle=static']);
      expectGood(second);
      expect(second.ran).toEqual([]);
      expect(second.output).toContain('notes:build  unchanged');
      expect(wire.moved() - before).toBeLessThan(1_000_000);
      const started = wire.moved();
      expectGood(await two.nxAside(['run', 'notes-image:export', '--outputStyle=static']));
      const image = outputs(two, 'dist/os/notes-image/strata/build.json')['root.squashfs'];
      expect(digestOf(join(two.root, 'dist/os/notes-image/root.squashfs'))).toBe(image?.digest);
      expect(image?.size).toBeGreaterThan(400_000);
      expect(wire.moved() - started).toBeLessThan((image?.size ?? 0) + 100_000);
    },
    5 * minutes,
  );

  it(
    'has what is gone everywhere made again, however deep, and says so',
    async () => {
      const layer = outputs(two, 'dist/os/notes/strata/build.json')['layer.tar.zst'];
      const image = outputs(two, 'dist/os/notes-image/strata/build.json')['root.squashfs'];
      await loseEverywhere(layer, image);
      two.remove('dist/os/notes-image/root.squashfs');
      const again = await two.nxAside(['run', 'notes-image:export', '--outputStyle=static']);
      expectGood(again);
      expect(again.output).toMatch(/notes-image:build {2}runs again: .* is gone from the store and its remotes/);
      expect(again.output).toMatch(/notes:build {2}runs again: .* is gone from the store and its remotes/);
      expect(again.ran).toEqual(['notes:build', 'notes-image:build']);
      expect(digestOf(join(two.root, 'dist/os/notes-image/root.squashfs'))).toBe(image?.digest);
      // and is shared again
      expect(two.strata('store', 'status').output).not.toContain('wait to be uploaded');
    },
    5 * minutes,
  );

  it(
    'is told of a producer that is not reproducible, whose results are dropped',
    async () => {
      const nx = (): Promise<Outcome> => two.nxAside(['run', 'dice-image:export', '--outputStyle=static']);
      expectGood(await nx());
      const layer = outputs(two, 'dist/os/dice/strata/build.json')['layer.tar.zst'];
      const image = outputs(two, 'dist/os/dice-image/strata/build.json')['root.squashfs'];
      await loseEverywhere(layer, image);
      for (const name of readdirSync(join(two.store, 'trees'))) {
        if (existsSync(join(two.store, 'trees', name, 'srv/dice'))) {
          rmSync(join(two.store, 'trees', name), { recursive: true });
        }
      }
      const failed = await nx();
      expect(failed.status).toBe(1);
      expect(failed.output).toContain(
        `dice:build is not reproducible: it made something else than ${layer?.digest.slice(0, 19)}`,
      );
      const next = await nx();
      expectGood(next);
      expect(next.ran).toEqual(['dice-image:build']);
    },
    5 * minutes,
  );

  const troubles: Record<string, RequestListener | undefined> = {
    'cannot be reached': undefined,
    'answers 502': (request, response) => request.resume().once('end', () => response.writeHead(502).end()),
    'does not answer': () => undefined,
  };

  it.each(Object.keys(troubles))(
    'goes on, Nx’s own client too, where its cache %s',
    async (what) => {
      const answer = troubles[what];
      const server = answer === undefined ? undefined : await serve(answer);
      const url = server?.url ?? `http://127.0.0.1:${await freePort()}`;
      const { status, output } = await two.nxAside(['run', 'ebuilds:snapshot', '--outputStyle=static'], {
        NX_SELF_HOSTED_REMOTE_CACHE_SERVER: url,
        NX_CACHE_DIRECTORY: join(two.root, '.nx-cache', what.replaceAll(' ', '-')),
      });
      expect([status, output]).toEqual([0, expect.stringContaining('Successfully ran')]);
      expect(output.match(/warning: /g)).toHaveLength(1);
      expect(output).toContain(`warning: the cache ${url}`);
      expect(output).toContain(what);
      await server?.stop();
    },
    5 * minutes,
  );
});
