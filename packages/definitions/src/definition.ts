import type { z } from 'zod';
import { imageSchema } from './image.js';
import { initramfsSchema } from './initramfs.js';
import { kernelSchema } from './kernel.js';
import { layerSchema } from './layer.js';
import { prefixSchema } from './prefix.js';
import { repositorySchema } from './repository.js';
import { sysextSchema } from './sysext.js';

/** The schemas of all definitions, by kind: the kind is the file's name without `.yaml`. */
export const schemas = {
  repository: repositorySchema,
  layer: layerSchema,
  prefix: prefixSchema,
  kernel: kernelSchema,
  initramfs: initramfsSchema,
  image: imageSchema,
  sysext: sysextSchema,
} as const;

/** What a project is. */
export type Kind = keyof typeof schemas;

/** The content of a `repository.yaml`. */
export type RepositoryDefinition = z.output<typeof repositorySchema> & { readonly kind: 'repository' };
/** The content of a `layer.yaml`. */
export type LayerDefinition = z.output<typeof layerSchema> & { readonly kind: 'layer' };
/** The content of a `prefix.yaml`. */
export type PrefixDefinition = z.output<typeof prefixSchema> & { readonly kind: 'prefix' };
/** The content of a `kernel.yaml`. */
export type KernelDefinition = z.output<typeof kernelSchema> & { readonly kind: 'kernel' };
/** The content of an `initramfs.yaml`. */
export type InitramfsDefinition = z.output<typeof initramfsSchema> & { readonly kind: 'initramfs' };
/** The content of an `image.yaml`. */
export type ImageDefinition = z.output<typeof imageSchema> & { readonly kind: 'image' };
/** The content of a `sysext.yaml`. */
export type SysextDefinition = z.output<typeof sysextSchema> & { readonly kind: 'sysext' };

/** A definition that was read and found good. */
export type Definition =
  | RepositoryDefinition
  | LayerDefinition
  | PrefixDefinition
  | KernelDefinition
  | InitramfsDefinition
  | ImageDefinition
  | SysextDefinition;

/** All kinds. */
export const kinds = Object.keys(schemas) as Kind[];

/** A kind with its article: `a layer`, `an image`. */
export function aKind(kind: Kind): string {
  return `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`;
}

/** The kind of a definition by its file's name; undefined where the file is none. */
export function definitionKind(file: string): Kind | undefined {
  const name = file.slice(file.lastIndexOf('/') + 1);
  return kinds.find((kind) => name === `${kind}.yaml`);
}
