import type { ExecutorContext } from '@nx/devkit';
import { definitionKind, kinds, UserError } from '@strata/definitions';
import { absolutePath } from '@strata/fingerprint';
import { ActionFailed, InputChanged, openUserStore } from '@strata/sandbox';
import { z } from 'zod';
import { Model, pluginOptionsSchema, type TargetName } from './model.js';
import { produce } from './produce.js';
import { readWorkspace } from './read-workspace.js';
import { definitionReader, Records } from './records.js';
import { Reporter } from './reporter.js';
import { WorkingServices } from './services.js';
import { Tasks } from './tasks.js';

/** Options of every inferred target. */
const executorOptionsSchema = z.looseObject({ definition: z.string(), plugin: pluginOptionsSchema });

/** The lines that tell a user why something failed. Anything that is no mistake of the user keeps its stack trace. */
export function explain(error: unknown): string[] {
  if (error instanceof UserError) {
    return error.lines;
  }
  if (error instanceof ActionFailed) {
    const { report, lastLines, log, label, outcome } = error;
    return report === undefined
      ? [
          `error: ${label} failed (${outcome})`,
          ...lastLines.map((line) => `  | ${line}`),
          `hint: the full log is ${log}`,
        ]
      : [
          `error: ${label}: ${report.message}`,
          ...(report.details ?? []).map((line) => `  | ${line}`),
          `hint: ${report.hint ?? 'see its log'} (the full log is ${log})`,
        ];
  }
  if (error instanceof InputChanged) {
    return [`error: ${error.message}`, 'hint: run it again, and leave its inputs alone meanwhile'];
  }
  if (error instanceof Error && error.name === 'AbortError') {
    return ['interrupted'];
  }
  return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
}

function definitionsOf(context: ExecutorContext): string[] {
  return Object.values(context.projectsConfigurations.projects).flatMap(({ root, tags }) => {
    const kind = kinds.find((candidate) => tags?.includes(`strata:${candidate}`) === true);
    return kind === undefined ? [] : [`${root}/${kind}.yaml`];
  });
}

/** Ends an executor's work when Nx wants it to, or is no longer there. */
function abortSignal(): AbortSignal {
  const controller = new AbortController();
  const abort = (): void => {
    controller.abort();
  };
  process.once('SIGINT', abort);
  process.once('SIGTERM', abort);
  process.once('SIGHUP', abort);
  process.once('disconnect', () => {
    abort();
    // Nx was killed: what runs below dies with this process
    setTimeout(() => process.exit(1), 500).unref();
  });
  return controller.signal;
}

/** Runs a target of one of Strata's projects, as Nx asks for it. */
export async function runExecutor(
  target: TargetName,
  rawOptions: unknown,
  context: ExecutorContext,
): Promise<{ success: boolean }> {
  const signal = abortSignal();
  const reporter = new Reporter((line) => process.stdout.write(`${line}\n`), process.env);
  try {
    const { plugin, definition } = executorOptionsSchema.parse(rawOptions);
    const { projects } = context.projectsConfigurations;
    const projectRoots = new Map(Object.entries(projects).map(([name, { root }]) => [name, root]));
    const workspace = readWorkspace(context.root, definitionsOf(context), projectRoots);
    const mine = workspace.broken.filter((broken) => broken.file === definition);
    if (mine.length > 0) {
      for (const problem of mine.flatMap(({ problems }) => problems)) {
        problem.lines.forEach((line) => {
          reporter.line(line);
        });
      }
      return { success: false };
    }
    if (context.projectName === undefined || definitionKind(definition) === undefined) {
      throw new Error('the executor was called without a project');
    }
    const store = await openUserStore();
    const workspaceRoot = absolutePath(context.root);
    const records = await Records.open(store, workspaceRoot, definitionReader(workspaceRoot, workspace.good));
    const services = new WorkingServices({ store, reporter, records, signal });
    const environment = { workspaceRoot, store, services, reporter, signal, projectRoots };
    const tasks = new Tasks(new Model(workspace.good, plugin), environment, produce);
    await tasks.run({ project: context.projectName, target });
    return { success: true };
  } catch (error) {
    for (const line of explain(error)) {
      reporter.line(line);
    }
    return { success: false };
  }
}
