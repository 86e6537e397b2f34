import { dirname, relative } from 'node:path/posix';
import type { Kind } from '@strata/definitions';
import type { Undeclared } from '@strata/sandbox';
import type { TargetName } from './model.js';

/** The task that failed: it decides which field of the definition would have declared something. */
export interface FailedTask {
  readonly kind: Kind;
  readonly target: TargetName;
  /** Folder of the project, relative to the workspace. */
  readonly root: string;
}

/** What to say about what an action asked for in vain. */
export interface UndeclaredHelp {
  readonly details: readonly string[];
  readonly hint: string;
}

/** Whether what runs are ebuilds. */
function runsEbuilds({ kind, target }: FailedTask): boolean {
  return (kind === 'layer' || kind === 'prefix') && (target === 'plan' || target === 'packages' || target === 'merge');
}

function declareFiles(paths: readonly string[], task: FailedTask | undefined): string {
  const [first = ''] = paths;
  const files = paths.length === 1 ? first : `${first} and the others`;
  if (task?.kind === 'layer' && task.target === 'build') {
    const source = relative(task.root, dirname(first)) || '.';
    return `declare ${files} under \`trees\` of the layer ({ source: ${source}, target: … }; scripts find it below $ROOT) or, if it is one, under \`scripts\``;
  }
  if (task !== undefined && runsEbuilds(task)) {
    return `put ${files} into the package's \`files/\`, where its ebuild finds it in $FILESDIR`;
  }
  return task?.kind === 'kernel'
    ? `\`from.config\` is all of the workspace that a kernel is built from: put the rest of ${files} into it`
    : `put ${files} into a layer, under its \`trees\``;
}

function declareDownloads(task: FailedTask | undefined): string {
  const tarball = '`from: { tarball, digest }`';
  if (task !== undefined && runsEbuilds(task)) {
    return 'declare downloads in SRC_URI, with their digests in the Manifest';
  }
  return task?.kind === 'kernel'
    ? 'declare downloads by URL and digest: `from.source: { tarball, digest }`'
    : `declare downloads by URL and digest: a layer ${tarball}, or a package with SRC_URI and its Manifest`;
}

/** What to say about what a failed action asked for in vain; undefined where nothing was noticed. */
export function explainUndeclared(
  { paths, hosts }: Undeclared,
  task: FailedTask | undefined,
): UndeclaredHelp | undefined {
  const declarable = paths.filter(({ place }) => place === 'workspace').map(({ path }) => path);
  const foreign = paths.filter(({ place }) => place !== 'workspace').map(({ path }) => path);
  if (paths.length + hosts.length === 0) {
    return undefined;
  }
  const details = [
    ...(declarable.length > 0
      ? [`it asked for files of the workspace that it does not declare: ${declarable.join(', ')}`]
      : []),
    ...(foreign.length > 0 ? [`it asked for files of this machine, which no action sees: ${foreign.join(', ')}`] : []),
    ...(hosts.length > 0 ? [`it asked for hosts, and no action has a network: ${hosts.join(', ')}`] : []),
  ];
  const hints = [
    ...(declarable.length > 0 ? [declareFiles(declarable, task)] : []),
    ...(hosts.length > 0 ? [declareDownloads(task)] : []),
    ...(foreign.length > 0
      ? ['files of this machine cannot be declared: keep what is needed of them in the workspace']
      : []),
  ];
  return { details, hint: hints.join('; ') };
}
