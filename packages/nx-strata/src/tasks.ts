import { accessSync, constants, existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { ProjectGraphProjectNode } from '@nx/devkit';
import {
  namedPaths,
  suggest,
  UserError,
  type Place,
  type PlacedDefinition,
  type TreeSource,
} from '@strata/definitions';
import {
  absolutePath,
  scanTree,
  type AbsolutePath,
  type Digest,
  type ScannedTree,
  type ScanOptions,
} from '@strata/fingerprint';
import { lockRequest, parseLock, type Lock } from '@strata/image';
import type { Action, LayerStack, Progress } from '@strata/sandbox';
import { MissingArtifact, type ActionResult, type Descriptor, type Store } from '@strata/store';
import type { Model, TargetName, TaskName } from './model.js';
import type { Reporter } from './reporter.js';
import type { Client, Services } from './services.js';
import { foreignTask, targetsOf, taskInputs, type TaskInputs } from './task-inputs.js';
import { dropNxResults } from './nx-results.js';
import { outputFile } from './targets.js';
import { ResultFiles, type TaskOutput, type TaskResults } from './task-output.js';

/** What tasks need of the world around them. */
export interface TaskEnvironment {
  readonly workspaceRoot: AbsolutePath;
  readonly store: Store;
  readonly services: Services;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  /** All projects of the workspace, as Nx has them. */
  readonly projects: ReadonlyMap<string, ProjectGraphProjectNode>;
}

/** One way to make the output of a target, by kind of project. */
export type Produce = (task: Task) => Promise<TaskOutput>;

const rebuildLimit = 100;

/** Runs tasks, and runs their producers again where artifacts are gone from the store. */
export class Tasks {
  #rebuilds = 0;
  readonly #trees = new Map<string, Promise<ScannedTree>>();

  constructor(
    readonly model: Model,
    readonly environment: TaskEnvironment,
    private readonly produce: (task: Task) => Promise<TaskOutput>,
    private readonly results: TaskResults = new ResultFiles(environment.workspaceRoot),
  ) {}

  /** Runs one task and leaves its output file. */
  async run(name: TaskName): Promise<TaskOutput> {
    const placed = this.model.projects.get(name.project);
    if (placed === undefined) {
      throw new UserError(`there is no project ${name.project}, or its definition is broken`, {
        hint: `see \`npx nx run ${name.project}:${name.target}\``,
      });
    }
    const task = new Task(this, placed, name.target, taskInputs(this.model, placed, name.target));
    const output = await this.withRewinding(() => this.produce(task));
    this.results.write(placed, name.target, output);
    return output;
  }

  /** What another task left; it is run where it left nothing. */
  async output(name: TaskName): Promise<TaskOutput> {
    const placed = this.model.projects.get(name.project);
    return (placed === undefined ? undefined : this.results.read(placed, name.target)) ?? (await this.run(name));
  }

  /**
   * A folder as it was when somebody asked for it first: however many layers take it in, it is read once. An action fails
   * where one of its trees was written to since.
   */
  tree(root: AbsolutePath, options: Pick<ScanOptions, 'gitIgnored' | 'exclude'>): Promise<ScannedTree> {
    const name = JSON.stringify([root, options.gitIgnored, options.exclude ?? []]);
    let tree = this.#trees.get(name);
    if (tree === undefined) {
      tree = scanTree(root, { ...options, indexFolder: absolutePath(join(this.environment.store.root, 'index')) });
      this.#trees.set(name, tree);
    }
    return tree;
  }

  /** Does something; where an artifact that it needs is gone, makes that again and starts over. */
  async withRewinding<T>(work: () => Promise<T>): Promise<T> {
    const lost = new Set<Digest>();
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof MissingArtifact)) {
          throw error;
        }
        const { digest } = error.artifact;
        await this.#makeAgain(error.artifact, lost.has(digest));
        lost.add(digest);
      }
    }
  }

  async #makeAgain(artifact: Descriptor, wasLost: boolean): Promise<void> {
    const { reporter, store } = this.environment;
    const short = artifact.digest.slice(0, 19);
    const producer = this.#producerOf(artifact.digest);
    if (producer === undefined && !wasLost) {
      // one of the task's own actions makes it, which is known no more
      return;
    }
    if (producer === undefined || ++this.#rebuilds > rebuildLimit) {
      throw new UserError(`${artifact.digest} is gone from the store, and no task's output names it`, {
        hint: 'run the tasks before this one again: npx nx run-many -t build --skip-nx-cache',
      });
    }
    const name = `${producer.project}:${producer.target}`;
    reporter.line(`${name}  runs again: ${short} is gone from the store and its remotes`);
    const { outputs } = await this.run(producer);
    if (!(await store.has(artifact))) {
      const placed = this.model.projects.get(producer.project);
      if (placed !== undefined) {
        dropNxResults(outputFile(placed.root, producer.target), artifact.digest);
      }
      throw new UserError(`${name} is not reproducible: it made something else than ${short}`, {
        details: Object.entries(outputs).map(([output, { digest }]) => `${output} is ${digest.slice(0, 19)} now`),
        hint: `what was made of the other is dropped: run the command again, which goes on with what ${name} made now`,
      });
    }
  }

  #producerOf(digest: Digest): TaskName | undefined {
    for (const placed of this.model.projects.values()) {
      for (const target of targetsOf(this.model, placed)) {
        const output = this.results.read(placed, target);
        if (output !== undefined && Object.values(output.outputs).some((own) => own.digest === digest)) {
          return { project: placed.name, target };
        }
      }
    }
    return undefined;
  }
}

/** Where a definition says what is locked. */
export interface LockedSource {
  readonly lock: string;
  readonly suite: string;
  readonly packages?: readonly string[] | undefined;
  readonly wheels?: readonly string[] | undefined;
  readonly components?: readonly string[] | undefined;
}

/** Whether an output that a target declares has a folder with all that is in it. */
function holds(output: string, folder: string): boolean {
  const plain = output.replace(/(\/\*\*)?(\/\*)?\/?$/, '');
  return folder === plain || folder.startsWith(`${plain}/`);
}

/** One task that runs, and its way to everything that it depends on: what it did not declare, it cannot get. */
export class Task {
  constructor(
    private readonly tasks: Tasks,
    readonly placed: PlacedDefinition,
    readonly target: TargetName,
    private readonly inputs: TaskInputs,
  ) {}

  get label(): string {
    return `${this.placed.name}:${this.target}`;
  }

  get model(): Model {
    return this.tasks.model;
  }

  get environment(): TaskEnvironment {
    return this.tasks.environment;
  }

  get store(): Store {
    return this.tasks.environment.store;
  }

  /** Job count for what runs inside; it does not reach the bytes. */
  get jobs(): number {
    return availableParallelism();
  }

  get services(): Services {
    return this.tasks.environment.services;
  }

  /** Who asks, where this task asks for a service. */
  get client(): Client {
    return { label: this.label, project: this.placed.name, folder: this.placed.root };
  }

  /**
   * Runs an action, or takes its result from the store.
   *
   * @param onProgress takes its progress, where the task tells that of several actions together
   */
  action(action: Action, onProgress?: (progress: Progress) => void): Promise<ActionResult['outputs']> {
    return this.services.action(action, this.client, onProgress);
  }

  /** What a task left that this one depends on. Throws where it was not declared. */
  async output(project: string, target: TargetName): Promise<TaskOutput> {
    if (!this.inputs.tasks.some((task) => task.project === project && task.target === target)) {
      throw new Error(`${this.label} does not declare ${project}:${target}`);
    }
    return this.tasks.output({ project, target });
  }

  /** The layers of a project that was built. */
  async stack(project: string): Promise<LayerStack> {
    const { stack } = await this.output(project, 'build');
    if (stack === undefined) {
      throw new Error(`${project}:build left no layers`);
    }
    return stack;
  }

  /** The root of this project's actions. */
  toolchain(): Promise<LayerStack> {
    return this.stack(this.model.toolchain(this.placed));
  }

  /**
   * A folder that was declared, relative to the workspace.
   *
   * @param exclude globs, relative to it, of what is no part of the tree
   */
  tree(folder: string, exclude: readonly string[] = []): Promise<ScannedTree> {
    if (!this.inputs.trees.includes(folder)) {
      throw new Error(`${this.label} does not declare the folder ${folder}`);
    }
    this.#requireFolder(folder);
    return this.tasks.tree(this.path(folder), { gitIgnored: 'exclude', exclude });
  }

  /** Where a definition names a file or folder of the workspace: this task's own, or one that it inherits from. */
  #placeOf(path: string): Place {
    for (const { root, definition, place } of [this.placed, ...this.model.projects.values()]) {
      const named = namedPaths(definition).find((candidate) => join(root, candidate.path) === path);
      if (named !== undefined) {
        return place(named.field);
      }
    }
    return this.placed.place([]);
  }

  #requireFolder(folder: string): void {
    const path = this.path(folder);
    const mistake = (message: string, hint: string): UserError =>
      new UserError(message, { place: this.#placeOf(folder), hint });
    if (!existsSync(path)) {
      throw mistake(`there is no folder ${folder}`, 'make it, or correct the path in the definition');
    }
    if (!statSync(path).isDirectory()) {
      throw mistake(`${folder} is no folder`, 'name the folder that it lies in');
    }
    // git and Nx do not look behind links, so that nothing would notice a change there
    const real = realpathSync(path);
    if (real !== join(realpathSync(this.environment.workspaceRoot), folder)) {
      throw mistake(`${folder} is a symlink, or lies behind one`, `name the folder itself: ${real}`);
    }
  }

  /** A tree of files that the definition names: a folder of the project, or one that another project's task left. */
  async sourceTree(source: TreeSource): Promise<ScannedTree> {
    if (typeof source === 'string') {
      return this.tree(join(this.placed.root, source));
    }
    const { project, target } = foreignTask(source.task);
    if (!this.inputs.foreign.some((task) => task.project === project && task.target === target)) {
      throw new Error(`${this.label} does not declare ${project}:${target}`);
    }
    return this.tasks.tree(this.path(await this.#outputFolder(project, target, source.path)), {
      gitIgnored: 'include',
    });
  }

  /** A folder of Strata's own. */
  ownTree(folder: AbsolutePath): Promise<ScannedTree> {
    return this.tasks.tree(folder, { gitIgnored: 'include' });
  }

  /** Where the folder that another project's task left lies, relative to the workspace. */
  async #outputFolder(project: string, target: string, path: string): Promise<string> {
    const mistake = (message: string, hint: string): UserError =>
      new UserError(message, { place: this.placed.place(['trees']), hint });
    const node = this.environment.projects.get(project);
    const targets = Object.keys(node?.data.targets ?? {});
    if (node === undefined || !targets.includes(target)) {
      const close = suggest(target, targets);
      throw mistake(
        node === undefined ? `there is no project ${project}` : `the project ${project} has no target ${target}`,
        close === undefined ? `its targets are ${targets.join(', ') || 'none'}` : `did you mean ${project}:${close}?`,
      );
    }
    const candidates = [join(node.data.root, path), path];
    const found = candidates.find((candidate) => existsSync(this.path(candidate)));
    if (found === undefined) {
      throw mistake(
        `${project}:${target} left no ${candidates.join(', nor ')}`,
        'correct `task:` and `path:` of the tree',
      );
    }
    // Nx hashes what a task declares to leave, and would serve a layer of the old content for anything else
    const { getOutputsForTargetAndConfiguration } = await import('@nx/devkit');
    const declared = getOutputsForTargetAndConfiguration({ project, target }, {}, node);
    if (!declared.some((output) => holds(output, found))) {
      throw mistake(
        `${project}:${target} left ${found}, and does not declare it: Nx would not notice when it changes`,
        `add "{workspaceRoot}/${found}" to the \`outputs\` of ${project}:${target}`,
      );
    }
    return found;
  }

  /** A file that was declared, relative to the workspace. */
  file(file: string): AbsolutePath {
    if (!this.inputs.files.includes(file)) {
      throw new Error(`${this.label} does not declare the file ${file}`);
    }
    const path = this.path(file);
    if (!existsSync(path)) {
      throw new UserError(`there is no file ${file}`, {
        place: this.#placeOf(file),
        hint: file.endsWith('.lock.yaml')
          ? `write it: npx strata update ${this.placed.name}`
          : 'make it, or correct its name',
      });
    }
    return path;
  }

  /** A secret that was declared: a path as in {@link TaskInputs.secrets}. */
  secret(secret: string): AbsolutePath {
    if (!this.inputs.secrets.includes(secret)) {
      throw new Error(`${this.label} does not declare the secret ${secret}`);
    }
    const path = secret.startsWith('~/')
      ? absolutePath(join(homedir(), secret.slice(2)))
      : absolutePath(resolve(this.environment.workspaceRoot, secret));
    try {
      accessSync(path, constants.R_OK);
    } catch (cause) {
      throw new UserError(`${secret} is not there, or you may not read it`, {
        place: this.placed.place(['verity']),
        hint: 'correct its path in the definition, or put it there',
        cause,
      });
    }
    return path;
  }

  /** A declared lock file of Debian packages, for what a definition asks for. */
  lock(placed: PlacedDefinition, source: LockedSource): Lock {
    const file = join(placed.root, source.lock);
    const requested = lockRequest(source);
    const reader = { place: file, project: placed.name, suite: source.suite, requested };
    return parseLock(readFileSync(this.file(file), 'utf8'), reader);
  }

  private path(relative: string): AbsolutePath {
    return absolutePath(join(this.environment.workspaceRoot, relative));
  }
}

/** Picks an output by name. Throws where it is not there. */
export function pick(outputs: Readonly<Record<string, Descriptor>>, name: string): Descriptor {
  const found = outputs[name];
  if (found === undefined) {
    throw new Error(`there is no output ${name} among ${Object.keys(outputs).join(', ')}`);
  }
  return found;
}
