import { dirname, join } from 'node:path/posix';
import type { CreateDependencies, CreateNodes } from '@nx/devkit';
import { definitionFiles, packageManagerFiles, projectFiles } from './plugin-files.js';
import { remembered, stateOf } from './remembered.js';

/** Definitions, and the files by which Nx itself makes projects: two of one name stop every Nx command. */
const glob = `**/{${[...definitionFiles, ...projectFiles].join(',')}}`;

function isDefinition(file: string): boolean {
  return definitionFiles.includes(file.slice(file.lastIndexOf('/') + 1));
}

/** Everything that is read to infer projects, by path. */
function statesOf(workspaceRoot: string, files: readonly string[], definitionFolders: readonly string[]): object {
  const paths = [
    ...files,
    ...definitionFolders.flatMap((root) => projectFiles.map((name) => join(root, name))),
    ...packageManagerFiles,
  ];
  return Object.fromEntries([...new Set(paths)].sort().map((path) => [path, stateOf(join(workspaceRoot, path))]));
}

/** Makes projects of definitions. A pure function of committed files; a broken definition stops nobody else's project. */
export const createNodes: CreateNodes = [
  glob,
  async (files, options, context) => {
    const definitions = files.filter(isDefinition);
    if (definitions.length === 0) {
      return [];
    }
    const { workspaceRoot } = context;
    const states = statesOf(workspaceRoot, files, definitions.map(dirname));
    return remembered(workspaceRoot, 'projects', [workspaceRoot, options, files, states], async () =>
      (await import('./inference.js')).inferNodes(definitions, files, options, context),
    );
  },
];

/** Nx 23 and older look for this name. */
export const createNodesV2 = createNodes;

/** The references between definitions, as edges of the project graph. */
export const createDependencies: CreateDependencies = async (options, context) => {
  const { workspaceRoot, projects } = context;
  const folders = Object.values(projects).flatMap(({ root, tags }) =>
    tags?.includes('strata') === true ? [root] : [],
  );
  if (folders.length === 0) {
    return [];
  }
  const files = folders.flatMap((root) => definitionFiles.map((name) => join(root, name)));
  const question = [
    workspaceRoot,
    options,
    Object.entries(projects).map(([name, { root }]) => [name, root]),
    statesOf(workspaceRoot, files, folders),
  ];
  return remembered(workspaceRoot, 'dependencies', question, async () =>
    (await import('./inference.js')).inferDependencies(options, context),
  );
};
