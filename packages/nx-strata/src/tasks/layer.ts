import { basename, join, resolve } from 'node:path/posix';
import { pathToFileURL } from 'node:url';
import { UserError, type LayerDefinition } from '@strata/definitions';
import { absolutePath, parseDigest, scanTree, type Digest } from '@strata/fingerprint';
import {
  bootstrapAction,
  composeAction,
  DebianSourceMirror,
  fetchLocked,
  makeSeed,
  tarballAction,
  type ComposedTree,
  type Device,
} from '@strata/image';
import {
  fetchDistfiles,
  fetchTarball,
  mergeAction,
  parsePlan,
  planAction,
  shimsFolder,
  type PlannedRepository,
} from '@strata/portage';
import { ActionFailed, type Action, type LayerDescriptor, type LayerStack } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { asLayer, type TaskOutput } from '../task-output.js';
import { pick, type Task } from '../tasks.js';

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
  const repositories = await Promise.all(
    model.repositories(placed).map(async (name): Promise<PlannedRepository> => {
      const { root, definition: repository } = model.get(name, 'repository');
      const { source, priority } = repository;
      const content =
        'folder' in source
          ? { tree: await task.tree(join(root, source.folder)) }
          : { layer: asLayer(pick((await task.output(name, 'fetch')).outputs, 'repository.tar.zst')) };
      return { name, priority, content };
    }),
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
      parents: await Promise.all(
        parents.map(async ({ name }) => pick((await task.output(name, 'plan')).outputs, 'plan.json')),
      ),
    },
    await scanTree(shimsFolder, { gitIgnored: 'include' }),
  );
  try {
    return { outputs: await task.action(action) };
  } catch (error) {
    if (error instanceof ActionFailed && error.report !== undefined) {
      const { message, hint, details } = error.report;
      throw new UserError(message, {
        place: placed.place(['packages']),
        details: details ?? [],
        hint: hint ?? `see ${error.log}`,
        cause: error,
      });
    }
    throw error;
  }
}

/** The name of a layer's tarball among the outputs of `fetch`. */
const tarballName = 'origin';

/** A tarball by URL, or by its path in the project. */
async function fetchOrigin(task: Task, source: string, digest: Digest): Promise<Descriptor> {
  const { signal, reporter, workspaceRoot } = task.environment;
  const uri = /^[a-z]+:/.test(source) ? source : pathToFileURL(resolve(workspaceRoot, task.placed.root, source)).href;
  return fetchTarball(task.store, uri, digest, {
    signal,
    onProgress: (progress) => {
      reporter.progress(task.label, progress);
    },
  });
}

/** Fetches what a layer is made of: distfiles of its plan, packages of its lock file. */
export async function fetchLayer(task: Task): Promise<TaskOutput> {
  const { placed, store, environment } = task;
  const { signal, reporter } = environment;
  const { from } = definitionOf(task);
  const onProgress = (progress: Parameters<typeof reporter.progress>[1]): void => {
    reporter.progress(task.label, progress);
  };
  const outputs: Record<string, Descriptor> = {};
  if (typeof from === 'object' && 'debian' in from) {
    const lock = task.lock(join(placed.root, from.debian.lock));
    const files = await fetchLocked(store, lock, {
      project: placed.name,
      mirror: from.debian.mirror,
      signal,
      onProgress,
    });
    Object.assign(outputs, Object.fromEntries(files));
  }
  if (typeof from === 'object' && 'tarball' in from) {
    outputs[tarballName] = await fetchOrigin(task, from.tarball, parseDigest(from.digest));
  }
  if (task.model.hasPackages(placed)) {
    const plan = parsePlan(await store.readText(pick((await task.output(placed.name, 'plan')).outputs, 'plan.json')));
    const distfiles = plan.packages.flatMap((entry) => entry.distfiles);
    const mirrors = (process.env['GENTOO_MIRRORS'] ?? '').split(/\s+/).filter((mirror) => mirror !== '');
    const files = await fetchDistfiles(store, distfiles, {
      mirrors: [new DebianSourceMirror(store)],
      gentooMirrors: mirrors,
      signal,
      onProgress,
    });
    Object.assign(outputs, Object.fromEntries(files));
  }
  return { outputs };
}

/** Merges a layer's packages. */
export async function mergeLayer(task: Task): Promise<TaskOutput> {
  const { placed } = task;
  const plan = (await task.output(placed.name, 'plan')).outputs;
  const fetched = (await task.output(placed.name, 'fetch')).outputs;
  const wanted = parsePlan(await task.store.readText(pick(plan, 'plan.json'))).packages.flatMap(
    ({ distfiles }) => distfiles,
  );
  const action = mergeAction(
    {
      label: task.label,
      toolchain: await task.toolchain(),
      plan: pick(plan, 'plan.json'),
      snapshot: asLayer(pick(plan, 'snapshot.tar.zst')),
      distfiles: new Map(wanted.map(({ name }) => [name, pick(fetched, name)])),
      parents: await parentStack(task),
      jobs: task.jobs,
    },
    await scanTree(shimsFolder, { gitIgnored: 'include' }),
  );
  return { outputs: await task.action(action) };
}

async function parentStack(task: Task): Promise<LayerStack> {
  const { from } = definitionOf(task);
  return typeof from === 'string' && from !== 'scratch' ? task.stack(from) : [];
}

async function trees(task: Task): Promise<ComposedTree[]> {
  return Promise.all(
    (definitionOf(task).trees ?? []).map(async ({ source, ...rules }): Promise<ComposedTree> => {
      if (typeof source === 'string') {
        return { ...rules, tree: await task.tree(join(task.placed.root, source)) };
      }
      const [project = '', ...target] = source.task.split(':');
      return { ...rules, tree: await task.foreignTree(project, target.join(':'), source.path) };
    }),
  );
}

/** The action that makes what a layer starts from, where that is no other layer. */
async function originAction(task: Task, from: Exclude<LayerDefinition['from'], string>): Promise<Action> {
  const fetched = (await task.output(task.placed.name, 'fetch')).outputs;
  if ('tarball' in from) {
    const toolchain = await task.toolchain();
    return tarballAction({ label: task.label, toolchain, tarball: pick(fetched, tarballName), stripTop: false });
  }
  const lock = task.lock(join(task.placed.root, from.debian.lock));
  const files = new Map(Object.entries(fetched));
  const seed = await makeSeed(task.store, lock, files, task.environment.signal);
  return bootstrapAction({ label: task.label, seed, lock, files });
}

/** Builds a layer: what it starts from, its packages, its trees and scripts. */
export async function buildLayer(task: Task): Promise<TaskOutput> {
  const { placed, model } = task;
  const definition = definitionOf(task);
  const below: LayerDescriptor[] = [];
  const made: Record<string, Descriptor> = {};
  if (typeof definition.from === 'object') {
    const base = await task.action(await originAction(task, definition.from));
    made['origin.tar.zst'] = pick(base, 'layer.tar.zst');
    below.push(titled(pick(base, 'layer.tar.zst'), `${placed.name} (origin)`));
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
        parents: below,
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
