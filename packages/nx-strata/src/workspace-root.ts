import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseJson } from 'nx/src/utils/json.js';
import { globWithWorkspaceContextSync } from 'nx/src/utils/workspace-context.js';
import { UserError } from '@strata/definitions';
import { definitionFiles } from './plugin-files.js';
import { readWorkspace, type ReadWorkspace } from './read-workspace.js';

/** The folder of the Nx workspace that a folder lies in. */
export function findWorkspaceRoot(start: string): string {
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'nx.json'))) {
      return folder;
    }
    if (folder === dirname(folder)) {
      throw new UserError(`${start} is in no Nx workspace`, { hint: 'run this below the folder that has nx.json' });
    }
  }
}

/** What `nx.json` says of the plugin. */
interface PluginEntry {
  readonly plugin?: string;
  readonly options?: unknown;
  /** Globs of definitions that the plugin sees, and of those that it does not see. */
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
}

/** What `nx.json` says of the plugin. Throws a {@link UserError} where that is no JSON. */
export function pluginEntry(root: string): PluginEntry {
  let nx: { readonly plugins?: readonly (string | PluginEntry)[] };
  try {
    nx = parseJson(readFileSync(join(root, 'nx.json'), 'utf8'));
  } catch (cause) {
    throw new UserError('nx.json is no JSON', { hint: 'see what `npx nx show projects` says', cause });
  }
  const entries = (nx.plugins ?? []).map((entry) => (typeof entry === 'string' ? { plugin: entry } : entry));
  return entries.find(({ plugin }) => plugin === 'nx-strata') ?? {};
}

/** The definitions of the workspace, found without Nx's project graph, where Nx would find them. */
export function scanWorkspace(root: string): ReadWorkspace {
  const { include, exclude } = pluginEntry(root);
  const glob = (globs: readonly string[]): string[] =>
    globWithWorkspaceContextSync(root, [...globs], [...(exclude ?? [])]);
  const included = include === undefined ? undefined : new Set(glob(include));
  const files = glob([`**/{${definitionFiles.join(',')}}`]).filter((file) => included?.has(file) !== false);
  return readWorkspace(root, files.sort(), { projects: new Map(), complete: false, options: {} });
}
