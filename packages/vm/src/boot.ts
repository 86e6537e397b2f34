import { enter, type LayerStack } from '@strata/sandbox';
import type { Store } from '@strata/store';
import type { Acceleration } from './acceleration.js';
import { bootInputs, type BootFiles } from './boot-test.js';
import { qemuCommandLine } from './qemu.js';

/** Boots a machine with its console on the terminal. Gives back QEMU's exit status; `Ctrl-a x` ends it. */
export function bootInteractive(
  store: Store,
  toolchain: LayerStack,
  files: BootFiles,
  acceleration: Acceleration,
  signal?: AbortSignal,
): Promise<number> {
  const { inputs, paths } = bootInputs(files);
  const argv = qemuCommandLine({ ...files, ...paths, accelerator: acceleration.accelerator, interactive: true });
  return enter(
    store,
    { toolchain, inputs, argv, devices: acceleration.devices },
    signal === undefined ? {} : { signal },
  );
}
