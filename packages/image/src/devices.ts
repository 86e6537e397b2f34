import { diffIdOf, type LayerDescriptor, type LayerStack } from '@strata/sandbox';
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

const pathsSchema = z.array(z.string());

/** What an annotation of a layer says in JSON; undefined where the layer has none. */
function noted<T>(layer: LayerDescriptor, annotation: string, schema: z.ZodType<T>): T | undefined {
  const text = layer.annotations[annotation];
  if (text === undefined) {
    return undefined;
  }
  const parsed = schema.safeParse(JSON.parse(text));
  if (!parsed.success) {
    throw new Error(`${annotation} of the layer ${diffIdOf(layer)} cannot be read`);
  }
  return parsed.data;
}

/**
 * The device nodes that layers declare, without those that a later one takes out: a user namespace cannot make them, so
 * they travel beside the files.
 */
export function devicesOf(layers: LayerStack): Device[] {
  const devices = new Map<string, Device>();
  for (const layer of layers) {
    for (const path of noted(layer, 'dev.strata.devices-gone', pathsSchema) ?? []) {
      devices.delete(path);
    }
    for (const device of noted(layer, 'dev.strata.devices', devicesSchema) ?? []) {
      devices.set(device.path, device);
    }
  }
  return [...devices.values()];
}
