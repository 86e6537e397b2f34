import { spawn } from 'node:child_process';
import type { ExecutorContext } from '@nx/devkit';
import { references, type UserError } from '@strata/definitions';
import { absolutePath } from '@strata/fingerprint';
import { openUserStore } from '@strata/sandbox';
import { z } from 'zod';
import { dependencies } from './cycles.js';
import { explain } from './explain.js';
import type { FailedTask } from './explain-undeclared.js';
import { Model, parsePluginOptions, type TargetName } from './model.js';
import { produce } from './produce.js';
import { sayNotices, taskRemotes } from './sharing/task-remotes.js';
import { definitionsOf, readWorkspace, type ReadWorkspace } from './read-workspace.js';
import { definitionReader } from './records/describe.js';
import { Records } from './records/records.js';
import { Reporter } from './reporter.js';
import { WorkingServices } from './services.js';
import { Tasks } from './tasks.js';

/** Options of every inferred target. */
const executorOptionsSchema = z.looseObject({
  definition: z.string(),
  plugin: z.unknown(),
  /** The target, where that is another than the executor's own. */
  target: z.templateLiteral(['test-', z.string()]).optional(),
});

/** What is wrong with a project's own definition, else with those that it depends on. */
function problemsOf(
  workspace: ReadWorkspace,
  model: Model,
  definition: string,
  roots: ReadonlyMap<string, string>,
): readonly UserError[] {
  const own = workspace.broken.find(({ file }) => file === definition);
  if (own !== undefined) {
    return own.problems;
  }
  const names = workspace.good.filter(({ file }) => file === definition).map(({ name }) => name);
  for (const name of names) {
    const broken = workspace.broken.find((candidate) => candidate.name === name);
    if (broken !== undefined) {
      return broken.problems;
    }
    const placed = model.projects.get(name);
    const needed = placed === undefined ? [] : dependencies(model, placed);
    const tasks =
      placed === undefined ? [] : references(placed.definition).filter(({ target }) => target !== undefined);
    // the task of a project whose name a broken definition claims too is that project's
    const isForeign = (other: string): boolean =>
      tasks.some(({ project }) => project === other) &&
      workspace.broken.every(({ name: claimed, root }) => claimed !== other || roots.get(other) !== root);
    names.push(...needed.filter((other) => !names.includes(other) && !isForeign(other)));
  }
  return [];
}

/**
 * Notices that Nx's terminal interface ends a task from its leaves up (measured): at Ctrl-C it sends SIGTERM to every
 * process without children, such as a compiler in the sandbox, whose script may then go on and leave half of its
 * output; this process gets SIGKILL, five seconds later. So it has a leaf of its own, which does nothing but end then.
 */
function watchLeaves(onEnd: () => void): void {
  const leaf = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
  leaf.once('error', () => undefined);
  leaf.once('exit', onEnd);
  leaf.unref();
  (leaf.stdin as unknown as { unref(): void }).unref();
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
  watchLeaves(abort);
  return controller.signal;
}

/** Runs a target of one of Strata's projects, as Nx asks for it. */
export async function runExecutor(
  executor: TargetName,
  rawOptions: unknown,
  context: ExecutorContext,
): Promise<{ success: boolean }> {
  const signal = abortSignal();
  const reporter = new Reporter({
    write: (line) => process.stdout.write(`${line}\n`),
    environment: process.env,
    isTerminal: process.stdout.isTTY,
  });
  let task: FailedTask | undefined;
  try {
    const { plugin, definition, target = executor } = executorOptionsSchema.parse(rawOptions);
    const options = parsePluginOptions(plugin);
    const { projects } = context.projectsConfigurations;
    const roots = new Map(Object.entries(projects).map(([name, { root }]) => [name, root]));
    const files = definitionsOf(context.root, Object.values(projects));
    const workspace = readWorkspace(context.root, files, { projects: roots, complete: true, options });
    const model = new Model(workspace.good, options);
    const problems = problemsOf(workspace, model, definition, roots);
    if (problems.length > 0) {
      problems
        .flatMap(({ lines }) => lines)
        .forEach((line) => {
          reporter.line(line);
        });
      return { success: false };
    }
    const placed = workspace.good.find(({ file }) => file === definition);
    if (placed === undefined) {
      throw new Error(`${definition} is no definition of this workspace`);
    }
    task = { kind: placed.definition.kind, target, root: placed.root };
    const store = await openUserStore(process.env, taskRemotes(options, reporter, `${placed.name}:${target}`));
    const workspaceRoot = absolutePath(context.root);
    const records = await Records.open(store, workspaceRoot, definitionReader(workspaceRoot, workspace.good));
    const services = new WorkingServices({ workspaceRoot, store, reporter, records, signal });
    const nodes = new Map(Object.entries(context.projectGraph.nodes));
    const environment = { workspaceRoot, store, services, reporter, signal, projects: nodes };
    await new Tasks(model, environment, produce).run({ project: placed.name, target }).finally(async () => {
      await sayNotices(store, options, reporter);
    });
    return { success: true };
  } catch (error) {
    for (const line of explain(error, task)) {
      reporter.line(line);
    }
    return { success: false };
  } finally {
    reporter.close();
  }
}
