import { UserError } from '@strata/definitions';
import {
  compareFileSystems,
  FileSystem,
  listingAction,
  parseListing,
  type ComparedSystem,
  type Comparison,
  type Listing,
} from '@strata/image';
import { actionKey, diffIdOf, runAction, type LayerStack } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { openWorkspace, type OpenWorkspace } from '../open-workspace.js';
import { produce } from '../produce.js';
import { Reporter } from '../reporter.js';
import { WorkingServices } from '../services.js';
import { ResultFiles } from '../task-output.js';
import { Tasks } from '../tasks.js';
import { identityOf, Sides, type Side } from './sides.js';

/** What of a side is told to programs. */
interface ComparedSide {
  readonly name: string;
  /** Diff ids, from the bottom to the top. */
  readonly layers: readonly string[];
  readonly squashfs: string | null;
}

/** How two layers or images differ. */
export interface Difference extends Comparison {
  readonly before: ComparedSide;
  readonly after: ComparedSide;
}

function comparedSide({ name, layers, squashfs }: Side): ComparedSide {
  return { name, layers: layers.map(diffIdOf), squashfs: squashfs?.digest ?? null };
}

/** Lists what layers and images hold, each once: the lists stay in the store. */
class Lister {
  readonly #results: ResultFiles;

  constructor(
    private readonly workspace: OpenWorkspace,
    private readonly tasks: Tasks,
  ) {
    this.#results = new ResultFiles(workspace.root);
  }

  async system(side: Side): Promise<ComparedSystem> {
    const layers: Listing[] = [];
    if (side.squashfs === undefined) {
      for (const layer of side.layers) {
        layers.push(await this.#listing(layer, side));
      }
      return { files: new FileSystem(layers) };
    }
    const files = new FileSystem([await this.#listing(side.squashfs, side)]);
    // an image may leave the package database out
    if (side.layers.length === 0 || [...files.nodes.keys()].some((path) => /^var\/(db\/pkg|lib\/dpkg)\//.test(path))) {
      return { files };
    }
    const { files: database } = await this.system({ ...side, squashfs: undefined });
    return { files, database };
  }

  async #listing(source: Descriptor, side: Side): Promise<Listing> {
    const { store } = this.workspace;
    const { signal, reporter } = this.tasks.environment;
    const label = `diff:${source.digest.slice(7, 19)}`;
    const action = listingAction({ label, toolchain: this.#toolchain(side), source });
    // a list outlives what it lists
    const known = await store.lookup((await actionKey(action)).key);
    if (known === undefined && side.project === undefined && !(await store.has(source))) {
      throw new UserError(`a part of ${side.name} is gone from the store: ${source.digest.slice(0, 19)}`, {
        hint: 'build that state of the workspace again, then compare',
      });
    }
    const { result } = await this.tasks.withRewinding(() =>
      runAction(store, action, {
        signal,
        onEvent: (event) => {
          if (event.type === 'started') {
            reporter.line(`reads ${source.annotations?.['dev.strata.title'] ?? source.digest.slice(0, 19)}`);
          }
        },
      }),
    );
    const [list] = Object.values(result.outputs);
    if (list === undefined) {
      throw new Error(`${label} left no list`);
    }
    return parseListing(await store.readText(list));
  }

  #toolchain({ project, squashfs }: Side): LayerStack {
    const { model } = this.workspace;
    const { toolchain, vm } = model.options;
    const usual = squashfs === undefined ? (toolchain ?? vm?.toolchain) : (vm?.toolchain ?? toolchain);
    const isImage = project?.definition.kind === 'image';
    const name = project !== undefined && (isImage || usual === undefined) ? model.toolchain(project) : usual;
    if (name === undefined) {
      throw new UserError('there is no toolchain to read layers with', {
        hint: 'name one in the options of nx-strata in nx.json',
      });
    }
    const placed = model.get(name, 'layer');
    const stack = this.#results.read(placed, 'build')?.stack;
    if (stack === undefined) {
      throw new UserError(`the toolchain ${name}, which reads layers, has not been built yet`, {
        hint: `npx nx run ${name}:build`,
      });
    }
    return stack;
  }
}

/**
 * Compares two layers or images.
 *
 * @param words what they are: see {@link Sides.find}
 * @param tell takes lines about what takes its time
 */
export async function diff(
  words: readonly [before: string, after: string],
  tell: (line: string) => void,
): Promise<Difference> {
  const workspace = await openWorkspace();
  const sides = new Sides(workspace, process.cwd());
  const [before, after] = [await sides.find(words[0]), await sides.find(words[1])];
  const told = { before: comparedSide(before), after: comparedSide(after) };
  if (identityOf(before) === identityOf(after)) {
    return { ...told, packages: [], files: [], bytes: 0 };
  }
  const { root, store, records, projects, model } = workspace;
  const controller = new AbortController();
  process.once('SIGINT', () => {
    controller.abort();
  });
  const { signal } = controller;
  const reporter = new Reporter({ write: tell, environment: process.env, isTerminal: process.stderr.isTTY });
  try {
    const services = new WorkingServices({ workspaceRoot: root, store, reporter, records, signal });
    const environment = { workspaceRoot: root, store, services, reporter, signal, projects };
    const lister = new Lister(workspace, new Tasks(model, environment, produce));
    return { ...told, ...compareFileSystems(await lister.system(before), await lister.system(after)) };
  } finally {
    reporter.close();
  }
}
