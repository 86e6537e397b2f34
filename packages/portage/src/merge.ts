import { z } from 'zod';
import type { ScannedTree } from '@strata/fingerprint';
import { layerMediaType, type Action, type Input, type LayerDescriptor, type LayerStack } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { portageScripts, type Plan } from './plan.js';
import { prefixSpec, type PrefixSettings } from './prefix.js';

/** What a layer's packages are merged from. */
export interface MergeParameters {
  readonly label: string;
  readonly toolchain: LayerStack;
  readonly plan: Plan;
  readonly snapshot: LayerDescriptor;
  /** The layer's binary packages, by `category/name-version`. */
  readonly packages: ReadonlyMap<string, Descriptor>;
  readonly parents: LayerStack;
  /** Where it is the staging root of a prefix. */
  readonly prefix?: PrefixSettings | undefined;
}

const packagesSchema = z.array(z.object({ cpv: z.string(), size: z.int(), files: z.int() }));

/** What was merged: packages with their size in bytes and their count of files. */
export type MergedPackages = z.output<typeof packagesSchema>;

/** Reads `packages.json` of a merge. */
export function parseMergedPackages(text: string): MergedPackages {
  return packagesSchema.parse(JSON.parse(text));
}

/** Scripts of whatever merges binary packages into a root. */
export const mergeScripts: readonly string[] = ['emerge_packages.py', 'binary_package.py', 'normalise.py'];

/** What emerge merges binary packages from, besides scripts, and what it is told. */
export function mergeInputs(
  { plan, snapshot, packages }: Pick<MergeParameters, 'plan' | 'snapshot' | 'packages'>,
  spec: unknown,
): Input[] {
  return [
    { kind: 'text', name: 'spec.json', text: JSON.stringify(spec) },
    { kind: 'part', name: 'snapshot', layer: snapshot, folder: 'merge', digest: plan.merge },
    ...[...packages].map(([cpv, artifact]): Input => ({
      kind: 'artifact',
      name: `packages/${cpv}.gpkg.tar`,
      artifact,
    })),
  ];
}

/**
 * The action that merges a layer's binary packages by emerge, in the plan's order: outputs `layer.tar.zst` (a delta) and
 * `packages.json`.
 */
export function mergeAction(parameters: MergeParameters, shims: ScannedTree): Action {
  const { label, toolchain, plan, parents, prefix } = parameters;
  const spec = {
    atoms: plan.atoms,
    chost: plan.settings['CHOST'],
    installed: plan.installed,
    packages: plan.packages.map(({ cpv }) => cpv),
    ...prefixSpec(prefix),
  };
  return {
    label,
    toolchain,
    rootfs: { lower: parents },
    inputs: [...portageScripts(shims, 'merge.py', 'assumed.py', ...mergeScripts), ...mergeInputs(parameters, spec)],
    argv: ['python3', '-B', '/strata/in/bin/merge.py'],
    outputs: { 'layer.tar.zst': layerMediaType, 'packages.json': 'application/json' },
  };
}
