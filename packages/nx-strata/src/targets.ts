import type { ProjectConfiguration, TargetConfiguration } from '@nx/devkit';
import type { Kind, PlacedDefinition } from '@strata/definitions';
import { codeDigest } from './code-digest.js';
import type { Model, TargetName } from './model.js';
import { targetsOf, taskInputs, type TaskInputs } from './task-inputs.js';

type InputDefinition = Exclude<NonNullable<TargetConfiguration['inputs']>[number], string>;

const descriptions: Record<Kind, Partial<Record<TargetName, string>>> = {
  repository: { snapshot: "Digest of the repository's tree", fetch: 'Fetch the repository' },
  layer: {
    origin: 'Fetch what the layer starts from',
    plan: 'Ask Portage what it would merge',
    fetch: 'Fetch everything that the layer is made of',
    packages: 'Build the planned packages by emerge, each in a root of what it declares',
    merge: 'Merge the binary packages by emerge, in the order of the plan',
    build: 'Add trees and scripts, and pack the layer',
  },
  prefix: {
    plan: 'Ask Portage what it would merge',
    fetch: 'Fetch everything that the packages are made of',
    packages: 'Build the planned packages for the path of the prefix by emerge, each in a root of what it declares',
    merge: 'Merge all packages, what is needed to build included, into the staging root of `strata prefix`',
    build: 'Merge what the programs need to run, see that nothing is missing, and pack it as a layer',
    test: 'Run programs in a root that has nothing but the prefix',
    export: 'Write the tree into dist/, and say how to run a program in a root that has nothing else',
  },
  kernel: { fetch: 'Fetch the kernel', build: 'Make the kernel and its modules' },
  initramfs: { build: 'Make the initramfs' },
  image: {
    build: 'Pack the merged layers as a squashfs',
    boot: 'Boot the image in QEMU, with its console on the terminal',
    test: 'Boot the image in QEMU and go through its test',
    export: "Copy the image's files into dist/",
  },
  sysext: {
    build: 'Pack the extension',
    test: 'Try the extension on each of its images',
    export: "Copy the extension's files into dist/, with what an update server needs",
  },
};

function describe(kind: Kind, target: TargetName): string {
  return descriptions[kind][target] ?? target.replace(/^test-/, 'Try the extension on ');
}

/** Where a task leaves what Nx caches: a small JSON file that names its artifacts. */
export function outputFile(root: string, target: TargetName): string {
  return `dist/${root}/strata/${target}.json`;
}

function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A path for one of Nx's globs: folders are called `[page]` and `(group)`, which would match something else. */
function literal(path: string): string {
  return path.replace(/[\\*?[\]{}()!+@|]/g, '\\$&');
}

/** Nx hashes files by their content alone: executable bits and the targets of links get in this way. */
function modesInput(tree: string): InputDefinition {
  const links = "-type l -printf '%P -> %l\\n'";
  const executables = "-type f -perm -100 -printf '%P x\\n'";
  return { runtime: `find ${shellWord(`./${tree}`)} ${links} -o ${executables} | LC_ALL=C sort` };
}

/** What of a secret Nx may know. */
function secretInput(secret: string): InputDefinition {
  const path = secret.startsWith('~/') ? `"$HOME"/${shellWord(secret.slice(2))}` : shellWord(secret);
  return { runtime: `sha256sum < ${path} 2> /dev/null || true` };
}

function nxInputs({ files, secrets, trees, tasks, foreign }: TaskInputs): InputDefinition[] {
  return [
    ...files.map((file) => ({ fileset: `{workspaceRoot}/${literal(file)}` })),
    ...secrets.map(secretInput),
    ...trees.flatMap((tree): InputDefinition[] => [
      { fileset: `{workspaceRoot}/${literal(tree)}/**/*` },
      modesInput(tree),
    ]),
    ...(tasks.length > 0 ? [{ dependentTasksOutputFiles: '**/strata/*.json' }] : []),
    ...(foreign.length > 0 ? [{ dependentTasksOutputFiles: '**/*' }] : []),
    { externalDependencies: [] },
  ];
}

function targetConfiguration(
  placed: Pick<PlacedDefinition, 'root' | 'file'>,
  kind: Kind,
  target: TargetName,
  inputs: TaskInputs | undefined,
  options: unknown,
  names: ReadonlyMap<string, string> = new Map(),
): TargetConfiguration {
  const cached = target !== 'boot' && target !== 'export';
  const isCell = target.startsWith('test-');
  const tasks = inputs?.tasks.map((task) => ({ ...task, project: names.get(task.project) ?? task.project }));
  const dependsOn = [...(tasks ?? []), ...(inputs?.foreign ?? [])];
  return {
    executor: `nx-strata:${isCell ? 'test' : target}`,
    // constant but for the digest: Nx's hash of every target covers the options of all
    options: { definition: placed.file, plugin: options ?? {}, strata: codeDigest(), ...(isCell ? { target } : {}) },
    ...(target === 'boot' ? { continuous: true } : {}),
    cache: cached,
    ...(inputs === undefined ? {} : { inputs: nxInputs(inputs) }),
    ...(cached ? { outputs: [`{workspaceRoot}/${outputFile(placed.root, target)}`] } : {}),
    dependsOn: dependsOn.map(({ project, target: name }) => ({ projects: [project], target: name })),
    metadata: { technologies: ['strata'], description: describe(kind, target) },
  };
}

function project(
  placed: Pick<PlacedDefinition, 'root' | 'name'>,
  kind: Kind,
  extra: { readonly description?: string | undefined; readonly tags?: readonly string[] | undefined },
  targets: Record<string, TargetConfiguration>,
): ProjectConfiguration {
  return {
    name: placed.name,
    root: placed.root,
    projectType: kind === 'image' || kind === 'sysext' ? 'application' : 'library',
    tags: ['strata', `strata:${kind}`, ...(extra.tags ?? [])],
    metadata: {
      technologies: ['strata', kind],
      ...(extra.description === undefined ? {} : { description: extra.description }),
      targetGroups: { strata: Object.keys(targets) },
    },
    targets,
  };
}

/**
 * The project of a good definition.
 *
 * @param options the plugin's, as nx.json has them
 * @param names what Nx calls the projects of definitions, by their own names
 */
export function inferProject(
  model: Model,
  placed: PlacedDefinition,
  options: unknown,
  names: ReadonlyMap<string, string>,
): ProjectConfiguration {
  const { kind } = placed.definition;
  const targets = Object.fromEntries(
    targetsOf(model, placed).map((target) => {
      let inputs: TaskInputs | undefined;
      try {
        inputs = taskInputs(model, placed, target);
      } catch {
        // the executor meets the same mistake, and says it
        inputs = undefined;
      }
      return [target, targetConfiguration(placed, kind, target, inputs, options, names)];
    }),
  );
  return project(placed, kind, placed.definition, targets);
}

const allTargets: Record<Kind, readonly TargetName[]> = {
  repository: ['fetch', 'snapshot'],
  layer: ['origin', 'plan', 'fetch', 'packages', 'merge', 'build'],
  prefix: ['plan', 'fetch', 'packages', 'merge', 'build', 'test', 'export'],
  kernel: ['fetch', 'build'],
  initramfs: ['build'],
  image: ['build', 'boot', 'test', 'export'],
  sysext: ['build', 'test', 'export'],
};

/** The project of a broken definition: it keeps its targets, and they say what is wrong. */
export function inferBrokenProject(
  placed: Pick<PlacedDefinition, 'root' | 'name' | 'file'>,
  kind: Kind,
  options: unknown,
): ProjectConfiguration {
  const none: TaskInputs = { files: [placed.file], secrets: [], trees: [], tasks: [], foreign: [] };
  const targets = Object.fromEntries(
    allTargets[kind].map((target) => [
      target,
      { ...targetConfiguration(placed, kind, target, none, options), cache: false },
    ]),
  );
  return project(placed, kind, { description: `broken: see ${placed.file}` }, targets);
}
