import { constants } from 'node:fs';
import { access, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOfJson, hexOf } from '@strata/fingerprint';
import { diffIdOf, enter, type LayerStack } from '@strata/sandbox';
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

/** What `probe.py` ends with where a guest ran, and where it did not; everything else tells nothing. */
const ran = 0;
const stalled = 3;

/**
 * Finds out whether KVM really runs a guest, by booting one: where virtualisation is nested, the device may be there
 * and a guest stall. The answer is remembered until the host boots again, for each QEMU.
 */
export async function probeAcceleration(
  store: Store,
  toolchain: LayerStack,
  kernel: Descriptor,
  signal?: AbortSignal,
): Promise<Acceleration> {
  const accessible = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!accessible) {
    return emulation;
  }
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const qemu = hexOf(digestOfJson(toolchain.map(diffIdOf))).slice(0, 16);
  const folder = join(store.root, 'records');
  const memory = join(folder, `kvm-${boot}-${qemu}`);
  return store.withLock('kvm', async () => {
    const remembered = await readFile(memory, 'utf8').catch(() => undefined);
    if (remembered !== undefined) {
      return remembered === 'works' ? kvm : emulation;
    }
    const status = await runGuest(store, toolchain, kernel, signal);
    if (status !== ran && status !== stalled) {
      return emulation;
    }
    await mkdir(folder, { recursive: true });
    await forgetOtherBoots(folder, boot);
    await writeFile(memory, status === ran ? 'works' : 'stalls');
    return status === ran
      ? kvm
      : { ...emulation, notice: 'KVM is there and stalls guests: using software emulation until the next reboot' };
  });
}

async function forgetOtherBoots(folder: string, boot: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith('kvm-') && !name.startsWith(`kvm-${boot}`)) {
      await rm(join(folder, name), { force: true });
    }
  }
}

/** Boots a kernel without a root under KVM. Gives back the exit status of `probe.py`. */
function runGuest(
  store: Store,
  toolchain: LayerStack,
  kernel: Descriptor,
  signal: AbortSignal | undefined,
): Promise<number> {
  const command = qemuCommandLine({
    kernel: '/strata/in/kernel',
    commandLine: [],
    memory: '256M',
    cpus: 1,
    accelerator: kvm.accelerator,
  });
  return enter(
    store,
    {
      toolchain,
      inputs: [
        guestScript('probe.py'),
        { kind: 'artifact', name: 'kernel', artifact: kernel },
        { kind: 'text', name: 'spec.json', text: JSON.stringify({ command, seconds: probeSeconds }) },
      ],
      argv: ['python3', '-B', '/strata/in/bin/probe.py'],
      devices: kvm.devices,
    },
    signal === undefined ? {} : { signal },
  );
}
