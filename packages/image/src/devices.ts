import { diffIdOf, type LayerStack } from '@strata/sandbox';
import { z } from 'zod';

/** A device node, as it stands in a layer's tar and in its annotation. */
export interface Device {
  readonly path: string;
  readonly type: 'char' | 'block' | 'fifo';
  readonly major: number;
  readonly minor: number;
  /** Octal digits. */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
}

const devicesSchema = z.array(
  z.object({
    path: z.string(),
    type: z.enum(['char', 'block', 'fifo']),
    major: z.int().default(0),
    minor: z.int().default(0),
    mode: z.string(),
    uid: z.int().default(0),
    gid: z.int().default(0),
  }),
);

/** The device nodes that layers declare: a user namespace cannot make them, so they travel beside the files. */
export function devicesOf(layers: LayerStack): Device[] {
  const devices = new Map<string, Device>();
  for (const layer of layers) {
    const declared = layer.annotations['dev.strata.devices'];
    if (declared === undefined) {
      continue;
    }
    const parsed = devicesSchema.safeParse(JSON.parse(declared));
    if (!parsed.success) {
      throw new Error(`the devices of the layer ${diffIdOf(layer)} cannot be read`);
    }
    for (const device of parsed.data) {
      devices.set(device.path, device);
    }
  }
  return [...devices.values()];
}
