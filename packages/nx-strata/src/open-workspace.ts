import type { PlacedDefinition } from '@strata/definitions';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import { openUserStore } from '@strata/sandbox';
import { remoteAddresses, type Store } from '@strata/store';
import { Model, parsePluginOptions } from './model.js';
import type { BrokenDefinition } from './read-workspace.js';
import { definitionReader } from './records/describe.js';
import { Records } from './records/records.js';
import { treeInputs } from './task-inputs.js';
import type { TaskEnvironment } from './tasks.js';
import { findWorkspaceRoot, pluginEntry, scanWorkspace } from './workspace-root.js';

/** A workspace as Strata's own commands see it, without Nx's project graph. */
export interface OpenWorkspace {
  readonly root: AbsolutePath;
  readonly model: Model;
  readonly good: readonly PlacedDefinition[];
  readonly broken: readonly BrokenDefinition[];
  readonly projects: TaskEnvironment['projects'];
  readonly store: Store;
  readonly records: Records;
}

/** The workspace's projects as Nx has them: asked for only where one carries what another project makes. */
async function otherProjects(good: readonly PlacedDefinition[]): Promise<TaskEnvironment['projects']> {
  if (!good.some((placed) => treeInputs(placed).foreign.length > 0)) {
    return new Map();
  }
  // Nx takes longer to load than most of Strata's own commands take
  const { createProjectGraphAsync } = await import('@nx/devkit');
  return new Map(Object.entries((await createProjectGraphAsync()).nodes));
}

/**
 * Opens the workspace that a folder lies in, with the store of this user.
 *
 * @param projects the workspace's projects, where Nx need not be asked for them
 */
export async function openWorkspace(
  folder: string = process.cwd(),
  projects?: TaskEnvironment['projects'],
): Promise<OpenWorkspace> {
  const root = absolutePath(findWorkspaceRoot(folder));
  const { good, broken } = scanWorkspace(root);
  const options = parsePluginOptions(pluginEntry(root).options);
  const store = await openUserStore(process.env, {
    addresses: remoteAddresses(process.env, options.remotes),
    onFault: (message) => {
      console.error(message);
    },
  });
  const records = await Records.open(store, root, definitionReader(root, good));
  const model = new Model(good, options);
  return { root, model, good, broken, projects: projects ?? (await otherProjects(good)), store, records };
}
