import { diffIdOf, type Action, type LayerStack } from '@strata/sandbox';
import { devicesOf } from './devices.js';
import { guestScripts, specInput } from './guest-scripts.js';

/** How a squashfs is compressed. */
export interface SquashfsCompression {
  readonly algorithm: 'zstd' | 'gzip' | 'xz' | 'lz4';
  readonly level?: number | undefined;
  /** `4K` to `1M`. */
  readonly blockSize?: string | undefined;
}

/** What a squashfs is made of. */
export interface SquashfsParameters {
  readonly label: string;
  readonly toolchain: LayerStack;
  readonly layers: LayerStack;
  /** Absolute globs of what the image does not hold. */
  readonly exclude: readonly string[];
  readonly compression: SquashfsCompression;
}

/** The media type of a squashfs. */
export const squashfsMediaType = 'application/vnd.strata.squashfs';

/** The action that packs merged layers: outputs `root.squashfs` and `report.json` (see {@link SizeReport}). */
export function squashfsAction({ label, toolchain, layers, exclude, compression }: SquashfsParameters): Action {
  const spec = {
    exclude,
    compression,
    devices: devicesOf(layers),
    layers: layers.map((layer) => ({
      diffId: diffIdOf(layer),
      bytes: Number(layer.annotations['dev.strata.uncompressed-size'] ?? 0),
      title: layer.annotations['dev.strata.title'] ?? '',
    })),
  };
  return {
    label,
    toolchain,
    rootfs: { lower: layers },
    inputs: [...guestScripts('squashfs.py'), specInput(spec)],
    argv: ['python3', '-B', '/strata/in/bin/squashfs.py'],
    outputs: { 'root.squashfs': squashfsMediaType, 'report.json': 'application/json' },
  };
}
