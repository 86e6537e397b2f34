import { dirname } from 'node:path/posix';
import {
  createNodesFromFiles,
  DependencyType,
  type CreateDependencies,
  type CreateNodes,
  type CreateNodesResult,
  type RawProjectGraphDependency,
} from '@nx/devkit';
import { kinds, references } from '@strata/definitions';
import { Model, pluginOptionsSchema, type PluginOptions } from './model.js';
import { definitionGlob, readWorkspace } from './read-workspace.js';
import { inferBrokenProject, inferProject } from './targets.js';

function parseOptions(options: unknown): PluginOptions {
  const parsed = pluginOptionsSchema.safeParse(options ?? {});
  return parsed.success ? parsed.data : {};
}

/** Makes projects of definitions. A pure function of committed files; a broken definition stops nobody else's project. */
export const createNodes: CreateNodes = [
  definitionGlob,
  async (files, rawOptions, context) => {
    const options = parseOptions(rawOptions);
    const workspace = readWorkspace(context.workspaceRoot, files, undefined);
    const model = new Model(workspace.good, options);
    const taken = new Set<string>();
    return createNodesFromFiles(
      (file): CreateNodesResult => {
        const placed = workspace.good.find((entry) => entry.file === file);
        const broken = workspace.broken.find((entry) => entry.file === file);
        const root = dirname(file);
        const name = placed?.name ?? broken?.name ?? root;
        // two definitions in one folder or of one name: the first stands for both, and says so
        if (taken.has(root) || taken.has(`name ${name}`)) {
          return {};
        }
        taken.add(root).add(`name ${name}`);
        if (placed !== undefined) {
          return { projects: { [root]: inferProject(model, placed) } };
        }
        return broken === undefined ? {} : { projects: { [root]: inferBrokenProject(broken, broken.kind, options) } };
      },
      files,
      rawOptions,
      context,
    );
  },
];

/** Nx 23 and older look for this name. */
export const createNodesV2 = createNodes;

/** The references between definitions, as edges of the project graph. */
export const createDependencies: CreateDependencies = (rawOptions, context) => {
  const options = parseOptions(rawOptions);
  const files = Object.values(context.projects).flatMap(({ root, tags }) => {
    const kind = kinds.find((candidate) => tags?.includes(`strata:${candidate}`) === true);
    return kind === undefined ? [] : [`${root}/${kind}.yaml`];
  });
  const workspace = readWorkspace(context.workspaceRoot, files, undefined);
  const model = new Model(workspace.good, options);
  const edges: RawProjectGraphDependency[] = [];
  for (const placed of workspace.good) {
    const named = references(placed.definition).map(({ project }) => project);
    const implied: string[] = [];
    try {
      if (placed.definition.kind !== 'repository' && !model.isBootstrap(placed)) {
        implied.push(model.toolchain(placed));
      }
      if (placed.definition.kind === 'image') {
        implied.push(model.vmToolchain(placed));
      }
    } catch {
      // without a toolchain there is no edge; the executor says what is missing
    }
    for (const target of new Set([...named, ...implied])) {
      if (target in context.projects && placed.name in context.projects && target !== placed.name) {
        edges.push({ source: placed.name, target, sourceFile: placed.file, type: DependencyType.static });
      }
    }
  }
  return edges;
};
