import { z } from 'zod';
import type { ScannedTree } from '@strata/fingerprint';
import { layerMediaType, type Action, type Input, type LayerDescriptor, type LayerStack } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { portageScripts, type Plan } from './plan.js';
import type { PrefixSettings } from './prefix.js';

/** What the final tree of a prefix is made from. */
export interface FinalParameters {
  readonly label: string;
  readonly toolchain: LayerStack;
  readonly plan: Plan;
  readonly snapshot: LayerDescriptor;
  /** The binary packages that the programs need to run, by `category/name-version`, in the plan's order. */
  readonly packages: ReadonlyMap<string, Descriptor>;
  readonly prefix: PrefixSettings;
  /** Words of Portage's INSTALL_MASK. */
  readonly masks: readonly string[];
}

const foreignPathsSchema = z.object({ file: z.string(), paths: z.array(z.string()) });

const reportSchema = z.object({
  path: z.string(),
  size: z.int(),
  files: z.int(),
  /** How many programs and libraries were looked at, by the headers of their ELF files. */
  elf: z.int(),
  /** Programs of the packages that the definition names. */
  programs: z.array(z.string()),
  /** Scripts whose interpreter is not in the prefix. */
  scripts: z.array(z.object({ file: z.string(), interpreter: z.string() })),
  /** Files that hold paths of the system outside of the prefix. */
  foreignPaths: z.array(foreignPathsSchema),
});

/** What is known of a prefix that was built. */
export type PrefixReport = z.output<typeof reportSchema>;

/** Reads `report.json` of a prefix. */
export function parsePrefixReport(text: string): PrefixReport {
  return reportSchema.parse(JSON.parse(text));
}

/**
 * The action that makes the final tree of a prefix: merges what its programs need to run into an empty root, and looks
 * whether it is self-contained. Outputs `layer.tar.zst` and `report.json` (see {@link PrefixReport}).
 */
export function finalAction(parameters: FinalParameters, shims: ScannedTree): Action {
  const { label, toolchain, plan, snapshot, packages, prefix, masks } = parameters;
  const spec = { atoms: plan.atoms, chost: prefix.chost, packages: [...packages.keys()], prefix, masks };
  return {
    label,
    toolchain,
    rootfs: { lower: [] },
    inputs: [
      ...portageScripts(
        shims,
        ...['final.py', 'emerge_packages.py', 'binary_package.py', 'normalise.py', 'elf.py', 'self_contained.py'],
        'empty_root.py',
      ),
      { kind: 'text', name: 'spec.json', text: JSON.stringify(spec) },
      { kind: 'part', name: 'snapshot', layer: snapshot, folder: 'merge', digest: plan.merge },
      ...[...packages].map(([cpv, artifact]): Input => ({
        kind: 'artifact',
        name: `packages/${cpv}.gpkg.tar`,
        artifact,
      })),
    ],
    argv: ['python3', '-B', '/strata/in/bin/final.py'],
    outputs: { 'layer.tar.zst': layerMediaType, 'report.json': 'application/json' },
  };
}
