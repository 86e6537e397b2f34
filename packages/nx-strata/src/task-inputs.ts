import { join } from 'node:path/posix';
import {
  configurationFolders,
  prefixRepositories,
  type ImageDefinition,
  type KernelDefinition,
  type LayerDefinition,
  type PlacedDefinition,
  type PrefixDefinition,
  type SysextDefinition,
  type TreeSource,
} from '@strata/definitions';
import { testOn, type ForeignTask, type Model, type TargetName, type TaskName } from './model.js';

/**
 * What a task depends on. Nx's `inputs` and `dependsOn` are made from this list, and the tasks get at files and at other
 * tasks' outputs through it only.
 */
export interface TaskInputs {
  /** Files, relative to the workspace. */
  readonly files: readonly string[];
  /**
   * Files of which nothing but their digest may be kept: relative to the workspace, absolute, or `~/…`. They are bound where
   * they are used, and never copied.
   */
  readonly secrets: readonly string[];
  /** Folders with all that is in them, relative to the workspace. */
  readonly trees: readonly string[];
  /** Tasks whose output files are read. */
  readonly tasks: readonly TaskName[];
  /** Tasks of other projects, whose folders are read. */
  readonly foreign: readonly ForeignTask[];
}

/** The targets that a project has. */
export function targetsOf(model: Model, placed: PlacedDefinition): TargetName[] {
  const { definition } = placed;
  switch (definition.kind) {
    case 'repository':
      return 'folder' in definition.source ? ['snapshot'] : ['fetch', 'snapshot'];
    case 'layer': {
      const packages: TargetName[] = model.hasPackages(placed) ? ['plan', 'fetch', 'packages', 'merge'] : [];
      const origin: TargetName[] = typeof definition.from === 'object' ? [model.originTarget(placed)] : [];
      return [...new Set([...packages, ...origin, 'build' as const])];
    }
    case 'prefix':
      return [
        ...(['plan', 'fetch', 'packages', 'merge', 'build'] as const),
        ...(definition.test === undefined ? [] : (['test'] as const)),
        'export',
      ];
    case 'kernel':
      return ['fetch', 'build'];
    case 'initramfs':
      return ['build'];
    case 'image':
      return [
        'build',
        ...(definition.kernel !== undefined && definition.initramfs !== undefined ? (['boot'] as const) : []),
        ...(definition.test === undefined ? [] : (['test'] as const)),
        'export',
      ];
    case 'sysext':
      return [
        'build',
        ...(definition.test === undefined ? [] : [...definition.test.on.map(testOn), 'test' as const]),
        'export',
      ];
  }
}

/** A task as a definition names it: `project:target`. */
export function foreignTask(name: string): ForeignTask {
  const [project = '', ...target] = name.split(':');
  return { project, target: target.join(':') };
}

function treeSources({ definition }: PlacedDefinition): TreeSource[] {
  switch (definition.kind) {
    case 'layer':
      return (definition.trees ?? []).map(({ source }) => source);
    case 'sysext':
      return definition.from.tree === undefined ? [] : [definition.from.tree];
    default:
      return [];
  }
}

/** The trees of files that a definition names. */
export function treeInputs(placed: PlacedDefinition): Pick<TaskInputs, 'trees' | 'foreign'> {
  const sources = treeSources(placed);
  return {
    trees: sources.flatMap((source) => (typeof source === 'string' ? [join(placed.root, source)] : [])),
    foreign: sources.flatMap((source) => (typeof source === 'string' ? [] : [foreignTask(source.task)])),
  };
}

/** The lock file of a layer that is bootstrapped. */
function lockOf(placed: PlacedDefinition): string[] {
  const { from } = placed.definition as LayerDefinition;
  return typeof from === 'object' && 'debian' in from ? [join(placed.root, from.debian.lock)] : [];
}

/** What it takes to make the layer that a stack starts from. */
function originInputs(model: Model, placed: PlacedDefinition): Pick<TaskInputs, 'files' | 'tasks'> {
  const origin = model.originOf(placed);
  if (origin === undefined) {
    return { files: [], tasks: [] };
  }
  const toolchain: TaskName[] = model.isBootstrap(origin)
    ? []
    : [{ project: model.toolchain(origin), target: 'build' }];
  return {
    files: [origin.file, ...lockOf(origin)],
    tasks: [{ project: origin.name, target: model.originTarget(origin) }, ...toolchain],
  };
}

/** What it takes to read ebuild repositories: a folder of the workspace as it lies there, else what was fetched. */
function repositoryInputs(model: Model, names: readonly string[]): Pick<TaskInputs, 'trees' | 'tasks'> {
  const trees: string[] = [];
  const tasks: TaskName[] = [];
  for (const name of names) {
    const { root, definition } = model.get(name, 'repository');
    if ('folder' in definition.source) {
      trees.push(join(root, definition.source.folder));
    } else {
      tasks.push({ project: name, target: 'fetch' });
    }
  }
  return { trees, tasks };
}

function layerInputs(model: Model, placed: PlacedDefinition, target: TargetName): Partial<TaskInputs> {
  const definition = placed.definition as LayerDefinition;
  const own = (name: TargetName): TaskName => ({ project: placed.name, target: name });
  const built = (project: string): TaskName => ({ project, target: 'build' });
  const { from } = definition;
  const parent = typeof from === 'string' && from !== 'scratch' ? [built(from)] : [];
  const hasPackages = model.hasPackages(placed);
  const lock = lockOf(placed);
  const origin = originInputs(model, placed);
  const planned = model.chain(placed).filter((layer) => model.hasPackages(layer));
  const toolchain = model.needsToolchain(placed) ? [built(model.toolchain(placed))] : [];
  switch (target) {
    case 'plan': {
      const repositories = repositoryInputs(model, model.repositories(placed));
      return {
        trees: [...repositories.trees, ...model.configuration(placed)],
        files: [...model.chain(placed).map(({ file }) => file), ...origin.files],
        tasks: [
          ...toolchain,
          ...origin.tasks,
          ...repositories.tasks,
          ...planned
            .filter((layer) => layer !== placed)
            .map(({ name }): TaskName => ({ project: name, target: 'plan' })),
        ],
      };
    }
    case 'origin':
      return { files: lock };
    case 'fetch':
      return hasPackages
        ? { tasks: [own('plan'), ...(typeof from === 'object' ? [own('origin')] : [])] }
        : { files: lock };
    case 'packages':
      // its packages stand on packages of the layers below, not on those layers
      return {
        files: origin.files,
        tasks: [
          ...planned.flatMap((layer): TaskName[] => [
            { project: layer.name, target: 'plan' },
            { project: layer.name, target: 'fetch' },
            { project: model.toolchain(layer), target: 'build' },
          ]),
          ...origin.tasks,
        ],
      };
    case 'merge':
      return {
        files: origin.files,
        tasks: [
          own('plan'),
          own('packages'),
          ...parent,
          ...toolchain,
          ...(typeof from === 'object' ? origin.tasks : []),
        ],
      };
    case 'build':
      return {
        files: [...lock, ...(definition.scripts ?? []).map((script) => join(placed.root, script))],
        ...treeInputs(placed),
        tasks: [
          ...(typeof from === 'object' ? [own(model.originTarget(placed))] : []),
          ...(hasPackages ? [own('merge')] : []),
          ...parent,
          ...toolchain,
        ],
      };
    default:
      return {};
  }
}

function prefixInputs(model: Model, placed: PlacedDefinition, target: TargetName): Partial<TaskInputs> {
  const definition = placed.definition as PrefixDefinition;
  const own = (name: TargetName): TaskName => ({ project: placed.name, target: name });
  const toolchain: TaskName = { project: model.toolchain(placed), target: 'build' };
  switch (target) {
    case 'plan': {
      const names = prefixRepositories(definition).map(({ name }) => name);
      const { trees, tasks } = repositoryInputs(model, names);
      return {
        files: names.map((name) => model.get(name, 'repository').file),
        trees: [...trees, ...configurationFolders(definition.portageConfig).map((folder) => join(placed.root, folder))],
        tasks: [toolchain, ...tasks],
      };
    }
    case 'fetch':
      return { tasks: [own('plan'), toolchain] };
    case 'packages':
      return { tasks: [own('plan'), own('fetch'), toolchain] };
    case 'merge':
    case 'build':
      return { tasks: [own('plan'), own('packages'), toolchain] };
    case 'test':
      return { tasks: [own('build'), toolchain] };
    default:
      return { tasks: [own('build')] };
  }
}

function kernelInputs(model: Model, placed: PlacedDefinition, target: TargetName): Partial<TaskInputs> {
  const { from } = placed.definition as KernelDefinition;
  const debian = 'debian' in from ? from.debian : 'debian' in from.source ? from.source.debian : undefined;
  const lock = debian === undefined ? [] : [join(placed.root, debian.lock)];
  if (target === 'fetch') {
    return { files: lock };
  }
  return {
    files: [...lock, ...('config' in from ? [join(placed.root, from.config)] : [])],
    tasks: [
      { project: placed.name, target: 'fetch' },
      { project: model.toolchain(placed), target: 'build' },
    ],
  };
}

function imageInputs(model: Model, placed: PlacedDefinition, target: TargetName): Partial<TaskInputs> {
  const { layers, kernel, initramfs } = placed.definition as ImageDefinition;
  const built = (project: string): TaskName => ({ project, target: 'build' });
  if (target === 'build') {
    return { tasks: [...layers.map(built), built(model.toolchain(placed))] };
  }
  const machine = [kernel, initramfs].flatMap((name) => (name === undefined ? [] : [built(name)]));
  return {
    tasks: [built(placed.name), ...machine, ...(target === 'export' ? [] : [built(model.vmToolchain(placed))])],
  };
}

/** Where a secret of a project lies, for {@link TaskInputs.secrets}. */
export function secretPath(root: string, path: string): string {
  return path.startsWith('/') || path.startsWith('~/') ? path : join(root, path);
}

function sysextInputs(model: Model, placed: PlacedDefinition, target: TargetName): Partial<TaskInputs> {
  const { from, base, verity, test } = placed.definition as SysextDefinition;
  const built = (project: string): TaskName => ({ project, target: 'build' });
  const signed = typeof verity === 'object' ? verity : undefined;
  const certificate = signed === undefined ? [] : [join(placed.root, signed.certificate)];
  if (target === 'build') {
    return {
      files: certificate,
      secrets: signed === undefined ? [] : [secretPath(placed.root, signed.key)],
      ...treeInputs(placed),
      tasks: [
        ...('layers' in from ? from.layers.map(built) : 'prefix' in from ? [built(from.prefix)] : []),
        ...(base === undefined ? [] : [built(base)]),
        built(model.toolchain(placed)),
      ],
    };
  }
  const on = test?.on.find((name) => testOn(name) === target);
  if (on !== undefined) {
    const image = model.get(on, 'image');
    return {
      // how the image boots is in its definition
      files: [image.file, ...certificate],
      tasks: [built(placed.name), ...(imageInputs(model, image, 'boot').tasks ?? [])],
    };
  }
  return target === 'test'
    ? { tasks: (test?.on ?? []).map((name): TaskName => ({ project: placed.name, target: testOn(name) })) }
    : { tasks: [built(placed.name)] };
}

/** Lists what a task depends on. Throws a UserError where the definitions do not say it. */
export function taskInputs(model: Model, placed: PlacedDefinition, target: TargetName): TaskInputs {
  const part = (): Partial<TaskInputs> => {
    const { definition } = placed;
    switch (definition.kind) {
      case 'repository':
        return 'folder' in definition.source
          ? { trees: [join(placed.root, definition.source.folder)] }
          : target === 'fetch'
            ? { tasks: [{ project: model.toolchain(placed), target: 'build' }] }
            : { tasks: [{ project: placed.name, target: 'fetch' }] };
      case 'layer':
        return layerInputs(model, placed, target);
      case 'prefix':
        return prefixInputs(model, placed, target);
      case 'kernel':
        return kernelInputs(model, placed, target);
      case 'initramfs':
        return {
          tasks: [
            { project: definition.kernel, target: 'build' },
            { project: model.toolchain(placed), target: 'build' },
          ],
        };
      case 'image':
        return imageInputs(model, placed, target);
      case 'sysext':
        return sysextInputs(model, placed, target);
    }
  };
  const { files = [], secrets = [], trees = [], tasks = [], foreign = [] } = part();
  return {
    files: [...new Set([placed.file, ...files])],
    secrets,
    trees: [...new Set(trees)],
    tasks: tasks.filter(
      (task, index) =>
        tasks.findIndex((other) => other.project === task.project && other.target === task.target) === index,
    ),
    foreign,
  };
}
