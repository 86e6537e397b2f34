import { UserError, type RepositoryDefinition } from '@strata/definitions';
import { join } from 'node:path/posix';
import type { TaskOutput } from '../task-output.js';
import type { Task } from '../tasks.js';

/** The digest of a repository's tree, and what is in it. */
export async function snapshotRepository(task: Task): Promise<TaskOutput> {
  const { source } = task.placed.definition as RepositoryDefinition;
  if (!('folder' in source)) {
    return task.output(task.placed.name, 'fetch');
  }
  const { manifest } = await task.tree(join(task.placed.root, source.folder));
  const text = `${JSON.stringify(manifest, undefined, 1)}\n`;
  return { outputs: { 'tree.json': await task.store.put(text, { mediaType: 'application/vnd.strata.tree.v1+json' }) } };
}

/** Fetches a repository that does not lie in the workspace. */
export function fetchRepository(task: Task): Promise<TaskOutput> {
  throw new UserError('repositories from git and from tarballs cannot be fetched yet', {
    place: task.placed.place(['source']),
    hint: 'check the repository out into the workspace, and use `source: { folder }`',
  });
}
