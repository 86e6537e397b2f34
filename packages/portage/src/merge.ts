import { z } from 'zod';
import type { ScannedTree } from '@strata/fingerprint';
import { layerMediaType, type Action, type Input, type LayerDescriptor, type LayerStack } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { portageScripts } from './plan.js';

/** What a layer's packages are merged from. */
export interface MergeParameters {
  readonly label: string;
  readonly toolchain: LayerStack;
  readonly plan: Descriptor;
  readonly snapshot: LayerDescriptor;
  readonly distfiles: ReadonlyMap<string, Descriptor>;
  readonly parents: LayerStack;
  /** Job count of make; does not reach the bytes. */
  readonly jobs: number;
}

const packagesSchema = z.array(z.object({ cpv: z.string(), size: z.int(), files: z.int() }));

/** What was merged: packages with their size in bytes and their count of files. */
export type MergedPackages = z.output<typeof packagesSchema>;

/** Reads `packages.json` of a merge. */
export function parseMergedPackages(text: string): MergedPackages {
  return packagesSchema.parse(JSON.parse(text));
}

/** The action that merges a layer's packages by emerge: outputs `layer.tar.zst` (a delta) and `packages.json`. */
export function mergeAction(parameters: MergeParameters, shims: ScannedTree): Action {
  const { label, toolchain, plan, snapshot, distfiles, parents, jobs } = parameters;
  return {
    label,
    toolchain,
    rootfs: { lower: parents },
    inputs: [
      ...portageScripts(shims, 'merge.py', 'portage_setup.py', 'normalise.py'),
      { kind: 'artifact', name: 'plan.json', artifact: plan },
      { kind: 'layer', name: 'snapshot', layer: snapshot },
      ...[...distfiles].map(([name, artifact]): Input => ({ kind: 'artifact', name: `distfiles/${name}`, artifact })),
    ],
    argv: ['python3', '-B', '/strata/in/bin/merge.py'],
    hints: { STRATA_JOBS: String(jobs) },
    outputs: { 'layer.tar.zst': layerMediaType, 'packages.json': 'application/json' },
  };
}
