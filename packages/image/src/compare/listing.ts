import type { Action, LayerStack } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { z } from 'zod';
import { guestScripts, specInput } from '../guest-scripts.js';
import { squashfsMediaType } from '../squashfs.js';

const common = {
  /** Without a leading slash. Bytes that are no UTF-8 are lone surrogates, as Python has them (PEP 383). */
  path: z.string(),
  mode: z.int(),
  user: z.int(),
  group: z.int(),
  /** Extended attributes, their values in hexadecimal digits. */
  attributes: z.record(z.string(), z.string()).optional(),
};

const fileSchema = z.object({
  type: z.literal('file'),
  ...common,
  /** In bytes. */
  size: z.int(),
  digest: z.string(),
  /** The first name in the same archive of a file that has several. */
  sameAs: z.string().optional(),
  /** What a file of a package database says. */
  lines: z.array(z.string()).optional(),
});

const nodeSchema = z.discriminatedUnion('type', [
  fileSchema,
  z.object({ type: z.literal('folder'), ...common }),
  z.object({ type: z.literal('symlink'), ...common, target: z.string() }),
  z.object({ type: z.literal('fifo'), ...common }),
  /** `device` is MAJOR:MINOR. */
  z.object({ type: z.literal('char'), ...common, device: z.string() }),
  z.object({ type: z.literal('block'), ...common, device: z.string() }),
]);

const entrySchema = z.discriminatedUnion('type', [
  ...nodeSchema.options,
  /** Hides what lower layers have at the path and below (OCI image specification, layer.md). */
  z.object({ type: z.literal('whiteout'), path: z.string() }),
  /** Hides what lower layers have below the path. */
  z.object({ type: z.literal('opaque'), path: z.string() }),
]);

const listingSchema = z.object({ entries: z.array(entrySchema) });

/** Something that a file system holds. */
export type FileNode = z.output<typeof nodeSchema>;

/** What one layer, or one squashfs, holds. */
export type Listing = z.output<typeof listingSchema>;

/** The action that lists what a layer or a squashfs holds: output `files.json`. */
export function listingAction(parameters: {
  readonly label: string;
  /** Has Python, and zstd for layers, squashfs-tools-ng for a squashfs. */
  readonly toolchain: LayerStack;
  readonly source: Descriptor;
}): Action {
  const { label, toolchain, source } = parameters;
  const kind = source.mediaType === squashfsMediaType ? 'squashfs' : 'layer';
  return {
    label,
    toolchain,
    inputs: [
      ...guestScripts('list_files.py'),
      specInput({ kind }),
      { kind: 'artifact', name: 'source', artifact: source },
    ],
    argv: ['python3', '-B', '/strata/in/bin/list_files.py'],
    outputs: { 'files.json': 'application/json' },
  };
}

/** Reads `files.json` of {@link listingAction}. */
export function parseListing(text: string): Listing {
  return listingSchema.parse(JSON.parse(text));
}
