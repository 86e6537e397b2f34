import { UserError } from '@strata/definitions';
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

/** Lowest, highest and default level of what has levels; what a tool takes by itself may be slow (zstd: 15). */
const levels = { zstd: [1, 22, 3], gzip: [1, 9, 9], xz: [0, 9, 6] } as const;

/** What `squashfs.py` needs to know of a compression. Throws a {@link UserError} where there is no such level. */
export function squashfsOptions(compression: SquashfsCompression): object {
  const { algorithm, blockSize = '128K' } = compression;
  return { algorithm, extra: extraOptions(compression), blockSize };
}

/** Words for `tar2sqfs --comp-extra`. */
function extraOptions({ algorithm, level }: SquashfsCompression): string[] {
  if (algorithm === 'lz4') {
    if (level !== undefined) {
      throw new UserError('lz4 has no levels in a squashfs', { hint: 'leave `level:` out of `compression:`' });
    }
    return [];
  }
  const [lowest, highest, usual] = levels[algorithm];
  const chosen = level ?? usual;
  if (chosen < lowest || chosen > highest) {
    throw new UserError(`${algorithm} has no level ${chosen} in a squashfs`, {
      hint: `choose a level from ${lowest} to ${highest} under \`compression:\``,
    });
  }
  return [`level=${chosen}`];
}

/** The action that packs merged layers: outputs `root.squashfs` and `report.json` (see {@link SizeReport}). */
export function squashfsAction({ label, toolchain, layers, exclude, compression }: SquashfsParameters): Action {
  const spec = {
    exclude,
    compression: squashfsOptions(compression),
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
