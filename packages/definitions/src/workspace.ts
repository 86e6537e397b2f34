import { join } from 'node:path/posix';
import { aKind, type Definition, type LayerDefinition } from './definition.js';
import type { FieldPath } from './problems.js';
import { someOf, suggest } from './suggest.js';
import { namedPaths } from './paths.js';
import { prefixRepositories } from './prefix.js';
import { references } from './references.js';
import { UserError, type Place } from './user-error.js';

/** A good definition in its workspace. */
export interface PlacedDefinition {
  /** Path of the file, relative to the workspace. */
  readonly file: string;
  /** Folder of the project, relative to the workspace. */
  readonly root: string;
  /** Name of the project. */
  readonly name: string;
  readonly definition: Definition;
  readonly place: (path: FieldPath) => Place;
}

/** The layers that a layer stands on, from the one right below it to the lowest; ends where a cycle closes. */
export function ancestors(layer: LayerDefinition, layers: ReadonlyMap<string, PlacedDefinition>): PlacedDefinition[] {
  const found: PlacedDefinition[] = [];
  for (let { from } = layer; typeof from === 'string' && from !== 'scratch';) {
    const parent = layers.get(from);
    if (parent?.definition.kind !== 'layer' || found.includes(parent)) {
      break;
    }
    found.push(parent);
    ({ from } = parent.definition);
  }
  return found;
}

/**
 * Checks what a single definition cannot know: the projects that it names, cycles, folders with two definitions.
 *
 * @param others names of the workspace's other projects, with their folders
 * @param othersUnknown whether there may be other projects than those: a reference to any project is then not checked
 * @param unusable folders of definitions that cannot be used: what refers to those is told so by them
 * @returns problems by the definition's file
 */
export function checkWorkspace(
  definitions: readonly PlacedDefinition[],
  others: ReadonlyMap<string, string>,
  othersUnknown = false,
  unusable: ReadonlySet<string> = new Set(),
): Map<string, UserError[]> {
  const problems = new Map<string, UserError[]>();
  const byName = new Map(definitions.map((placed) => [placed.name, placed]));
  const report = (placed: PlacedDefinition, path: FieldPath, message: string, hint: string): void => {
    const list = problems.get(placed.file) ?? [];
    list.push(new UserError(message, { place: placed.place(path), hint }));
    problems.set(placed.file, list);
  };
  for (const placed of definitions) {
    checkReferences(placed, byName, others, othersUnknown, unusable, report);
    checkLayers(placed, byName, report);
    checkSysext(placed, byName, report);
    checkPrefixes(placed, definitions, report);
    checkPaths(placed, report);
    for (const other of definitions) {
      if (other !== placed && other.root === placed.root) {
        report(
          placed,
          [],
          `${placed.root} has two definitions, ${placed.file} and ${other.file}`,
          'give each definition a folder of its own',
        );
      } else if (other !== placed && other.name === placed.name) {
        report(placed, ['name'], `${other.file} is named ${placed.name} too`, 'give one of them another `name:`');
      }
    }
    const sameName = others.get(placed.name);
    if (sameName !== undefined && sameName !== placed.root) {
      report(
        placed,
        ['name'],
        `the project in ${sameName} is named ${placed.name} too`,
        'give one of them another `name:`',
      );
    }
  }
  return problems;
}

type Report = (placed: PlacedDefinition, path: FieldPath, message: string, hint: string) => void;

function checkReferences(
  placed: PlacedDefinition,
  byName: ReadonlyMap<string, PlacedDefinition>,
  others: ReadonlyMap<string, string>,
  othersUnknown: boolean,
  unusable: ReadonlySet<string>,
  report: Report,
): void {
  const ours = new Set([...unusable, ...[...byName.values()].map(({ root }) => root)]);
  for (const { project, kind, path } of references(placed.definition)) {
    const target = byName.get(project);
    if (target === undefined && !others.has(project) && !(othersUnknown && kind === undefined)) {
      const candidates = [...byName.values()]
        .filter(({ definition }) => kind === undefined || definition.kind === kind)
        .map(({ name }) => name);
      const close = suggest(project, kind === undefined ? [...candidates, ...others.keys()] : candidates);
      const what = kind ?? 'project';
      report(
        placed,
        path,
        `there is no ${what} named ${project}`,
        close === undefined
          ? `the workspace has ${someOf(candidates) || `no ${what} at all`}`
          : `did you mean ${close}?`,
      );
    } else if (target === undefined && kind !== undefined && !ours.has(others.get(project) ?? '')) {
      report(
        placed,
        path,
        `${project} (${others.get(project) ?? ''}) is no project of Strata's, and ${aKind(kind)} is needed here`,
        `name a project with ${aKind(kind)}.yaml`,
      );
    } else if (target !== undefined && kind !== undefined && target.definition.kind !== kind) {
      report(
        placed,
        path,
        `${project} is ${aKind(target.definition.kind)} (${target.file}), and ${aKind(kind)} is needed here`,
        `name a project with ${aKind(kind)}.yaml`,
      );
    } else if (target === placed && path[0] !== 'from') {
      report(placed, path, `${project} refers to itself`, 'name another project');
    }
  }
}

function checkLayers(placed: PlacedDefinition, byName: ReadonlyMap<string, PlacedDefinition>, report: Report): void {
  const { definition } = placed;
  if (definition.kind === 'layer') {
    const parents = ancestors(definition, byName);
    if (parents.includes(placed)) {
      const names = parents.slice(0, parents.indexOf(placed) + 1).map(({ name }) => name);
      report(
        placed,
        ['from'],
        `the layers ${[placed.name, ...names].join(' → ')} stand on each other`,
        'let one of them start `from:` scratch',
      );
      return;
    }
    const chain = [definition, ...parents.map((parent) => parent.definition as LayerDefinition)];
    if ((definition.packages?.length ?? 0) > 0) {
      if (chain.every(({ repositories }) => (repositories?.length ?? 0) === 0)) {
        report(
          placed,
          ['packages'],
          'the layer has packages, and neither it nor a parent names a repository',
          'name one under `repositories:`',
        );
      }
      if (chain.every(({ profile }) => profile === undefined)) {
        report(
          placed,
          ['packages'],
          'the layer has packages, and neither it nor a parent has a profile',
          'name one as `profile: repository:path`',
        );
      }
    }
  } else if (definition.kind === 'image') {
    if (definition.test !== undefined && (definition.kernel === undefined || definition.initramfs === undefined)) {
      report(
        placed,
        ['test'],
        'an image with a test needs a kernel and an initramfs',
        'name them under `kernel:` and `initramfs:`',
      );
    }
    const initramfs = definition.initramfs === undefined ? undefined : byName.get(definition.initramfs)?.definition;
    if (initramfs?.kind === 'initramfs' && definition.kernel !== undefined && initramfs.kernel !== definition.kernel) {
      report(
        placed,
        ['initramfs'],
        `${definition.initramfs ?? ''} has modules of the kernel ${initramfs.kernel}, and the image boots ${definition.kernel}`,
        'use one kernel for both',
      );
    }
  }
}

/** What lies outside of the workspace is in none of its commits. */
function checkPaths(placed: PlacedDefinition, report: Report): void {
  for (const { path, field } of namedPaths(placed.definition)) {
    if (/^\.\.(\/|$)/.test(join(placed.root, path))) {
      report(placed, field, `${path} lies outside of the workspace`, 'copy it into the workspace');
    }
  }
}

/** Two prefixes of one board whose files would lie in each other could not be on one system. */
function checkPrefixes(placed: PlacedDefinition, definitions: readonly PlacedDefinition[], report: Report): void {
  const { definition } = placed;
  if (definition.kind !== 'prefix') {
    return;
  }
  const names = prefixRepositories(definition).map(({ name }) => name);
  names.forEach((name, index) => {
    if (names.indexOf(name) !== index) {
      report(placed, ['repositories', index], `the repository ${name} is named twice`, 'name each repository once');
    }
  });
  for (const { definition: other, name, file } of definitions) {
    if (other === definition || other.kind !== 'prefix' || other.board !== definition.board) {
      continue;
    }
    if (other.path === definition.path) {
      report(
        placed,
        ['path'],
        `${name} (${file}) uses ${other.path} too`,
        'give each prefix of a board a path of its own',
      );
    } else if (definition.path.startsWith(`${other.path}/`)) {
      report(
        placed,
        ['path'],
        `${definition.path} lies in ${other.path}, which is the path of ${name} (${file})`,
        'give each prefix of a board a path of its own',
      );
    }
  }
}

function checkSysext(placed: PlacedDefinition, byName: ReadonlyMap<string, PlacedDefinition>, report: Report): void {
  const { definition } = placed;
  if (definition.kind !== 'sysext') {
    return;
  }
  const { from, architecture, test } = definition;
  const prefix = 'prefix' in from ? byName.get(from.prefix) : undefined;
  if (prefix?.definition.kind === 'prefix') {
    const wanted = prefix.definition.board === 'arm64-usr' ? 'arm64' : 'x86-64';
    if (architecture !== wanted) {
      report(
        placed,
        ['architecture'],
        `the extension is for ${architecture}, and ${prefix.name} for the board ${prefix.definition.board}`,
        `write \`architecture: ${wanted}\`, or name another prefix`,
      );
    }
  }
  test?.on.forEach((name, index) => {
    const image = byName.get(name)?.definition;
    if (image?.kind === 'image' && (image.kernel === undefined || image.initramfs === undefined)) {
      report(
        placed,
        ['test', 'on', index],
        `${name} cannot be booted: it has no kernel or no initramfs`,
        `name them under \`kernel:\` and \`initramfs:\` of ${name}`,
      );
    }
  });
}
