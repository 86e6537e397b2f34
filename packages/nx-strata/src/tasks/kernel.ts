import { join } from 'node:path/posix';
import { UserError, type KernelDefinition } from '@strata/definitions';
import { parseDigest } from '@strata/fingerprint';
import { debFileName, prebuiltKernelAction, sourceKernelAction } from '@strata/image';
import type { Descriptor } from '@strata/store';
import type { TaskOutput } from '../task-output.js';
import { pick, type LockedSource, type Task } from '../tasks.js';

/** The name of a source that is no package of Debian's, among the outputs of `fetch`. */
const sourceName = 'source';

/** Where a kernel is locked, if it is a package of Debian's. */
function debianOf(from: KernelDefinition['from']): (LockedSource & { mirror?: string | undefined }) | undefined {
  const debian = 'debian' in from ? from.debian : 'debian' in from.source ? from.source.debian : undefined;
  return debian && { ...debian, packages: [debian.package] };
}

/** Fetches a kernel's package or source. */
export async function fetchKernel(task: Task): Promise<TaskOutput> {
  const { from } = task.placed.definition as KernelDefinition;
  const debian = debianOf(from);
  if (debian === undefined) {
    if (!('source' in from && 'tarball' in from.source)) {
      throw new Error(`${task.placed.name} has no source`);
    }
    const { tarball, digest } = from.source;
    return { outputs: { [sourceName]: await task.services.tarball(tarball, parseDigest(digest), task.client) } };
  }
  const source = { lock: task.lock(task.placed, debian), mirror: debian.mirror };
  return { outputs: Object.fromEntries(await task.services.locked(source, task.client)) };
}

async function sourceOf(task: Task, from: KernelDefinition['from']): Promise<Descriptor> {
  const fetched = (await task.output(task.placed.name, 'fetch')).outputs;
  const debian = debianOf(from);
  if (debian === undefined) {
    return pick(fetched, sourceName);
  }
  const [entry, ...others] = task.lock(task.placed, debian).packages;
  if (entry === undefined || others.length > 0) {
    throw new UserError(`the lock file of ${task.placed.name} has to name one package`, {
      place: task.placed.place(['from']),
      hint: `write it anew: npx strata update ${task.placed.name}`,
    });
  }
  return pick(fetched, debFileName(entry));
}

/** Makes a kernel. */
export async function buildKernel(task: Task): Promise<TaskOutput> {
  const { from } = task.placed.definition as KernelDefinition;
  const artifact = await sourceOf(task, from);
  const toolchain = await task.toolchain();
  const action =
    'config' in from
      ? sourceKernelAction({
          label: task.label,
          toolchain,
          source: artifact,
          config: task.file(join(task.placed.root, from.config)),
          base: from.base,
          jobs: task.jobs,
        })
      : prebuiltKernelAction({ label: task.label, toolchain, deb: artifact });
  return { outputs: await task.action(action) };
}
