import { basename, dirname } from 'node:path/posix';
import {
  createNodesFromFiles,
  DependencyType,
  type CreateDependenciesContext,
  type CreateNodesContext,
  type CreateNodesResult,
  type CreateNodesResultArray,
  type RawProjectGraphDependency,
} from '@nx/devkit';
import { dependencies } from './cycles.js';
import { Model, pluginOptionsSchema, type PluginOptions } from './model.js';
import { otherProjects } from './other-projects.js';
import { definitionsOf, readWorkspace } from './read-workspace.js';
import { inferBrokenProject, inferProject } from './targets.js';

/** Options that cannot be used are said by the executors: here they would stop everybody's projects. */
function parseOptions(options: unknown): PluginOptions {
  const parsed = pluginOptionsSchema.safeParse(options ?? {});
  return parsed.success ? parsed.data : {};
}

/** A name for a project whose own name another one has, in which its targets can say so. */
function nameOfFolder(root: string, taken: ReadonlySet<string>): string {
  const plain = root.replaceAll('/', '-').replace(/^[^A-Za-z0-9]+/, '');
  for (let name = plain === '' ? 'strata' : plain; ; name = `${name}-strata`) {
    if (!taken.has(name)) {
      return name;
    }
  }
}

/** Definitions' names for Nx, by file: each name once, and one definition a folder. */
function nxNames(
  definitions: readonly { readonly file: string; readonly root: string; readonly name: string }[],
  others: ReadonlyMap<string, string>,
): Map<string, string> {
  const names = new Map<string, string>();
  const taken = new Set([...others.keys(), ...definitions.map(({ name }) => name)]);
  const [givenNames, givenRoots] = [new Set<string>(), new Set<string>()];
  for (const { file, root, name } of definitions) {
    if (givenRoots.has(root)) {
      continue;
    }
    const other = others.get(name);
    const clashes = givenNames.has(name) || (other !== undefined && other !== root);
    const given = clashes ? nameOfFolder(root, taken) : name;
    names.set(file, given);
    givenNames.add(given);
    givenRoots.add(root);
    taken.add(given);
  }
  return names;
}

/**
 * The projects of definitions, by their files.
 *
 * @param files definitions, and the files by which Nx itself makes projects
 */
export async function inferNodes(
  definitions: readonly string[],
  files: readonly string[],
  rawOptions: unknown,
  context: CreateNodesContext,
): Promise<CreateNodesResultArray> {
  const options = parseOptions(rawOptions);
  const ours = new Set(definitions.map((file) => dirname(file)));
  const projects = new Map(
    otherProjects(context.workspaceRoot, files).flatMap(({ name, root }): [string, string][] => {
      // Nx's own default; beside a definition there is a name
      const given = name ?? (ours.has(root) ? undefined : basename(root).toLowerCase());
      return given === undefined ? [] : [[given, root]];
    }),
  );
  const { good, broken } = readWorkspace(context.workspaceRoot, definitions, { projects, complete: false, options });
  const all = [...good, ...broken].sort((left, right) => (left.file < right.file ? -1 : 1));
  const names = nxNames(all, projects);
  // what refers to a project that could not have its name depends on it all the same, and hears why from it
  const renamed = new Map(all.map(({ name, file }) => [name, names.get(file) ?? name]));
  const model = new Model(good, options);
  return createNodesFromFiles(
    (file): CreateNodesResult => {
      const name = names.get(file);
      const placed = good.find((entry) => entry.file === file);
      const bad = broken.find((entry) => entry.file === file);
      const root = dirname(file);
      // of two definitions in one folder the first stands for both, and says so
      if (name === undefined) {
        return {};
      }
      if (placed !== undefined) {
        return { projects: { [root]: inferProject(model, placed, rawOptions, renamed) } };
      }
      return bad === undefined
        ? {}
        : { projects: { [root]: inferBrokenProject({ ...bad, name }, bad.kind, rawOptions) } };
    },
    definitions,
    rawOptions,
    context,
  );
}

/** The references between definitions, as edges of the project graph. */
export function inferDependencies(
  rawOptions: unknown,
  context: CreateDependenciesContext,
): RawProjectGraphDependency[] {
  const options = parseOptions(rawOptions);
  const projects = new Map(Object.entries(context.projects).map(([name, { root }]) => [name, root]));
  const files = definitionsOf(context.workspaceRoot, Object.values(context.projects));
  const { good } = readWorkspace(context.workspaceRoot, files, { projects, complete: true, options });
  const model = new Model(good, options);
  return good.flatMap((placed) =>
    dependencies(model, placed)
      .filter((target) => target in context.projects && placed.name in context.projects && target !== placed.name)
      .map((target): RawProjectGraphDependency => ({
        source: placed.name,
        target,
        sourceFile: placed.file,
        type: DependencyType.static,
      })),
  );
}
