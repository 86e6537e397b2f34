import type { AbsolutePath } from '@strata/fingerprint';
import { layerMediaType, type Action, type LayerStack } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { z } from 'zod';
import { guestScripts, specInput } from './guest-scripts.js';

/** What every kernel action leaves. */
const kernelOutputs = {
  vmlinuz: 'application/vnd.strata.kernel',
  config: 'text/plain',
  'kernel.json': 'application/json',
  'modules.tar.zst': layerMediaType,
} as const;

const descriptionSchema = z.object({
  version: z.string(),
  initramfs: z.array(z.string()),
  squashfs: z.array(z.string()),
});

/** What a kernel says of itself: its version, and the compressions that it can read of an initramfs and a squashfs. */
export type KernelDescription = z.output<typeof descriptionSchema>;

/** Reads `kernel.json`. */
export function parseKernelDescription(text: string): KernelDescription {
  return descriptionSchema.parse(JSON.parse(text));
}

/**
 * The action that takes a kernel out of its Debian package. It fails where the kernel's config lacks what an image that
 * runs from RAM needs.
 */
export function prebuiltKernelAction(parameters: {
  readonly label: string;
  readonly toolchain: LayerStack;
  /** The package that holds the kernel itself. */
  readonly deb: Descriptor;
}): Action {
  return {
    label: parameters.label,
    toolchain: parameters.toolchain,
    inputs: [
      ...guestScripts('kernel.py'),
      specInput({ from: 'package' }),
      { kind: 'artifact', name: 'kernel.deb', artifact: parameters.deb },
    ],
    argv: ['python3', '-B', '/strata/in/bin/kernel.py'],
    outputs: kernelOutputs,
  };
}

/**
 * The action that builds a kernel from source. It fails before anything is compiled where the config lacks what an image
 * that runs from RAM needs.
 */
export function sourceKernelAction(parameters: {
  readonly label: string;
  readonly toolchain: LayerStack;
  /** A tarball, or Debian's package of one. */
  readonly source: Descriptor;
  /** Fragment that is merged into the base. */
  readonly config: AbsolutePath;
  readonly base: 'tinyconfig' | 'defconfig' | 'allnoconfig';
  readonly jobs: number;
}): Action {
  return {
    label: parameters.label,
    toolchain: parameters.toolchain,
    inputs: [
      ...guestScripts('kernel.py'),
      specInput({ from: 'source', base: parameters.base }),
      { kind: 'artifact', name: 'source', artifact: parameters.source },
      { kind: 'file', name: 'config', path: parameters.config },
    ],
    argv: ['python3', '-B', '/strata/in/bin/kernel.py'],
    hints: { STRATA_JOBS: String(parameters.jobs) },
    outputs: kernelOutputs,
  };
}
