import type { PlacedDefinition } from '@strata/definitions';
import { digestOfJson, type AbsolutePath, type Digest } from '@strata/fingerprint';
import {
  debFileName,
  debMediaType,
  knownLocked,
  seedIdentity,
  wheelMediaType,
  type Lock,
  type LockedFiles,
} from '@strata/image';
import {
  distfileMediaType,
  knownCommit,
  knownDistfile,
  knownTarball,
  tarballMediaType,
  type Distfile,
} from '@strata/portage';
import {
  actionKey,
  diffIdAnnotation,
  layersOfAction,
  runAction,
  type Action,
  type KeyParts,
  type SeedRoot,
  type LayerDescriptor,
} from '@strata/sandbox';
import type { ActionKey, ActionResult, Descriptor, Store } from '@strata/store';
import type { Model, TargetName, TaskName } from './model.js';
import { produce } from './produce.js';
import type { Records } from './records/records.js';
import { Reporter } from './reporter.js';
import type { Client, LockedSource, Services } from './services.js';
import type { TaskOutput, TaskResults } from './task-output.js';
import { targetsOf } from './task-inputs.js';
import { Tasks, type TaskEnvironment } from './tasks.js';

/** Marks a descriptor that only has a place in keys: its bytes are not made yet. */
const standInAnnotation = 'dev.strata.stand-in';

/** An action as it would be run now. */
export interface EvaluatedAction {
  readonly action: Action;
  /** The task that asks for it. */
  readonly task: string;
  readonly key: ActionKey;
  readonly parts: KeyParts;
  readonly outputs: ActionResult['outputs'];
  /** Whether its result is known, so that nothing would run. */
  readonly known: boolean;
}

/** What would be run now, by the actions' labels, and the tasks that cannot be worked out. */
export interface Evaluation {
  readonly actions: ReadonlyMap<string, EvaluatedAction>;
  readonly errors: ReadonlyMap<string, unknown>;
}

function isStandIn(artifact: Descriptor): boolean {
  return artifact.annotations?.[standInAnnotation] !== undefined;
}

/** Descriptors that differ wherever the action's key does. */
function standIns({ outputs }: Action, key: ActionKey): ActionResult['outputs'] {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, mediaType]): [string, Descriptor] => {
      const digest = digestOfJson({ standIn: key, name });
      return [
        name,
        { mediaType, digest, size: 0, annotations: { [diffIdAnnotation]: digest, [standInAnnotation]: key } },
      ];
    }),
  );
}

/** What working out needs. */
export interface EvaluationOptions {
  readonly store: Store;
  readonly signal: AbortSignal;
  /** Runs to take plans from, where a plan's toolchain is not made yet. */
  readonly records?: Records | undefined;
  /** An evaluation to take plans from, in the same case. */
  readonly before?: Evaluation | undefined;
  /**
   * Whether results are taken from that evaluation alone and not from the store, so that what follows depends on nothing
   * but what changed since.
   */
  readonly comparing?: boolean;
}

/** Works out what would be done. Plans alone are made for real, since what follows has its shape from them. */
class EvaluatingServices implements Services {
  readonly actions = new Map<string, EvaluatedAction>();
  /** What plans wait for that could not be made, by the keys of the plans' actions. */
  readonly #waiting = new Map<string, readonly string[]>();

  constructor(private readonly options: EvaluationOptions) {}

  async action(action: Action, { label: task }: Client): Promise<ActionResult['outputs']> {
    const { key, parts } = await actionKey(action);
    const { store, before, comparing } = this.options;
    const earlier = before?.actions.get(action.label);
    const known =
      comparing !== true ? (await store.lookup(key))?.outputs : earlier?.key === key ? earlier.outputs : undefined;
    const outputs = known ?? (action.label.endsWith(':plan') ? await this.#plan(action, key) : standIns(action, key));
    this.actions.set(action.label, { action, task, key, parts, outputs, known: known !== undefined });
    return outputs;
  }

  known(action: Action, client: Client): Promise<ActionResult['outputs']> {
    return this.action(action, client);
  }

  async #plan(action: Action, key: ActionKey): Promise<ActionResult['outputs']> {
    const layers = layersOfAction(action);
    if (!layers.some(isStandIn)) {
      return (await runAction(this.options.store, action, { signal: this.options.signal })).result.outputs;
    }
    // its toolchain is not made yet: what it says is likely to be the same, and whatever follows has another toolchain too
    const before = this.options.before?.actions.get(action.label)?.outputs;
    const last = before ?? (await this.#lastPlan(action));
    if (last === undefined) {
      this.#waiting.set(key, this.#makersOf(layers));
    }
    return last ?? standIns(action, key);
  }

  /** The tasks whose results have only stand-ins. */
  #makersOf(layers: readonly LayerDescriptor[]): string[] {
    const missing = new Set(layers.map(({ annotations }) => annotations[standInAnnotation]));
    const tasks = [...this.actions.values()].filter(({ key }) => missing.has(key)).map(({ task }) => task);
    return [...new Set(tasks)];
  }

  async #lastPlan(action: Action): Promise<ActionResult['outputs'] | undefined> {
    const last = this.options.records?.of(action.label).at(-1);
    if (last === undefined) {
      return undefined;
    }
    const outputs: Record<string, Descriptor> = {};
    for (const [name, { digest, layer }] of Object.entries(last.outputs)) {
      const found = await this.options.store.find(digest as Digest, action.outputs[name] ?? '');
      if (found === undefined) {
        return undefined;
      }
      outputs[name] = layer === undefined ? found : { ...found, annotations: { [diffIdAnnotation]: layer } };
    }
    return outputs;
  }

  seed(lock: Lock): SeedRoot {
    // nothing runs in it here
    return { kind: 'seed', folder: () => Promise.resolve(this.options.store.root), identity: seedIdentity(lock) };
  }

  async locked({ lock }: LockedSource): Promise<LockedFiles> {
    const known = await knownLocked(this.options.store, lock);
    if (known !== undefined) {
      return known;
    }
    const debs = lock.packages.map((entry): [string, Descriptor] => [
      debFileName(entry),
      { mediaType: debMediaType, digest: entry.sha256, size: entry.size },
    ]);
    const wheels = lock.wheels.map(({ file, sha256 }): [string, Descriptor] => [
      file,
      { mediaType: wheelMediaType, digest: sha256, size: 0 },
    ]);
    return new Map([...debs, ...wheels]);
  }

  async distfiles(distfiles: readonly Distfile[]): Promise<Map<string, Descriptor>> {
    const found = new Map<string, Descriptor>();
    for (const distfile of distfiles) {
      const { name, size, hashes } = distfile;
      const digest = digestOfJson({ distfile: hashes, size });
      found.set(
        name,
        (await knownDistfile(this.options.store, distfile)) ?? { mediaType: distfileMediaType, digest, size },
      );
    }
    return found;
  }

  async tarball(_uri: string, digest: Digest): Promise<Descriptor> {
    return (await knownTarball(this.options.store, digest)) ?? { mediaType: tarballMediaType, digest, size: 0 };
  }

  async git(url: string, commit: string): Promise<Descriptor> {
    const known = await knownCommit(this.options.store, commit);
    return known ?? { mediaType: tarballMediaType, digest: digestOfJson({ url, commit }), size: 0 };
  }

  async text(artifact: Descriptor): Promise<string | undefined> {
    return isStandIn(artifact) ? undefined : this.options.store.readText(artifact);
  }

  waitsFor(artifact: Descriptor): readonly string[] {
    return this.#waiting.get(artifact.annotations?.[standInAnnotation] ?? '') ?? [];
  }
}

class RememberedResults implements TaskResults {
  readonly #outputs = new Map<string, TaskOutput>();

  read({ name }: PlacedDefinition, target: TargetName): TaskOutput | undefined {
    return this.#outputs.get(`${name}:${target}`);
  }

  write({ name }: PlacedDefinition, target: TargetName, output: TaskOutput): void {
    this.#outputs.set(`${name}:${target}`, output);
  }
}

/** Targets that leave nothing for others, and are not cached: to work one out would be to do it. */
export const effects: readonly TargetName[] = ['boot', 'export'];

/** Every cached task of a workspace. */
export function cachedTasks(model: Model): TaskName[] {
  return [...model.projects.values()].flatMap((placed) =>
    targetsOf(model, placed)
      .filter((target) => !effects.includes(target))
      .map((target) => ({ project: placed.name, target })),
  );
}

/**
 * Works out the keys of tasks and of all that they depend on, in this process, from what lies in the workspace now:
 * nothing is fetched, and nothing is run but planning. An action whose result is not known yields a stand-in, which
 * differs wherever its key does.
 *
 * @param projects all projects of the workspace, for trees that other tasks leave
 */
export async function evaluate(
  model: Model,
  workspaceRoot: AbsolutePath,
  projects: TaskEnvironment['projects'],
  names: readonly TaskName[],
  options: EvaluationOptions,
): Promise<Evaluation> {
  const services = new EvaluatingServices(options);
  const { store, signal } = options;
  const reporter = new Reporter({ write: () => undefined, environment: {}, isTerminal: false });
  const environment = { workspaceRoot, store, services, reporter, signal, projects };
  const tasks = new Tasks(model, environment, produce, new RememberedResults());
  const errors = new Map<string, unknown>();
  for (const name of names) {
    try {
      await tasks.output(name);
    } catch (error) {
      signal.throwIfAborted();
      errors.set(`${name.project}:${name.target}`, error);
    }
  }
  reporter.close();
  return { actions: services.actions, errors };
}
