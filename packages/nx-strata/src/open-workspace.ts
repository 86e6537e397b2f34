import { createProjectGraphAsync } from '@nx/devkit';
import { references, type PlacedDefinition } from '@strata/definitions';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import { openUserStore } from '@strata/sandbox';
import { remoteAddresses, type Store } from '@strata/store';
import { Model, parsePluginOptions } from './model.js';
import type { BrokenDefinition } from './read-workspace.js';
import { definitionReader, Records } from './records.js';
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

/** The workspace's projects as Nx has them: asked for only where a layer carries what another project makes. */
async function otherProjects(good: readonly PlacedDefinition[]): Promise<TaskEnvironment['projects']> {
  const foreign = good.some(({ definition }) => references(definition).some(({ target }) => target !== undefined));
  return foreign ? new Map(Object.entries((await createProjectGraphAsync()).nodes)) : new Map();
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
