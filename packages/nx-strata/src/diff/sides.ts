import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { aKind, someOf, suggest, UserError, type Kind, type PlacedDefinition } from '@strata/definitions';
import { parseDigest } from '@strata/fingerprint';
import { parseSizeReport, squashfsMediaType } from '@strata/image';
import { diffIdAnnotation, diffIdOf, layerMediaType, type LayerDescriptor, type LayerStack } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import type { OpenWorkspace } from '../open-workspace.js';
import type { RunRecord } from '../records/run-record.js';
import { readTaskOutput, type TaskOutput } from '../task-output.js';
import { outputFile } from '../targets.js';

/** What builds leave layers, or an image. */
const comparableKinds: readonly Kind[] = ['layer', 'prefix', 'image'];

/** One of two things that are compared. */
export interface Side {
  /** What the user calls it. */
  readonly name: string;
  /** From the bottom to the top. Of an image those that are known: its files are the squashfs's. */
  readonly layers: LayerStack;
  readonly squashfs: Descriptor | undefined;
  /** The project that it was built for, where that is known. */
  readonly project: PlacedDefinition | undefined;
}

/** Digits of a digest that are enough to mean it. */
const shortestPrefix = 6;

/** What two sides have in common if they are the same. */
export function identityOf({ layers, squashfs }: Omit<Side, 'name' | 'project'>): string {
  return squashfs?.digest ?? layers.map(diffIdOf).join();
}

/** Finds what the words of a command line name. */
export class Sides {
  /** What the tasks of this workspace left last, by project. */
  readonly #built = new Map<string, TaskOutput>();

  constructor(
    private readonly workspace: OpenWorkspace,
    private readonly folder: string,
  ) {
    for (const { name, root } of workspace.model.projects.values()) {
      const output = readTaskOutput(join(workspace.root, outputFile(root, 'build')));
      if (output !== undefined) {
        this.#built.set(name, output);
      }
    }
  }

  /** What a word names: a project, `PROJECT@before`, a file, the beginning of a digest. Throws a {@link UserError}. */
  async find(word: string): Promise<Side> {
    const { model, broken } = this.workspace;
    const placed = model.projects.get(word);
    if (placed !== undefined) {
      return this.#ofProject(placed);
    }
    const [, name = '', version] = /^(.+)@([^@]*)$/.exec(word) ?? [];
    const versioned = model.projects.get(name);
    if (versioned !== undefined) {
      if (version !== 'before') {
        throw new UserError(`a project has no build named ${version ?? ''}`, {
          hint: `the one before: ${name}@before`,
        });
      }
      return this.#before(versioned);
    }
    const [problem] = broken.find((one) => one.name === word)?.problems ?? [];
    if (problem !== undefined) {
      throw problem;
    }
    return (await this.#ofFile(word)) ?? (await this.#ofDigest(word)) ?? this.#unknown(word);
  }

  #unknown(word: string): never {
    const comparable = [...this.workspace.model.projects.values()]
      .filter(({ definition: { kind } }) => comparableKinds.includes(kind))
      .map(({ name }) => name);
    const close = suggest(word.replace(/@before$/, ''), comparable);
    throw new UserError(`there is no layer or image ${word}, and no such file or digest`, {
      hint: close === undefined ? `there are ${someOf(comparable)}` : `did you mean ${close}?`,
    });
  }

  async #ofProject(placed: PlacedDefinition): Promise<Side> {
    const { name, definition } = placed;
    if (!comparableKinds.includes(definition.kind)) {
      throw new UserError(`${name} is ${aKind(definition.kind)}: only layers and images can be compared`, {
        hint: 'name two layers or images: strata diff A B',
      });
    }
    const output = this.#built.get(name);
    if (output === undefined) {
      throw new UserError(`${name} has not been built yet`, { hint: `npx nx run ${name}:build` });
    }
    const found = await this.#ofOutput(output);
    if (found === undefined) {
      throw new UserError(`what the last build of ${name} left is neither layers nor an image`, {
        hint: `npx nx run ${name}:build --skip-nx-cache`,
      });
    }
    return { name, project: placed, ...found };
  }

  /** The newest recorded build of a project that left something else than there is now. */
  async #before(placed: PlacedDefinition): Promise<Side> {
    const { name } = placed;
    const now = identityOf(await this.#ofProject(placed));
    for (const run of this.#buildsOf(placed).toReversed()) {
      const found = await this.#ofRun(run);
      if (found !== undefined && identityOf(found) !== now) {
        return { name: `${name}@before`, project: placed, ...found };
      }
    }
    throw new UserError(`no other build of ${name} is remembered, with its layers still in the store`, {
      hint: `see \`npx strata runs ${name}:build\`; a copy of ${outputFile(placed.root, 'build')} can be compared too`,
    });
  }

  /** The runs that made what a project's build is: a layer without trees and scripts is what was merged. */
  #buildsOf({ name }: PlacedDefinition): RunRecord[] {
    const { records } = this.workspace;
    const composed = records.of(`${name}:build`);
    const hasComposed = this.#built.get(name)?.outputs['layer.tar.zst'] !== undefined;
    return composed.length > 0 || hasComposed ? composed : records.of(`${name}:merge`);
  }

  async #ofFile(word: string): Promise<Side | undefined> {
    const file = resolve(this.folder, word);
    if (!existsSync(file) || !statSync(file).isFile()) {
      return undefined;
    }
    const output = readTaskOutput(file);
    const found = output === undefined ? undefined : await this.#ofOutput(output);
    if (found === undefined) {
      throw new UserError(`${word} does not say what the build of a layer or an image left`, {
        hint: 'name a copy of dist/PROJECT/strata/build.json',
      });
    }
    return { name: word, project: undefined, ...found };
  }

  async #ofDigest(word: string): Promise<Side | undefined> {
    const [, prefix] = /^(?:sha256:)?([0-9a-f]+)$/.exec(word) ?? [];
    if (prefix === undefined || prefix.length < shortestPrefix) {
      return undefined;
    }
    const found = new Map<string, Omit<Side, 'name'>>();
    const add = (side: Omit<Side, 'name' | 'project'> | undefined, project?: PlacedDefinition): void => {
      if (side !== undefined && !found.has(identityOf(side))) {
        found.set(identityOf(side), { project, ...side });
      }
    };
    const isMeant = (digest: string | undefined): boolean => digest?.startsWith(`sha256:${prefix}`) === true;
    for (const [name, output] of this.#built) {
      const project = this.workspace.model.projects.get(name);
      const { stack = [], outputs } = output;
      stack.forEach((layer, index) => {
        if (isMeant(layer.digest) || isMeant(diffIdOf(layer))) {
          add({ layers: stack.slice(0, index + 1), squashfs: undefined }, project);
        }
      });
      if (isMeant(outputs['root.squashfs']?.digest)) {
        add(await this.#ofOutput(output), project);
      }
    }
    for (const run of this.workspace.records.all) {
      const digests = Object.values(run.outputs).flatMap(({ digest, layer }) => [digest, layer]);
      if ([run.key, ...digests].some(isMeant)) {
        add(await this.#ofRun(run));
      }
    }
    if (found.size > 1) {
      throw new UserError(`${word} means ${found.size} different stacks or images`, {
        hint: 'name more of its digits, or a project',
      });
    }
    const [side] = found.values();
    return side === undefined ? undefined : { name: word, ...side };
  }

  async #ofOutput({ stack, outputs }: TaskOutput): Promise<Omit<Side, 'name' | 'project'> | undefined> {
    const { 'root.squashfs': squashfs, 'report.json': report } = outputs;
    if (squashfs !== undefined) {
      return { layers: await this.#layersOfImage(report), squashfs };
    }
    return stack === undefined ? undefined : { layers: stack, squashfs: undefined };
  }

  /** What a recorded run left, with what it lay on; undefined where some of it is gone. */
  async #ofRun(run: RunRecord): Promise<Omit<Side, 'name' | 'project'> | undefined> {
    const { 'root.squashfs': image, 'report.json': report, 'layer.tar.zst': made } = run.outputs;
    const { store } = this.workspace;
    if (image !== undefined) {
      const squashfs = await store.find(parseDigest(image.digest), squashfsMediaType);
      const text = report && (await store.find(parseDigest(report.digest), 'application/json'));
      return squashfs && { layers: await this.#layersOfImage(text), squashfs };
    }
    if (made?.layer === undefined) {
      return undefined;
    }
    const layers: LayerDescriptor[] = [];
    for (const digest of [...run.rootfs.map((layer) => layer.digest), made.layer]) {
      const layer = await this.#layer(digest);
      if (layer === undefined) {
        return undefined;
      }
      layers.push(layer);
    }
    return { layers, squashfs: undefined };
  }

  /** The layers that an image's report names; none where one of them is not known any more. */
  async #layersOfImage(report: Descriptor | undefined): Promise<LayerStack> {
    if (report === undefined || !(await this.workspace.store.has(report))) {
      return [];
    }
    const layers: LayerDescriptor[] = [];
    for (const { diffId } of parseSizeReport(await this.workspace.store.readText(report)).layers) {
      const layer = await this.#layer(diffId);
      if (layer === undefined) {
        return [];
      }
      layers.push(layer);
    }
    return layers;
  }

  /** The layer of a diff id: of a task's output, else of a recorded run whose artifact is still in the store. */
  async #layer(diffId: string): Promise<LayerDescriptor | undefined> {
    for (const { stack = [] } of this.#built.values()) {
      const layer = stack.find((one) => diffIdOf(one) === diffId);
      if (layer !== undefined) {
        return layer;
      }
    }
    for (const { outputs } of this.workspace.records.all) {
      for (const { layer, digest } of Object.values(outputs)) {
        if (layer === diffId) {
          const found = await this.workspace.store.find(parseDigest(digest), layerMediaType);
          if (found !== undefined) {
            return { ...found, annotations: { [diffIdAnnotation]: diffId } };
          }
        }
      }
    }
    return undefined;
  }
}
