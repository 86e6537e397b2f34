import type { ScannedTree } from '@strata/fingerprint';
import { layerMediaType, type Action, type Input, type LayerDescriptor, type LayerStack } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { portageScripts, type PlannedPackage } from './plan.js';
import { prefixSpec, type PrefixSettings } from './prefix.js';

/** The media type of a binary package (GLEP 78). */
export const binaryPackageMediaType = 'application/vnd.gentoo.gpkg';

/** What a package is built from. */
export interface PackageParameters {
  readonly label: string;
  readonly toolchain: LayerStack;
  readonly planned: PlannedPackage;
  readonly chost: string;
  /** The snapshot of the plan that the package is of. */
  readonly snapshot: LayerDescriptor;
  readonly distfiles: ReadonlyMap<string, Descriptor>;
  /** What the lowest layer starts from, then the packages that this one needs, each as a layer. */
  readonly root: LayerStack;
  /** Where the package is made for a prefix: it is never shared with another one. */
  readonly prefix?: PrefixSettings | undefined;
  /** Job count of make; does not reach the bytes. */
  readonly jobs: number;
  /** The pool of job tokens that all builds of this machine share. */
  readonly jobserver?: Action['jobserver'];
}

/**
 * The action that builds one package by emerge, in a ROOT of what it declares: outputs `package.gpkg.tar`, normalised, and
 * `layer.tar.zst`, the same as a layer that other packages are built on.
 */
export function packageAction(parameters: PackageParameters, shims: ScannedTree): Action {
  const { label, toolchain, planned, chost, snapshot, distfiles, root, prefix, jobs, jobserver } = parameters;
  const { cpv, use } = planned;
  return {
    label,
    toolchain,
    rootfs: { lower: root },
    inputs: [
      ...portageScripts(shims, 'package.py', 'binary_package.py', 'normalise.py'),
      { kind: 'text', name: 'spec.json', text: JSON.stringify({ chost, cpv, use, ...prefixSpec(prefix) }) },
      { kind: 'part', name: 'snapshot', layer: snapshot, folder: `packages/${cpv}`, digest: planned.snapshot },
      ...[...distfiles].map(([name, artifact]): Input => ({ kind: 'artifact', name: `distfiles/${name}`, artifact })),
    ],
    argv: ['python3', '-B', '/strata/in/bin/package.py'],
    hints: { STRATA_JOBS: String(jobs) },
    jobserver,
    // an ebuild that only asks whether a file is there fails without a word about it
    secondLook: true,
    // PORTAGE_TMPDIR of guest/portage_setup.py, and Portage's own layout below it
    homes: [`/strata/tmp/build/portage/${cpv}/homedir`],
    outputs: { 'package.gpkg.tar': binaryPackageMediaType, 'layer.tar.zst': layerMediaType },
  };
}
