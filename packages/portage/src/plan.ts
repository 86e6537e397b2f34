import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { absolutePath, parseDigest, type AbsolutePath, type ScannedTree } from '@strata/fingerprint';
import {
  layerMediaType,
  packScript,
  scriptInput,
  type Action,
  type Input,
  type LayerDescriptor,
  type LayerStack,
} from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { prefixSpec, type PrefixSettings } from './prefix.js';

/** A script of this package that runs inside of the sandbox. */
export function guestScript(name: string): AbsolutePath {
  return absolutePath(fileURLToPath(new URL(`../guest/${name}`, import.meta.url)));
}

/** The folder of programs that builds find first: compilers that look into ROOT, and small tools that Debian lacks. */
export const shimsFolder: AbsolutePath = guestScript('shims');

/** The media type of a plan. */
export const planMediaType = 'application/vnd.strata.plan.v1+json';

const distfileSchema = z.object({
  name: z.string(),
  size: z.int().nonnegative(),
  hashes: z.record(z.string(), z.string()),
  uris: z.array(z.string()),
});

const sha256Schema = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .transform((hex) => parseDigest(`sha256:${hex}`));

const packageSchema = z.object({
  cpv: z.string(),
  category: z.string(),
  pf: z.string(),
  pn: z.string(),
  slot: z.string(),
  repository: z.string(),
  use: z.array(z.string()),
  ebuild: z.string(),
  eclasses: z.record(z.string(), z.string()),
  files: z.record(z.string(), z.string()),
  distfiles: z.array(distfileSchema),
  replaces: z.array(z.string()),
  restrict: z.array(z.string()),
  /** Packages that ROOT holds while this one is built: of this layer and of its parents, in their order. */
  needs: z.array(z.string()),
  /** Digest of all that the build reads of repositories and configuration. */
  snapshot: sha256Schema,
});

/** What a plan takes the layers below to hold, as `assumed.py` reads it. */
const installedSchema = z.object({
  cpv: z.string(),
  slot: z.string(),
  use: z.array(z.string()),
  repository: z.string(),
  /** SHA-256 of the ebuild's canonical text. */
  ebuild: z.string(),
  /** Dependencies with the sub-slots that the package was built against. */
  bound: z.array(z.string()),
});

const planSchema = z.object({
  schema: z.literal(1),
  atoms: z.array(z.string()),
  profile: z.string(),
  repositories: z.array(z.object({ name: z.string(), priority: z.int().nullable() })),
  settings: z.record(z.string(), z.string()),
  installed: z.array(installedSchema),
  packages: z.array(packageSchema),
  /** Of a prefix: the packages that its programs need to run, in their order. */
  runtime: z.array(z.string()).optional(),
  /** Digest of the configuration that the packages are merged with. */
  merge: sha256Schema,
});

/** What Portage would merge for a layer. */
export type Plan = z.output<typeof planSchema>;

/** A package of a plan. */
export type PlannedPackage = Plan['packages'][number];

/** A file that an ebuild needs, as its repository's Manifest describes it (GLEP 74). */
export type Distfile = z.output<typeof distfileSchema>;

/** Reads `plan.json`. Throws where it is none. */
export function parsePlan(text: string): Plan {
  return planSchema.parse(JSON.parse(text));
}

/** An ebuild repository as a plan sees it. */
export interface PlannedRepository {
  /** How definitions call it. */
  readonly name: string;
  readonly priority?: number | undefined;
  readonly content: { readonly tree: ScannedTree } | { readonly layer: LayerDescriptor };
}

/** What a layer's plan is made from. */
export interface PlanParameters {
  readonly label: string;
  readonly toolchain: LayerStack;
  readonly repositories: readonly PlannedRepository[];
  /** Folders with Portage's layout, the lowest parent's first. */
  readonly configuration: readonly ScannedTree[];
  /** `repository:path` */
  readonly profile: string;
  readonly atoms: readonly string[];
  /** What the lowest layer below starts from, where that is a whole system of its own: a tarball, a bootstrap. */
  readonly origin: LayerStack;
  /** Plans of the layers below, the lowest first. */
  readonly parents: readonly Descriptor[];
  /** Where it is a prefix that is planned. */
  readonly prefix?: PrefixSettings | undefined;
}

/** The inputs that planning and merging share. */
export function portageScripts(shims: ScannedTree, ...names: readonly string[]): Input[] {
  return [
    scriptInput('pack.py', packScript),
    ...['portage_setup.py', 'prefix.py', 'tool_shims.py', ...names].map((name) => scriptInput(name, guestScript(name))),
    { kind: 'tree', name: 'shims', tree: shims },
  ];
}

/**
 * The action that plans a layer: outputs `plan.json` (see {@link Plan}) and `snapshot.tar.zst`, a layer with just what of
 * repositories and configuration the merge needs.
 */
export function planAction(parameters: PlanParameters, shims: ScannedTree): Action {
  const { label, toolchain, repositories, configuration, profile, atoms, origin, parents, prefix } = parameters;
  const spec = {
    atoms,
    profile,
    configurations: configuration.length,
    parents: parents.length,
    repositories: repositories.map(({ name, priority }) => ({ name, ...(priority === undefined ? {} : { priority }) })),
    ...prefixSpec(prefix),
  };
  return {
    label,
    toolchain,
    rootfs: { lower: origin },
    inputs: [
      ...portageScripts(
        shims,
        ...['plan.py', 'assumed.py', 'canonical.py', 'closure.py', 'reduced.py'],
        'debian_packages.py',
      ),
      { kind: 'text', name: 'spec.json', text: JSON.stringify(spec) },
      ...repositories.map(({ name, content }): Input =>
        'tree' in content
          ? { kind: 'tree', name: `repositories/${name}`, tree: content.tree }
          : { kind: 'layer', name: `repositories/${name}`, layer: content.layer },
      ),
      ...configuration.map((tree, index): Input => ({ kind: 'tree', name: `configuration/${index}`, tree })),
      ...parents.map((artifact, index): Input => ({ kind: 'artifact', name: `parents/${index}.json`, artifact })),
    ],
    argv: ['python3', '-B', '/strata/in/bin/plan.py'],
    outputs: { 'plan.json': planMediaType, 'snapshot.tar.zst': layerMediaType },
  };
}
