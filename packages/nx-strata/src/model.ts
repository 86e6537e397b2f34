import { join } from 'node:path/posix';
import { z } from 'zod';
import {
  aKind,
  ancestors,
  type ImageDefinition,
  type Kind,
  type LayerDefinition,
  type PlacedDefinition,
  suggest,
  UserError,
} from '@strata/definitions';

/** The plugin's options in `nx.json`. */
export const pluginOptionsSchema = z.strictObject({
  /** Project in whose layers actions run, where a definition names none. */
  toolchain: z.string().optional(),
  vm: z.strictObject({ toolchain: z.string().optional() }).optional(),
  /** Caches that a team shares artifacts and actions through. */
  remotes: z
    .array(z.strictObject({ url: z.url({ protocol: /^https?$/ }), readOnly: z.boolean().optional() }))
    .optional(),
});

/** The plugin's options in `nx.json`. */
export type PluginOptions = z.output<typeof pluginOptionsSchema>;

/** The plugin's options, checked. Throws a {@link UserError} where nx.json has others than there are. */
export function parsePluginOptions(options: unknown): PluginOptions {
  const parsed = pluginOptionsSchema.safeParse(options ?? {});
  if (parsed.success) {
    return parsed.data;
  }
  const [issue] = parsed.error.issues;
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const close = unknown === undefined ? undefined : suggest(unknown, Object.keys(pluginOptionsSchema.shape));
  const field = [...(issue?.path ?? []), ...(unknown === undefined ? [] : [unknown])].join('.');
  throw new UserError(
    unknown === undefined
      ? `the option \`${field}\` of nx-strata: ${(issue?.message ?? '').replace(/^Invalid input: /, '')}`
      : `nx-strata has no option \`${field}\``,
    {
      place: { file: 'nx.json' },
      hint:
        close === undefined
          ? 'its options are `toolchain`, `vm.toolchain` and `remotes`'
          : `did you mean \`${close}\`?`,
    },
  );
}

/** Names of all targets. */
export const targetNames = [
  'snapshot',
  'origin',
  'plan',
  'fetch',
  'packages',
  'merge',
  'build',
  'boot',
  'test',
  'export',
] as const;

/** The name of a target: `test-IMAGE` tries an extension on one image. */
export type TargetName = (typeof targetNames)[number] | `test-${string}`;

/** The target that tries an extension on an image. */
export function testOn(image: string): `test-${string}` {
  return `test-${image.replace('@', '').replace('/', '-')}`;
}

/** A task, as Nx names it. */
export interface TaskName {
  readonly project: string;
  readonly target: TargetName;
}

/** A task of a project that is not Strata's, and the folder that it leaves. */
export interface ForeignTask {
  readonly project: string;
  readonly target: string;
}

/** All good definitions of a workspace. */
export class Model {
  readonly projects: ReadonlyMap<string, PlacedDefinition>;

  constructor(
    definitions: readonly PlacedDefinition[],
    readonly options: PluginOptions,
  ) {
    this.projects = new Map(definitions.map((placed) => [placed.name, placed]));
  }

  /** A project of a kind. Throws a {@link UserError} where there is none. */
  get<K extends Kind>(name: string, kind: K): PlacedDefinition & { readonly definition: { readonly kind: K } } {
    const placed = this.projects.get(name);
    if (placed?.definition.kind !== kind) {
      throw new UserError(`there is no ${kind} named ${name}, or its definition is broken`, {
        hint: `see \`npx nx show projects\`; ${aKind(kind)} is a folder with ${aKind(kind)}.yaml`,
      });
    }
    return placed as PlacedDefinition & { readonly definition: { readonly kind: K } };
  }

  layer(name: string): LayerDefinition {
    return this.get(name, 'layer').definition;
  }

  /** The layers from the lowest up to and including this one. */
  chain(placed: PlacedDefinition): PlacedDefinition[] {
    return [...ancestors(placed.definition as LayerDefinition, this.projects).reverse(), placed];
  }

  /** Whether a layer merges packages. */
  hasPackages(placed: PlacedDefinition): boolean {
    return placed.definition.kind === 'layer' && (placed.definition.packages?.length ?? 0) > 0;
  }

  /** The nearest value that a layer or one of its parents gives. */
  inherited<T>(placed: PlacedDefinition, pick: (layer: LayerDefinition) => T | undefined): T | undefined {
    return this.chain(placed)
      .map(({ definition }) => pick(definition as LayerDefinition))
      .findLast((value) => value !== undefined);
  }

  /** Whether a layer starts from something that needs no toolchain. */
  isBootstrap(placed: PlacedDefinition): boolean {
    const { definition } = placed;
    return definition.kind === 'layer' && typeof definition.from === 'object' && 'debian' in definition.from;
  }

  /** The lowest layer below one, where that starts from a whole system: a tarball, a bootstrap. */
  originOf(placed: PlacedDefinition): PlacedDefinition | undefined {
    return this.chain(placed).find(({ definition }) => typeof (definition as LayerDefinition).from === 'object');
  }

  /** The target that fetches what a layer starts from: its plan needs that, and its other downloads need the plan. */
  originTarget(placed: PlacedDefinition): 'origin' | 'fetch' {
    return this.hasPackages(placed) ? 'origin' : 'fetch';
  }

  /** Whether actions of a project run in another project's layers. */
  needsToolchain(placed: PlacedDefinition): boolean {
    const { definition } = placed;
    if (definition.kind === 'repository') {
      return !('folder' in definition.source);
    }
    if (definition.kind !== 'layer' || !this.isBootstrap(placed)) {
      return true;
    }
    const { packages = [], trees = [], scripts = [], devices = [], exclude = [] } = definition;
    return packages.length + trees.length + scripts.length + devices.length + exclude.length > 0;
  }

  /** The toolchain of a project. Throws a {@link UserError} where none is named. */
  toolchain(placed: PlacedDefinition): string {
    const { definition } = placed;
    const own = definition.kind === 'repository' ? undefined : definition.toolchain;
    const parents = definition.kind === 'layer' ? this.inherited(placed, (layer) => layer.toolchain) : undefined;
    const images =
      definition.kind === 'image' || definition.kind === 'initramfs' || definition.kind === 'sysext'
        ? this.options.vm?.toolchain
        : undefined;
    const name = own ?? parents ?? images ?? this.options.toolchain;
    if (name === undefined) {
      throw new UserError(`${placed.name} has no toolchain`, {
        place: placed.place([]),
        hint: 'name one as `toolchain:`, or for all projects in the options of nx-strata in nx.json',
      });
    }
    return name;
  }

  /** The toolchain that holds QEMU for an image. */
  vmToolchain(placed: PlacedDefinition): string {
    return (placed.definition as ImageDefinition).vm.toolchain ?? this.options.vm?.toolchain ?? this.toolchain(placed);
  }

  /** Repositories of a layer and its parents, the lowest parent's first. */
  repositories(placed: PlacedDefinition): string[] {
    return [
      ...new Set(this.chain(placed).flatMap(({ definition }) => (definition as LayerDefinition).repositories ?? [])),
    ];
  }

  /** Folders with Portage's configuration, relative to the workspace, the lowest parent's first. */
  configuration(placed: PlacedDefinition): string[] {
    return this.chain(placed).flatMap(({ definition, root }) => {
      const folders = (definition as LayerDefinition).portageConfig ?? [];
      return [folders].flat().map((folder) => join(root, folder));
    });
  }
}
