import { spawnSync } from 'node:child_process';
import {
  ActionFailed,
  runAction,
  openUserStore,
  layerMediaType,
  packScript,
  scriptInput,
  type LayerDescriptor,
} from '@strata/sandbox';
import { initramfsAction, squashfsAction } from '@strata/image';
import { bootTestAction, emulation, extensionTestAction, type Step } from '@strata/vm';
import type { Descriptor, Store } from '@strata/store';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot, toolchain } from './rig.js';

/** A root of nothing but a static busybox: the smallest thing that boots. */
const script = `
  cd /strata/root
  mkdir -p bin sbin dev proc sys tmp etc run
  cp /usr/bin/busybox bin/busybox
  for applet in sh echo cat sleep uname true false mount mkdir tar; do ln -s busybox bin/$applet; done
  printf '#!/bin/sh\\necho ready\\nexec /bin/sh -i < /dev/ttyS0 > /dev/ttyS0 2>&1\\n' > sbin/init
  chmod +x sbin/init
  python3 /strata/in/bin/pack.py delta --upper /strata/upper`;

describe('a boot test', () => {
  let store: Store;
  let machine: { kernel: Descriptor; initramfs: Descriptor; disk: Descriptor };
  const vm = toolchain('vm-toolchain');
  const kernel = (
    JSON.parse(readFileSync(join(repositoryRoot, 'dist/examples/ram-os/kernel/strata/build.json'), 'utf8')) as {
      outputs: Record<string, Descriptor>;
    }
  ).outputs;

  beforeAll(async () => {
    store = await openUserStore();
    const layer = (
      await runAction(store, {
        label: 'test:root',
        toolchain: vm,
        rootfs: { lower: [] },
        inputs: [scriptInput('pack.py', packScript)],
        argv: ['sh', '-euc', script],
        outputs: { 'layer.tar.zst': layerMediaType },
      })
    ).result.outputs['layer.tar.zst'] as LayerDescriptor;
    const squashfs = {
      label: 'test:squashfs',
      toolchain: vm,
      layers: [layer],
      exclude: [],
      compression: { algorithm: 'zstd' as const, level: 3 },
    };
    const initramfs = {
      label: 'test:initramfs',
      toolchain: vm,
      modules: kernel['modules.tar.zst'] as LayerDescriptor,
      kernel: kernel['kernel.json']!,
      include: ['virtio_pci', 'virtio_blk', 'loop', 'squashfs', 'overlay'],
      root: '/dev/vda',
      compression: { algorithm: 'zstd' as const },
    };
    const made = await runAction(store, initramfsAction(initramfs));
    const again = await runAction(store, initramfsAction(initramfs), { force: true });
    expect(again.result.outputs['initramfs']?.digest).toBe(made.result.outputs['initramfs']?.digest);
    machine = {
      kernel: kernel['vmlinuz']!,
      initramfs: made.result.outputs['initramfs']!,
      disk: (await runAction(store, squashfsAction(squashfs))).result.outputs['root.squashfs']!,
    };
  }, 120_000);

  const test = (steps: readonly Step[], timeoutSeconds = 60, commandLine = ['quiet']): ReturnType<typeof runAction> =>
    runAction(
      store,
      bootTestAction({
        label: 'test:boot',
        toolchain: vm,
        files: { ...machine, commandLine, memory: '256M', cpus: 1 },
        timeoutSeconds,
        steps,
        acceleration: emulation,
      }),
    );

  const report = async (failing: Promise<unknown>): Promise<string> => {
    const error: unknown = await failing.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ActionFailed);
    const { report: said } = error as ActionFailed;
    return [said?.message, ...(said?.details ?? [])].join('\n');
  };

  it('goes through its steps in a machine that runs from RAM, and is not run twice', async () => {
    const steps: Step[] = [
      { expect: 'ready' },
      { run: 'uname -s', output: 'Linux' },
      { run: 'cat /proc/mounts', output: '/overlay \\/ overlay/' },
      { run: 'echo "two words"; echo more', output: 'two words\nmore' },
      { run: 'false', status: 1 },
    ];
    expect((await test(steps)).ran).toBe(true);
    expect((await test(steps)).ran).toBe(false);
  });

  it('says which step printed or returned something else', async () => {
    expect(await report(test([{ run: 'echo one', output: 'two' }]))).toContain(
      "step 1 (run: echo one): it printed 'one', not 'two'",
    );
    expect(await report(test([{ expect: 'ready' }, { run: 'true', status: 7 }]))).toContain(
      'step 2 (run: true): the exit status is 0, not 7',
    );
  });

  it('notices a panic at once, and shows what led to it', async () => {
    const said = await report(test([{ expect: 'ready' }], 60, ['quiet', 'init=/bin/false']));
    expect(said).toContain('Kernel panic');
    expect(spawnSync('pgrep', ['-f', 'qemu-system-x86_64.*init=/bin/false']).status).toBe(1);
  });

  it('of an extension shows what a system says that refuses it', async () => {
    const refused = runAction(
      store,
      extensionTestAction({
        label: 'test:extension',
        toolchain: vm,
        system: 'tiny',
        files: { ...machine, commandLine: ['quiet'], memory: '256M', cpus: 1 },
        timeoutSeconds: 60,
        logIn: [{ expect: 'ready' }, { run: 'cat /etc/hostname', output: '/No such file/', status: 1 }],
        steps: [],
        extension: { name: 'jq', type: 'sysext', files: { 'jq.raw': machine.disk }, services: [] },
        acceleration: emulation,
      }),
    );
    // what is missing there, nobody has to declare here
    await expect(refused).rejects.toMatchObject({ undeclared: { paths: [], hosts: [] } });
    expect(await report(refused)).toBe(
      'tiny refuses the extension jq\nthe system has no systemd-sysext: it came with systemd 248',
    );
  });

  it('says which step waited when the time is over', async () => {
    expect(await report(test([{ expect: 'ready' }, { expect: 'never' }], 12))).toContain(
      'step 2 (expect: never): the time limit is over',
    );
  });
});
