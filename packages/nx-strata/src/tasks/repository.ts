import { join } from 'node:path/posix';
import type { RepositoryDefinition } from '@strata/definitions';
import { digestOfJson, parseDigest, type ScannedTree } from '@strata/fingerprint';
import { tarballAction } from '@strata/image';
import type { ActionKey } from '@strata/store';
import type { TaskOutput } from '../task-output.js';
import { pick, type Task } from '../tasks.js';

/** The files of a repository that lies in the workspace, without the definition that makes it a project. */
export function repositoryTree(task: Task, root: string, folder: string): Promise<ScannedTree> {
  return task.tree(join(root, folder), ['repository.yaml']);
}

/** The digest of a repository's tree, and what is in it. */
export async function snapshotRepository(task: Task): Promise<TaskOutput> {
  const { source } = task.placed.definition as RepositoryDefinition;
  if (!('folder' in source)) {
    return task.output(task.placed.name, 'fetch');
  }
  const { manifest } = await repositoryTree(task, task.placed.root, source.folder);
  const text = `${JSON.stringify(manifest, undefined, 1)}\n`;
  const outputs = { 'tree.json': await task.store.put(text, { mediaType: 'application/vnd.strata.tree.v1+json' }) };
  // by a name of its own it is shared, as everything that task outputs name
  await task.store.record(digestOfJson({ snapshot: outputs['tree.json'].digest }) as ActionKey, { outputs });
  return { outputs };
}

/** Fetches a repository that does not lie in the workspace, as a layer of its files. */
export async function fetchRepository(task: Task): Promise<TaskOutput> {
  const { source } = task.placed.definition as RepositoryDefinition;
  if ('folder' in source) {
    throw new Error(`${task.placed.name} lies in the workspace`);
  }
  const tarball =
    'git' in source
      ? await task.services.git(source.git, source.commit, task.client)
      : await task.services.tarball(source.tarball, parseDigest(source.digest), task.client);
  const action = tarballAction({
    label: task.label,
    toolchain: await task.toolchain(),
    tarball,
    stripTop: 'tarball' in source,
  });
  return { outputs: { 'repository.tar.zst': pick(await task.action(action), 'layer.tar.zst') } };
}
