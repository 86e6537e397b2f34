import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path/posix';
import { pathToFileURL } from 'node:url';
import { UserError, type LayerDefinition, type PlacedDefinition } from '@strata/definitions';
import { absolutePath, parseDigest } from '@strata/fingerprint';
import { bootstrapAction, composeAction, tarballAction, type ComposedTree, type Device } from '@strata/image';
import { mergeAction, planAction, shimsFolder } from '@strata/portage';
import type { Action, LayerDescriptor, LayerStack } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { asLayer, type TaskOutput } from '../task-output.js';
import { pick, type Task } from '../tasks.js';
import { fetchPlanned, planOf, plannedRepositories, runPlan } from './planning.js';

function definitionOf(task: Task): LayerDefinition {
  return task.placed.definition as LayerDefinition;
}

function titled(layer: Descriptor, title: string): LayerDescriptor {
  return asLayer({ ...layer, annotations: { ...layer.annotations, 'dev.strata.title': title } });
}

/** Plans a layer's packages. */
export async function planLayer(task: Task): Promise<TaskOutput> {
  const { model, placed } = task;
  const definition = definitionOf(task);
  const repositories = await plannedRepositories(
    task,
    model.repositories(placed).map((name) => ({ name })),
  );
  const parents = model.chain(placed).filter((layer) => layer !== placed && model.hasPackages(layer));
  const profile = model.inherited(placed, (layer) => layer.profile);
  if (profile === undefined) {
    throw new Error(`${placed.name} has no profile`);
  }
  const action = planAction(
    {
      label: task.label,
      toolchain: await task.toolchain(),
      repositories,
      configuration: await Promise.all(model.configuration(placed).map((folder) => task.tree(folder))),
      profile,
      atoms: definition.packages ?? [],
      origin: await originOf(task),
      parents: await Promise.all(
        parents.map(async ({ name }) => pick((await task.output(name, 'plan')).outputs, 'plan.json')),
      ),
    },
    await task.ownTree(shimsFolder),
  );
  return runPlan(task, action);
}

/** The name of a layer's tarball among the outputs of `fetch`. */
const tarballName = 'origin';

/** Fetches what a layer starts from: packages of its lock file, its tarball. */
export async function fetchOrigin(task: Task): Promise<TaskOutput> {
  const { placed, services, environment } = task;
  const { from } = definitionOf(task);
  if (typeof from === 'object' && 'debian' in from) {
    const source = { lock: task.lock(placed, from.debian), mirror: from.debian.mirror };
    return { outputs: Object.fromEntries(await services.locked(source, task.client)) };
  }
  if (typeof from === 'object') {
    const { tarball, digest } = from;
    const isAddress = /^[a-z]+:/.test(tarball);
    const file = join(placed.root, tarball);
    if (!isAddress && !existsSync(join(environment.workspaceRoot, file))) {
      const place = placed.place(['from', 'tarball']);
      throw new UserError(`there is no file ${file}`, { place, hint: 'put it there, or correct its name' });
    }
    const uri = isAddress ? tarball : pathToFileURL(resolve(environment.workspaceRoot, file)).href;
    return { outputs: { [tarballName]: await services.tarball(uri, parseDigest(digest), task.client) } };
  }
  return { outputs: {} };
}

/** Fetches what a layer is made of: the distfiles of its plan, or what it starts from where it has no packages. */
export async function fetchLayer(task: Task): Promise<TaskOutput> {
  if (!task.model.hasPackages(task.placed)) {
    return fetchOrigin(task);
  }
  return fetchPlanned(task);
}

/** Merges a layer's packages. */
export async function mergeLayer(task: Task): Promise<TaskOutput> {
  const { placed } = task;
  const { outputs } = await task.output(placed.name, 'plan');
  const plan = await planOf(task, placed);
  const { outputs: packages } = await task.output(placed.name, 'packages');
  const parents = typeof definitionOf(task).from === 'object' ? await originOf(task) : await parentStack(task);
  const action = mergeAction(
    {
      label: task.label,
      toolchain: await task.toolchain(),
      plan,
      snapshot: asLayer(pick(outputs, 'snapshot.tar.zst')),
      packages: new Map(plan.packages.map(({ cpv }) => [cpv, pick(packages, `${cpv}.gpkg.tar`)])),
      parents,
    },
    await task.ownTree(shimsFolder),
  );
  return { outputs: await task.action(action) };
}

async function parentStack(task: Task): Promise<LayerStack> {
  const { from } = definitionOf(task);
  return typeof from === 'string' && from !== 'scratch' ? task.stack(from) : [];
}

async function trees(task: Task): Promise<ComposedTree[]> {
  return Promise.all(
    (definitionOf(task).trees ?? []).map(async ({ source, ...rules }) => ({
      ...rules,
      tree: await task.sourceTree(source),
    })),
  );
}

/** The layer that a stack starts from, where that is a whole system of its own. */
export async function originOf(task: Task): Promise<LayerStack> {
  const { model } = task;
  const placed = model.originOf(task.placed);
  if (placed === undefined) {
    return [];
  }
  const { from } = placed.definition as LayerDefinition;
  const { outputs: fetched } = await task.output(placed.name, model.originTarget(placed));
  const made = await task.action(
    await originAction(task, placed, from as Exclude<LayerDefinition['from'], string>, fetched),
  );
  return [titled(pick(made, 'layer.tar.zst'), `${placed.name} (origin)`)];
}

async function originAction(
  task: Task,
  placed: PlacedDefinition,
  from: Exclude<LayerDefinition['from'], string>,
  fetched: TaskOutput['outputs'],
): Promise<Action> {
  const label = `${placed.name}:${task.model.hasPackages(placed) ? 'origin' : 'build'}`;
  if ('tarball' in from) {
    const toolchain = await task.stack(task.model.toolchain(placed));
    return tarballAction({ label, toolchain, tarball: pick(fetched, tarballName), stripTop: false });
  }
  const lock = task.lock(placed, from.debian);
  const files = new Map(Object.entries(fetched));
  const seed = task.services.seed(lock, files);
  return bootstrapAction({ label, seed, lock, files });
}

/** Builds a layer: what it starts from, its packages, its trees and scripts. */
export async function buildLayer(task: Task): Promise<TaskOutput> {
  const { placed, model } = task;
  const definition = definitionOf(task);
  const below: LayerDescriptor[] = [];
  const made: Record<string, Descriptor> = {};
  if (typeof definition.from === 'object') {
    const origin = await originOf(task);
    made['origin.tar.zst'] = origin[0] as Descriptor;
    below.push(...origin);
  } else if (definition.from !== 'scratch') {
    below.push(...(await parentStack(task)));
  }
  if (model.hasPackages(placed)) {
    const merged = (await task.output(placed.name, 'merge')).outputs;
    below.push(titled(pick(merged, 'layer.tar.zst'), `${placed.name} (packages)`));
  }
  const { scripts = [], devices = [], exclude = [] } = definition;
  const composed = await trees(task);
  if (composed.length + scripts.length + devices.length + exclude.length > 0) {
    const outputs = await task.action(
      composeAction({
        label: task.label,
        toolchain: await task.toolchain(),
        parents: [...below],
        trees: composed,
        scripts: scripts.map((script) => ({
          name: basename(script),
          path: absolutePath(task.file(join(placed.root, script))),
          chroot: script.endsWith('.chroot'),
        })),
        devices: devices.map(({ user, group, major = 0, minor = 0, ...device }): Device => ({
          ...device,
          major,
          minor,
          uid: user,
          gid: group,
        })),
        exclude,
      }),
    );
    made['layer.tar.zst'] = pick(outputs, 'layer.tar.zst');
    below.push(titled(pick(outputs, 'layer.tar.zst'), placed.name));
  }
  return { outputs: made, stack: below };
}
