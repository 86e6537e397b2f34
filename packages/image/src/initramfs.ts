import { scriptInput, type Action, type LayerDescriptor, type LayerStack } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { guestScript, guestScripts, specInput } from './guest-scripts.js';

/** What an initramfs is made of. */
export interface InitramfsParameters {
  readonly label: string;
  /** Holds a static busybox. */
  readonly toolchain: LayerStack;
  readonly modules: LayerDescriptor;
  /** `kernel.json` of the kernel. */
  readonly kernel: Descriptor;
  /** Names of modules; what they depend on comes with them. */
  readonly include: readonly string[];
  /** A device, or `LABEL=…` of a partition. `strata.root=` on the kernel's command line comes first. */
  readonly root: string;
  readonly compression: {
    readonly algorithm: 'zstd' | 'gzip' | 'xz' | 'lz4' | 'none';
    readonly level?: number | undefined;
  };
}

/** The action that makes an initramfs, its output `initramfs`. */
export function initramfsAction(parameters: InitramfsParameters): Action {
  const { label, toolchain, modules, kernel, include, root, compression } = parameters;
  return {
    label,
    toolchain,
    inputs: [
      ...guestScripts('initramfs.py'),
      scriptInput('init', guestScript('init')),
      specInput({ modules: include, root, compression }),
      { kind: 'layer', name: 'modules', layer: modules },
      { kind: 'artifact', name: 'kernel.json', artifact: kernel },
    ],
    argv: ['python3', '-B', '/strata/in/bin/initramfs.py'],
    outputs: { initramfs: 'application/vnd.strata.initramfs' },
  };
}
