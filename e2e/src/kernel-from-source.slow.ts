import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import { sourceKernelAction } from '@strata/image';
import { openUserStore, runAction, type ActionEvent, type LayerStack } from '@strata/sandbox';
import type { Descriptor, Store } from '@strata/store';
import { boot, complaint, makeMachine, type Kernel } from './machine.js';
import { repositoryRoot } from './rig.js';

const minutes = 60_000;
const config = absolutePath(join(repositoryRoot, 'examples/ram-os/kernel-from-source/config'));

/** Takes about ten minutes on two cores: run by `npm test -- --testMatch '**\/*.slow.js'`. */
describe('a kernel from source', () => {
  let store: Store;
  let folder: AbsolutePath;
  let kernel: Kernel;
  let toolchain: LayerStack;
  let source: Descriptor;

  const left = (project: string, target: string): { outputs: Kernel; stack?: LayerStack } =>
    JSON.parse(readFileSync(join(repositoryRoot, `dist/examples/ram-os/${project}/strata/${target}.json`), 'utf8')) as {
      outputs: Kernel;
      stack?: LayerStack;
    };

  const build = (changedConfig: AbsolutePath, jobs: number, onEvent?: (event: ActionEvent) => void): Promise<Kernel> =>
    runAction(
      store,
      sourceKernelAction({ label: 'test:source', toolchain, source, config: changedConfig, base: 'tinyconfig', jobs }),
      { force: true, onEvent },
    ).then(({ result }) => result.outputs);

  beforeAll(async () => {
    const words = ['run', 'kernel-from-source:build', '--outputStyle=static'];
    const nx = spawnSync(join(repositoryRoot, 'node_modules/.bin/nx'), words, {
      cwd: repositoryRoot,
      encoding: 'utf8',
    });
    if (nx.status !== 0) {
      throw new Error(`${nx.stdout}${nx.stderr}`.slice(-6000));
    }
    store = await openUserStore();
    folder = absolutePath(mkdtempSync('/var/tmp/strata-kernel-'));
    kernel = left('kernel-from-source', 'build').outputs;
    toolchain = left('kernel-toolchain', 'build').stack ?? [];
    [source] = Object.values(left('kernel-from-source', 'fetch').outputs) as [Descriptor];
  }, 15 * minutes);

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it('boots an image from RAM, and its modules are built in', async () => {
    await boot(store, await makeMachine(store, kernel), [
      { expect: 'ready' },
      { run: 'uname -r -v', output: '/^6\\.\\d+\\.\\d+ #1 .*Tue Nov 14 22:13:20 UTC 2023$/' },
      { run: 'mount | grep " / "', output: '/^overlay on / type overlay/' },
      { run: 'test ! -e /proc/modules' },
    ]);
  });

  it(
    'is refused before anything is compiled where its config lacks what an image needs',
    async () => {
      const lacking = absolutePath(join(folder, 'config'));
      writeFileSync(lacking, readFileSync(config, 'utf8').replaceAll(/^CONFIG_(SQUASHFS|OVERLAY_FS)\w*=.*\n/gm, ''));
      const phases = new Set<string>();
      const refused = build(lacking, 2, (event) => event.type === 'progress' && phases.add(event.progress.phase));
      expect((await complaint(refused))[0]).toMatch(/^the kernel's config lacks CONFIG_OVERLAY_FS, CONFIG_SQUASHFS, /);
      expect(phases).not.toContain('compile');
    },
    5 * minutes,
  );

  it(
    'is the same with another job count',
    async () => {
      expect(await build(config, 1)).toEqual(kernel);
    },
    20 * minutes,
  );
});
