import { constants } from 'node:fs';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ActionFailed, enter, type LayerStack } from '@strata/sandbox';
import type { Descriptor, Store } from '@strata/store';
import { qemuCommandLine } from './qemu.js';
import { guestScript } from './scripts.js';

/** How guests run on this machine. */
export interface Acceleration {
  /** As QEMU takes it. */
  readonly accelerator: string;
  readonly devices: readonly string[];
  /** Why it is not KVM, said once; undefined where it is, or where it was said before. */
  readonly notice?: string;
}

/** Software emulation, which works everywhere. */
export const emulation: Acceleration = { accelerator: 'tcg,thread=multi', devices: [] };

const kvm: Acceleration = { accelerator: 'kvm', devices: ['/dev/kvm'] };

/** Seconds in which a kernel that really runs has long come to its panic. */
const probeSeconds = 8;

/**
 * Finds out whether KVM really runs a guest, by booting one: where virtualisation is nested, the device may be there
 * and a guest stall. The answer is remembered until the host boots again.
 */
export async function probeAcceleration(
  store: Store,
  toolchain: LayerStack,
  kernel: Descriptor,
): Promise<Acceleration> {
  const accessible = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!accessible) {
    return emulation;
  }
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const memory = join(store.root, 'records', `kvm-${boot}`);
  return store.withLock('kvm', async () => {
    const remembered = await readFile(memory, 'utf8').catch(() => undefined);
    if (remembered !== undefined) {
      return remembered === 'works' ? kvm : emulation;
    }
    const works = await runsGuest(store, toolchain, kernel);
    await mkdir(join(store.root, 'records'), { recursive: true });
    await writeFile(memory, works ? 'works' : 'stalls');
    return works
      ? kvm
      : { ...emulation, notice: 'KVM is there and stalls guests: using software emulation until the next reboot' };
  });
}

async function runsGuest(store: Store, toolchain: LayerStack, kernel: Descriptor): Promise<boolean> {
  const command = qemuCommandLine({
    kernel: '/strata/in/kernel',
    commandLine: [],
    memory: '256M',
    cpus: 1,
    accelerator: kvm.accelerator,
  });
  try {
    const status = await enter(store, {
      toolchain,
      inputs: [
        guestScript('probe.py'),
        { kind: 'artifact', name: 'kernel', artifact: kernel },
        { kind: 'text', name: 'spec.json', text: JSON.stringify({ command, seconds: probeSeconds }) },
      ],
      argv: ['python3', '-B', '/strata/in/bin/probe.py'],
      devices: kvm.devices,
    });
    return status === 0;
  } catch (error) {
    if (error instanceof ActionFailed) {
      return false;
    }
    throw error;
  }
}
