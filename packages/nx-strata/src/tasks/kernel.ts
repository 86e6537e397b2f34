import { join } from 'node:path/posix';
import { UserError, type KernelDefinition } from '@strata/definitions';
import { debFileName, fetchLocked, prebuiltKernelAction, sourceKernelAction, type Lock } from '@strata/image';
import type { TaskOutput } from '../task-output.js';
import { pick, type Task } from '../tasks.js';

function debianOf({ from }: KernelDefinition): { lock: string; mirror?: string | undefined } | undefined {
  return 'debian' in from ? from.debian : 'debian' in from.source ? from.source.debian : undefined;
}

function lockOf(task: Task, name: string): Lock {
  return task.lock(join(task.placed.root, name));
}

/** Fetches a kernel's package or source. */
export async function fetchKernel(task: Task): Promise<TaskOutput> {
  const debian = debianOf(task.placed.definition as KernelDefinition);
  if (debian === undefined) {
    throw new UserError('a kernel from a tarball cannot be fetched yet', {
      place: task.placed.place(['from']),
      hint: 'use Debian’s package of the source: `source: { debian: { package: linux-source-6.12 } }`',
    });
  }
  const { signal, reporter } = task.environment;
  const files = await fetchLocked(task.store, lockOf(task, debian.lock), {
    project: task.placed.name,
    mirror: debian.mirror,
    signal,
    onProgress: (progress) => {
      reporter.progress(task.label, progress);
    },
  });
  return { outputs: Object.fromEntries(files) };
}

/** Makes a kernel. */
export async function buildKernel(task: Task): Promise<TaskOutput> {
  const definition = task.placed.definition as KernelDefinition;
  const debian = debianOf(definition);
  const fetched = (await task.output(task.placed.name, 'fetch')).outputs;
  const [entry, ...others] = debian === undefined ? [] : lockOf(task, debian.lock).packages;
  if (entry === undefined || others.length > 0) {
    throw new UserError(`the lock file of ${task.placed.name} has to name one package`, {
      place: task.placed.place(['from']),
      hint: `write it anew: npx strata update ${task.placed.name}`,
    });
  }
  const artifact = pick(fetched, debFileName(entry));
  const toolchain = await task.toolchain();
  const { from } = definition;
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
