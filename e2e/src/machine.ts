import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { initramfsAction, prebuiltKernelAction, squashfsAction, type InitramfsParameters } from '@strata/image';
import {
  ActionFailed,
  layerMediaType,
  packScript,
  runAction,
  scriptInput,
  type ActionOutcome,
  type LayerDescriptor,
} from '@strata/sandbox';
import type { Descriptor, Store } from '@strata/store';
import { bootTestAction, emulation, type BootFiles, type Step } from '@strata/vm';
import { repositoryRoot, toolchain } from './rig.js';

/** What a kernel action left. */
export type Kernel = Readonly<Record<string, Descriptor>>;

function output(outputs: Kernel, name: string): Descriptor {
  const found = outputs[name];
  if (found === undefined) {
    throw new Error(`there is no output ${name}`);
  }
  return found;
}

/** The package of the example's kernel, as `npm test` has just fetched it. */
export function kernelPackage(): Descriptor {
  const file = join(repositoryRoot, 'dist/examples/ram-os/kernel/strata/fetch.json');
  const { outputs } = JSON.parse(readFileSync(file, 'utf8')) as { outputs: Kernel };
  return output(outputs, Object.keys(outputs)[0] ?? '');
}

/** The example's kernel. */
export async function exampleKernel(store: Store): Promise<Kernel> {
  const action = prebuiltKernelAction({
    label: 'test:kernel',
    toolchain: toolchain('vm-toolchain'),
    deb: kernelPackage(),
  });
  return (await runAction(store, action)).result.outputs;
}

/** What the example's initramfs includes. */
export const modules = ['virtio_pci', 'virtio_blk', 'loop', 'squashfs', 'overlay'];

/** Makes an initramfs. */
export function makeInitramfs(
  store: Store,
  kernel: Kernel,
  changes: Partial<InitramfsParameters> = {},
  force = false,
): Promise<ActionOutcome> {
  const action = initramfsAction({
    label: 'test:initramfs',
    toolchain: toolchain('vm-toolchain'),
    modules: output(kernel, 'modules.tar.zst') as LayerDescriptor,
    kernel: output(kernel, 'kernel.json'),
    include: modules,
    root: '/dev/vda',
    compression: { algorithm: 'zstd', level: 3 },
    ...changes,
  });
  return runAction(store, action, { force });
}

/** A root of nothing but a static busybox, whose init is a shell on the console: the smallest thing that boots. */
const rootScript = `
  cd /strata/root
  mkdir -p bin sbin dev proc sys tmp etc run
  cp /usr/bin/busybox bin/busybox
  for applet in sh mount; do ln -s busybox bin/$applet; done
  printf '#!/bin/sh\\nexport PATH=/bin:/busybox\\nmkdir /busybox\\nbusybox --install -s /busybox\\necho ready: "$@"
exec setsid cttyhack sh -i < /dev/ttyS0 > /dev/ttyS0 2>&1\\n' > sbin/init
  chmod 0755 sbin/init
  python3 /strata/in/bin/pack.py delta --upper /strata/upper`;

/** A squashfs with a root that boots. */
export async function makeDisk(store: Store): Promise<Descriptor> {
  const vm = toolchain('vm-toolchain');
  const { result } = await runAction(store, {
    label: 'test:root',
    toolchain: vm,
    rootfs: { lower: [] },
    inputs: [scriptInput('pack.py', packScript)],
    argv: ['sh', '-euc', rootScript],
    outputs: { 'layer.tar.zst': layerMediaType },
  });
  const layers = [output(result.outputs, 'layer.tar.zst') as LayerDescriptor];
  const parameters = { label: 'test:squashfs', toolchain: vm, layers, exclude: [] };
  const squashfs = squashfsAction({ ...parameters, compression: { algorithm: 'zstd', level: 3 } });
  return output((await runAction(store, squashfs)).result.outputs, 'root.squashfs');
}

/** A machine that runs from RAM. */
export async function makeMachine(store: Store, kernel: Kernel): Promise<BootFiles> {
  return {
    kernel: output(kernel, 'vmlinuz'),
    initramfs: output((await makeInitramfs(store, kernel)).result.outputs, 'initramfs'),
    disk: await makeDisk(store),
    commandLine: ['quiet'],
    memory: '256M',
    cpus: 1,
  };
}

/** Boots a machine and goes through steps. */
export function boot(
  store: Store,
  files: BootFiles,
  steps: readonly Step[],
  timeoutSeconds = 60,
): ReturnType<typeof runAction> {
  const parameters = { label: 'test:boot', toolchain: toolchain('vm-toolchain'), files, timeoutSeconds, steps };
  return runAction(store, bootTestAction({ ...parameters, acceleration: emulation }));
}

/** What an action that fails says: its message, then what a tool printed last. */
export async function complaint(failing: Promise<unknown>): Promise<string[]> {
  const error: unknown = await failing.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ActionFailed)) {
    throw new Error('it did not fail as an action does', { cause: error });
  }
  const { report, lastLines } = error;
  return report === undefined ? [...lastLines] : [report.message, ...(report.details ?? [])];
}
