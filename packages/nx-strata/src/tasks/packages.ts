import type { PlacedDefinition } from '@strata/definitions';
import type { ScannedTree } from '@strata/fingerprint';
import {
  buildPackages,
  packageAction,
  shimsFolder,
  type BuiltPackage,
  type PackageNode,
  type Plan,
  type PrefixSettings,
} from '@strata/portage';
import { JobPool, type LayerDescriptor, type LayerStack, type Progress } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { asLayer, type TaskOutput } from '../task-output.js';
import { pick, type Task } from '../tasks.js';
import { originOf } from './layer.js';
import { planOf } from './planning.js';

/** A layer of the stack, or a prefix, with all that its packages are built from. */
export interface PlannedLayer {
  readonly name: string;
  readonly plan: Plan;
  readonly snapshot: LayerDescriptor;
  readonly distfiles: Readonly<Record<string, Descriptor>>;
  readonly toolchain: LayerStack;
}

/** Reads what the packages of a layer or a prefix are built from. */
export async function readPlannedLayer(task: Task, placed: PlacedDefinition): Promise<PlannedLayer> {
  const { name } = placed;
  const { outputs } = await task.output(name, 'plan');
  return {
    name,
    plan: await planOf(task, placed),
    snapshot: asLayer(pick(outputs, 'snapshot.tar.zst')),
    distfiles: (await task.output(name, 'fetch')).outputs,
    toolchain: await task.stack(task.model.toolchain(placed)),
  };
}

/** A package to be built, and the layer whose plan has it. */
interface Node extends PackageNode {
  readonly layer: PlannedLayer;
}

/** The packages of the top layer, and of those below what these need. */
function nodesOf(layers: readonly PlannedLayer[]): Node[] {
  const nodes = new Map<string, Node>();
  const add = (cpv: string, height: number): string | undefined => {
    // a child may have built the same version again, with other flags
    const index = layers.slice(0, height + 1).findLastIndex(({ plan }) => plan.packages.some((one) => one.cpv === cpv));
    const layer = layers[index];
    const planned = layer?.plan.packages.find((one) => one.cpv === cpv);
    if (layer === undefined || planned === undefined) {
      return undefined;
    }
    const id = `${layer.name}:${cpv}`;
    if (!nodes.has(id)) {
      nodes.set(id, { id, planned, needs: [], layer });
      const needs = planned.needs.flatMap((need) => add(need, index) ?? []);
      nodes.set(id, { id, planned, needs, layer });
    }
    return id;
  };
  layers.at(-1)?.plan.packages.forEach(({ cpv }) => add(cpv, layers.length - 1));
  return [...nodes.values()];
}

async function build(
  task: Task,
  { id, planned, layer }: Node,
  needs: readonly BuiltPackage[],
  given: Surroundings & { readonly shims: ScannedTree; readonly pool: JobPool },
  onProgress: (progress: Progress) => void,
): Promise<BuiltPackage> {
  const { plan, snapshot, distfiles, toolchain } = layer;
  const outputs = await task.action(
    packageAction(
      {
        label: id,
        toolchain,
        planned,
        chost: plan.settings['CHOST'] ?? '',
        snapshot,
        distfiles: new Map(planned.distfiles.map(({ name }) => [name, pick(distfiles, name)])),
        root: [...given.origin, ...needs.map((need) => need.layer)],
        prefix: given.prefix,
        jobs: task.jobs,
        jobserver: given.pool,
      },
      given.shims,
    ),
    onProgress,
  );
  return { binaryPackage: pick(outputs, 'package.gpkg.tar'), layer: asLayer(pick(outputs, 'layer.tar.zst')) };
}

/** Tells how many packages are built, and what is being done for those that are not. */
class Count {
  #done = 0;
  readonly #phases = new Map<string, string>();

  constructor(
    private readonly task: Task,
    private readonly total: number,
  ) {}

  async of(
    cpv: string,
    work: (onProgress: (progress: Progress) => void) => Promise<BuiltPackage>,
  ): Promise<BuiltPackage> {
    try {
      const built = await work(({ phase }) => {
        this.#phases.set(cpv, phase);
        this.#tell();
      });
      this.#done++;
      return built;
    } finally {
      this.#phases.delete(cpv);
      this.#tell();
    }
  }

  #tell(): void {
    const [first, ...others] = [...this.#phases].map(([cpv, phase]) => `${phase} ${cpv}`);
    this.task.environment.reporter.progress(this.task.label, {
      phase: [first ?? 'packages', ...others].join(', '),
      done: this.#done,
      total: this.total,
      unit: 'packages',
    });
  }
}

/** Builds a layer's packages, each by itself, and whatever they need of the layers below. */
export async function buildLayerPackages(task: Task): Promise<TaskOutput> {
  const { model, placed } = task;
  const layers: PlannedLayer[] = [];
  for (const below of model.chain(placed).filter((layer) => model.hasPackages(layer))) {
    layers.push(await readPlannedLayer(task, below));
  }
  return buildPlannedPackages(task, layers, { origin: await originOf(task) });
}

/** What packages are built in and for, besides what each of them needs. */
export interface Surroundings {
  /** What the lowest layer starts from. */
  readonly origin: LayerStack;
  readonly prefix?: PrefixSettings | undefined;
}

/** Builds the packages of the top one of some layers, each by itself, and whatever they need of the layers below. */
export async function buildPlannedPackages(
  task: Task,
  layers: readonly PlannedLayer[],
  surroundings: Surroundings,
): Promise<TaskOutput> {
  const shims = await task.ownTree(shimsFolder);
  const pool = new JobPool(task.store);
  try {
    const nodes = nodesOf(layers);
    const count = new Count(task, nodes.length);
    const built = await buildPackages(
      nodes,
      (node, needs) =>
        count.of(node.planned.cpv, (onProgress) =>
          build(task, node, needs, { ...surroundings, shims, pool }, onProgress),
        ),
      task.jobs,
    );
    const own = layers.at(-1)?.plan.packages ?? [];
    const outputs = own.flatMap(({ cpv }): [string, Descriptor][] => {
      const one = built.get(`${task.placed.name}:${cpv}`);
      return one === undefined
        ? []
        : [
            [`${cpv}.gpkg.tar`, one.binaryPackage],
            [`${cpv}.tar.zst`, one.layer],
          ];
    });
    return { outputs: Object.fromEntries(outputs) };
  } finally {
    await pool.close();
  }
}
