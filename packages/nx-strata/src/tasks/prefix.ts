import { join } from 'node:path/posix';
import { boards, configurationFolders, prefixRepositories, type PrefixDefinition } from '@strata/definitions';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import { exportFiles, exportTree } from '@strata/image';
import {
  finalAction,
  mergeAction,
  parsePrefixReport,
  planAction,
  programTestAction,
  shimsFolder,
  type Plan,
  type PlanParameters,
  type PrefixReport,
  type PrefixSettings,
} from '@strata/portage';
import type { Descriptor } from '@strata/store';
import { asLayer, type TaskOutput } from '../task-output.js';
import { pick, type Task } from '../tasks.js';
import { buildPlannedPackages, readPlannedLayer } from './packages.js';
import { fetchPlanned, planOf, plannedRepositories, runPlan } from './planning.js';
import { runCommand } from './run-prefix.js';

function definitionOf(task: Task): PrefixDefinition {
  return task.placed.definition as PrefixDefinition;
}

/** What Portage has to know of a prefix. */
export function prefixSettings({ path, board, libc }: PrefixDefinition): PrefixSettings {
  return { path, libc, ...boards[board] };
}

/** All that a prefix is planned from. */
export async function planParameters(task: Task): Promise<PlanParameters> {
  const definition = definitionOf(task);
  const folders = configurationFolders(definition.portageConfig).map((folder) => join(task.placed.root, folder));
  return {
    label: task.label,
    toolchain: await task.toolchain(),
    repositories: await plannedRepositories(task, prefixRepositories(definition)),
    configuration: await Promise.all(folders.map((folder) => task.tree(folder))),
    profile: definition.profile,
    atoms: definition.packages,
    origin: [],
    parents: [],
    prefix: prefixSettings(definition),
  };
}

/** Plans the packages of a prefix: those that it names, and all that they need to be built and to run. */
export async function planPrefix(task: Task): Promise<TaskOutput> {
  return runPlan(task, planAction(await planParameters(task), await task.ownTree(shimsFolder)));
}

/** Fetches the distfiles of a prefix. */
export const fetchPrefix = fetchPlanned;

/** Builds the packages of a prefix, each by itself, for its path alone. */
export async function buildPrefixPackages(task: Task): Promise<TaskOutput> {
  const layer = await readPlannedLayer(task, task.placed);
  return buildPlannedPackages(task, [layer], { origin: [], prefix: prefixSettings(definitionOf(task)) });
}

function binaryPackages(outputs: TaskOutput['outputs'], cpvs: readonly string[]): Map<string, Descriptor> {
  return new Map(cpvs.map((cpv) => [cpv, pick(outputs, `${cpv}.gpkg.tar`)]));
}

async function planned(task: Task): Promise<{ readonly plan: Plan; readonly snapshot: Descriptor }> {
  const { outputs } = await task.output(task.placed.name, 'plan');
  return { plan: await planOf(task, task.placed), snapshot: pick(outputs, 'snapshot.tar.zst') };
}

/** Merges all packages of a prefix: the staging root, in which `strata prefix` works. */
export async function mergePrefix(task: Task): Promise<TaskOutput> {
  const { plan, snapshot } = await planned(task);
  const { outputs } = await task.output(task.placed.name, 'packages');
  const action = mergeAction(
    {
      label: task.label,
      toolchain: await task.toolchain(),
      plan,
      snapshot: asLayer(snapshot),
      packages: binaryPackages(
        outputs,
        plan.packages.map(({ cpv }) => cpv),
      ),
      parents: [],
      prefix: prefixSettings(definitionOf(task)),
    },
    await task.ownTree(shimsFolder),
  );
  return { outputs: await task.action(action) };
}

/** Makes the final tree of a prefix, and says what is worth knowing of it. */
export async function buildPrefix(task: Task): Promise<TaskOutput> {
  const { plan, snapshot } = await planned(task);
  const { outputs: packages } = await task.output(task.placed.name, 'packages');
  const outputs = await task.action(
    finalAction(
      {
        label: task.label,
        toolchain: await task.toolchain(),
        plan,
        snapshot: asLayer(snapshot),
        packages: binaryPackages(packages, plan.runtime ?? []),
        prefix: prefixSettings(definitionOf(task)),
        masks: definitionOf(task).masks,
      },
      await task.ownTree(shimsFolder),
    ),
  );
  const layer = pick(outputs, 'layer.tar.zst');
  const report = await reportOf(task, outputs);
  if (report !== undefined) {
    for (const line of noticesOf(report)) {
      task.environment.reporter.line(`${task.label}  ${line}`);
    }
  }
  const title = { ...layer.annotations, 'dev.strata.title': task.placed.name };
  return { outputs, stack: [asLayer({ ...layer, annotations: title })] };
}

async function reportOf(task: Task, outputs: TaskOutput['outputs']): Promise<PrefixReport | undefined> {
  const text = await task.services.text(pick(outputs, 'report.json'));
  return text === undefined ? undefined : parsePrefixReport(text);
}

/** The first of many, and how many more there are. */
function some(names: readonly string[]): string {
  const shown = 3;
  const first = names.slice(0, shown).join(', ');
  return names.length > shown ? `${first} and ${names.length - shown} more` : first;
}

/** What a user should know of a prefix that is self-contained and may still look outside of itself. */
function noticesOf({ path, scripts, foreignPaths }: PrefixReport): string[] {
  const foreign = scripts.map(({ file, interpreter }) => `${file} (${interpreter})`);
  const looking = foreignPaths.map(({ file, paths }) => `${file} (${some(paths)})`);
  return [
    ...(foreign.length > 0 ? [`scripts whose interpreter is not in ${path}: ${some(foreign)}`] : []),
    ...(looking.length > 0 ? [`files that have paths of the system: ${some(looking)}`] : []),
  ];
}

/** Runs the commands of a prefix's test in a root that has nothing else. */
export async function testPrefix(task: Task): Promise<TaskOutput> {
  const definition = definitionOf(task);
  const action = programTestAction({
    label: task.label,
    toolchain: await task.toolchain(),
    layers: await task.stack(task.placed.name),
    prefix: prefixSettings(definition),
    steps: definition.test ?? [],
  });
  return { outputs: await task.action(action) };
}

/** Writes the tree of a prefix into `dist/`, and says how to run a program of it where there is nothing else. */
export async function exportPrefix(task: Task): Promise<TaskOutput> {
  const { outputs } = await task.output(task.placed.name, 'build');
  const dist = `dist/${task.placed.root}`;
  const folder = `${dist}/tree`;
  const at = (path: string): AbsolutePath => absolutePath(join(task.environment.workspaceRoot, path));
  await exportTree(task.store, await task.stack(task.placed.name), at(folder), task.environment.signal);
  await exportFiles(task.store, at(dist), { 'report.json': pick(outputs, 'report.json') });
  const { reporter } = task.environment;
  const report = await reportOf(task, outputs);
  reporter.line(`exported to ${folder}; what is known of it is in ${dist}/report.json`);
  const command = runCommand(folder, definitionOf(task), report?.programs ?? []);
  if (command !== undefined) {
    const isEmulated = command.startsWith('qemu-');
    const how = isEmulated ? 'by an emulator (Debian package qemu-user)' : 'where there is nothing else';
    reporter.line(`a program of it runs ${how}, with:`);
    reporter.line(command);
  }
  return { outputs };
}
