import { scriptInput, type Input, type LayerStack, type Runnable } from '@strata/sandbox';
import type { ScannedTree } from '@strata/fingerprint';
import type { Descriptor } from '@strata/store';
import { guestScript, planAction, type PlanParameters } from './plan.js';

/** The tools that look into the staging root of a prefix. */
export const prefixTools = ['shell', 'emerge', 'ebuild', 'equery', 'portageq'] as const;

/** One of {@link prefixTools}. */
export type PrefixTool = (typeof prefixTools)[number];

/** What a tool works on. */
export interface PrefixToolParameters {
  /** All that the prefix is planned from: the tool sees whole repositories and the whole configuration. */
  readonly plan: PlanParameters;
  /** What was merged into the staging root. */
  readonly staging: LayerStack;
  readonly distfiles: Readonly<Record<string, Descriptor>>;
  /** Binary packages of the prefix, by `category/name-version`. */
  readonly packages: ReadonlyMap<string, Descriptor>;
  readonly tool: PrefixTool;
  /** The tool's own words. */
  readonly words: readonly string[];
  /** Job count of make. */
  readonly jobs: number;
}

/**
 * A tool of Portage's, or a shell, in the staging root of a prefix. What it changes is gone when it ends: the root is an
 * overlay of what was built, which takes the changes aside.
 */
export function prefixToolRunnable(parameters: PrefixToolParameters, shims: ScannedTree): Runnable {
  const { plan, staging, distfiles, packages, tool, words, jobs } = parameters;
  const { toolchain, inputs } = planAction(plan, shims);
  return {
    toolchain,
    rootfs: { lower: staging },
    inputs: [
      ...inputs,
      ...['prefix_tool.py', 'emerge_packages.py', 'binary_package.py'].map((name) =>
        scriptInput(name, guestScript(name)),
      ),
      { kind: 'text', name: 'tool.json', text: JSON.stringify({ tool, words, packages: [...packages.keys()] }) },
      ...Object.entries(distfiles).map(([name, artifact]): Input => ({
        kind: 'artifact',
        name: `distfiles/${name}`,
        artifact,
      })),
      ...[...packages].map(([cpv, artifact]): Input => ({
        kind: 'artifact',
        name: `packages/${cpv}.gpkg.tar`,
        artifact,
      })),
    ],
    argv: ['python3', '-B', '/strata/in/bin/prefix_tool.py'],
    hints: { STRATA_JOBS: String(jobs) },
  };
}
