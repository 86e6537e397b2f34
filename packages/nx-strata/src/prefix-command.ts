import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { UserError, type PlacedDefinition } from '@strata/definitions';
import { prefixToolRunnable, prefixTools, shimsFolder, type PrefixTool } from '@strata/portage';
import { enter, type LayerStack } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { evaluate } from './evaluate.js';
import { findProject } from './find-project.js';
import { openWorkspace, type OpenWorkspace } from './open-workspace.js';
import { produce } from './produce.js';
import { Reporter } from './reporter.js';
import { WorkingServices } from './services.js';
import { asLayer, readTaskOutput } from './task-output.js';
import { outputFile } from './targets.js';
import { Task, Tasks } from './tasks.js';
import { taskInputs } from './task-inputs.js';
import { planParameters } from './tasks/prefix.js';
import type { TargetName } from './model.js';

const form = `strata prefix ${prefixTools.join('|')} NAME [WORD...]`;

/** What a tool finds in the staging root. */
interface Staging {
  readonly layers: LayerStack;
  readonly packages: ReadonlyMap<string, Descriptor>;
}

/** Runs a target by Nx, so that nothing is older than the workspace. Gives back whether it went well. */
async function runTarget(root: string, task: string): Promise<boolean> {
  const nx = createRequire(`${root}/package.json`).resolve('nx/bin/nx.js');
  const options = { cwd: root, env: { ...process.env, NX_TUI: 'false' }, maxBuffer: 1 << 28 };
  try {
    // the tool's own output is what is printed, and nothing else where all is well
    await promisify(execFile)(process.execPath, [nx, 'run', task, '--output-style=stream'], options);
    return true;
  } catch (error) {
    console.error((error as { stdout?: string }).stdout ?? String(error));
    return false;
  }
}

/** The packages that were built, where others failed: as they are packed, which is before they are merged. */
async function builtPackages({ model, root, projects, store, records }: OpenWorkspace, name: string): Promise<Staging> {
  const options = { store, records, signal: new AbortController().signal };
  const task = { project: name, target: 'packages' } as const;
  const { actions } = await evaluate(model, root, projects, [task], options);
  const layers: ReturnType<typeof asLayer>[] = [];
  const packages = new Map<string, Descriptor>();
  for (const { action, outputs, known } of actions.values()) {
    const [layer, binaryPackage] = [outputs['layer.tar.zst'], outputs['package.gpkg.tar']];
    if (known && layer !== undefined && binaryPackage !== undefined && action.label.startsWith(`${name}:`)) {
      layers.push(asLayer(layer));
      packages.set(action.label.slice(name.length + 1), binaryPackage);
    }
  }
  return { layers, packages };
}

function outputsOf({ root }: OpenWorkspace, placed: PlacedDefinition, target: TargetName): Record<string, Descriptor> {
  return { ...readTaskOutput(`${root}/${outputFile(placed.root, target)}`)?.outputs };
}

async function stagingOf(workspace: OpenWorkspace, placed: PlacedDefinition): Promise<Staging> {
  if (!(await runTarget(workspace.root, `${placed.name}:merge`))) {
    const built = await builtPackages(workspace, placed.name);
    console.error(
      `the staging root has only what could be built: ${[...built.packages.keys()].join(', ') || 'nothing'}`,
    );
    return built;
  }
  const merged = outputsOf(workspace, placed, 'merge')['layer.tar.zst'];
  const packages = Object.entries(outputsOf(workspace, placed, 'packages')).flatMap(
    ([name, artifact]): [string, Descriptor][] =>
      name.endsWith('.gpkg.tar') ? [[name.slice(0, -'.gpkg.tar'.length), artifact]] : [],
  );
  return { layers: merged === undefined ? [] : [asLayer(merged)], packages: new Map(packages) };
}

/**
 * `strata prefix`: a tool of Portage's or a shell in the staging root of a prefix, with the terminal of the user. What it
 * changes is thrown away. Gives back the tool's exit status.
 */
export async function prefixCommand(words: readonly string[]): Promise<number> {
  const [tool, name, ...rest] = words;
  if (!(prefixTools as readonly (string | undefined)[]).includes(tool)) {
    const problem = tool === undefined ? 'needs a tool, and the name of a prefix' : `has no tool ${tool}`;
    throw new UserError(`strata prefix ${problem}`, { hint: form });
  }
  if (name === undefined || name.startsWith('-')) {
    throw new UserError(`strata prefix ${tool ?? ''} needs the name of a prefix`, { hint: form });
  }
  const workspace = await openWorkspace();
  const placed = findProject(workspace, name, 'prefix');
  const { root: workspaceRoot, model, store, records, projects } = workspace;
  const { signal } = new AbortController();
  const write = (line: string): void => {
    console.error(line);
  };
  const reporter = new Reporter({ write, environment: {}, isTerminal: false });
  const staging = await stagingOf(workspace, placed);
  const services = new WorkingServices({ workspaceRoot, store, reporter, records, signal });
  const tasks = new Tasks(model, { workspaceRoot, store, services, reporter, signal, projects }, produce);
  const task = new Task(tasks, placed, 'plan', taskInputs(model, placed, 'plan'));
  const runnable = prefixToolRunnable(
    {
      plan: await planParameters(task),
      staging: staging.layers,
      distfiles: outputsOf(workspace, placed, 'fetch'),
      packages: staging.packages,
      tool: tool as PrefixTool,
      words: rest,
      jobs: task.jobs,
    },
    await task.ownTree(shimsFolder),
  );
  reporter.close();
  return tasks.withRewinding(() =>
    enter(store, { ...runnable, environment: { TERM: process.env['TERM'] ?? 'dumb' } }, { signal }),
  );
}
