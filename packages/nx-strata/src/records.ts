import { readFileSync, existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { z } from 'zod';
import type { PlacedDefinition } from '@strata/definitions';
import {
  hexOf,
  type AbsolutePath,
  type Digest,
  type ScannedTree,
  type TreeEntry,
  type TreeManifest,
} from '@strata/fingerprint';
import {
  actionKey,
  diffIdAnnotation,
  diffIdOf,
  type Action,
  type ActionOutcome,
  type Input,
  type LayerDescriptor,
} from '@strata/sandbox';
import type { ActionResult, Descriptor, Store } from '@strata/store';

/** Days after which a record is deleted, and how many of one label are kept at most. */
const keptDays = 60;
const keptPerLabel = 40;

/** Files whose content is kept with a record, so that a later one can show what changed in them: in bytes, and in number. */
const keptFileSize = 16 * 1024;
const keptFiles = 2000;

const layerSchema = z.object({ digest: z.string(), title: z.string() });

const inputSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('text'), text: z.string() }),
  z.object({ kind: z.literal('file'), digest: z.string(), path: z.string() }),
  z.object({ kind: z.literal('tree'), manifest: z.string(), path: z.string() }),
  z.object({ kind: z.literal('artifact'), digest: z.string(), size: z.number() }),
  z.object({ kind: z.literal('layer'), digest: z.string(), title: z.string() }),
  z.object({ kind: z.literal('part'), digest: z.string(), of: z.string(), folder: z.string() }),
]);

/** An input of a run, with as much as it takes to say later what changed in it. Digests of layers are diff ids. */
export type RecordedInput = z.output<typeof inputSchema>;

const recordSchema = z.object({
  schema: z.literal(1),
  /** What the action is called: `tools:merge`, or `tools:app-misc/jq-1.7.1` for a package. */
  label: z.string(),
  /** The task that asked for it. */
  task: z.string(),
  workspace: z.string(),
  /** When it ended, as ISO 8601. */
  time: z.string(),
  seconds: z.number().nullable(),
  key: z.string(),
  /** The command, its environment, and what it has to leave. */
  command: z.json(),
  toolchain: z.array(layerSchema),
  rootfs: z.array(layerSchema),
  inputs: z.record(z.string(), inputSchema),
  outputs: z.record(z.string(), z.object({ digest: z.string(), layer: z.string().optional() })),
  /** The text of the project's definition. */
  definition: z.object({ file: z.string(), text: z.string() }).nullable(),
});

/** What is remembered of one run of an action. */
export type RunRecord = z.output<typeof recordSchema>;

/** What `--against FILE` reads: records of another machine, with the trees that they name. */
export const exportedRecordsSchema = z.object({
  schema: z.literal(1),
  records: z.array(recordSchema),
  manifests: z.record(z.string(), z.json()),
});

/** What one machine tells another of its runs. */
export type ExportedRecords = z.output<typeof exportedRecordsSchema>;

function layerOf(layer: LayerDescriptor): z.output<typeof layerSchema> {
  return { digest: diffIdOf(layer), title: layer.annotations['dev.strata.title'] ?? '' };
}

/** What a run leaves, for the record: the digest of each artifact, and of its tar where it is a layer. */
function outputOf({ digest, annotations }: Descriptor): { digest: string; layer?: string } {
  const layer = annotations?.[diffIdAnnotation];
  return layer === undefined ? { digest } : { digest, layer };
}

/** The definition of the project that an action belongs to. */
export interface RecordedDefinition {
  readonly file: string;
  readonly text: string;
}

/** The project that an action belongs to, by its label. */
function projectOf(label: string): string {
  return label.slice(0, label.indexOf(':'));
}

/** The runs of actions that this user's store remembers. What cannot be read counts as not there. */
export class Records {
  readonly #folder: string;
  readonly #byLabel = new Map<string, RunRecord[]>();
  readonly #foreign: RunRecord[] = [];
  /** Trees as they are now, by the digests of their manifests. */
  readonly #present = new Map<string, ScannedTree>();
  readonly #imported = new Map<string, TreeManifest>();
  #pruned = false;

  private constructor(
    private readonly store: Store,
    private readonly workspace: AbsolutePath,
    private readonly definitionOf: (project: string) => RecordedDefinition | undefined,
  ) {
    this.#folder = join(store.root, 'records');
  }

  /** Opens the records of a store, for a workspace. */
  static async open(
    store: Store,
    workspace: AbsolutePath,
    definitionOf: (project: string) => RecordedDefinition | undefined,
  ): Promise<Records> {
    const records = new Records(store, workspace, definitionOf);
    for (const folder of ['runs', 'trees', 'files']) {
      await mkdir(join(records.#folder, folder), { recursive: true });
    }
    for (const name of (await readdir(join(records.#folder, 'runs'))).sort()) {
      const record = await records.#read(name);
      if (record !== undefined) {
        records.#remember(record);
      }
    }
    return records;
  }

  /** All runs, the oldest first; with those of another machine, where there are any. */
  get all(): RunRecord[] {
    return [...this.#foreign, ...[...this.#byLabel.values()].flat()].sort((one, other) =>
      one.time < other.time ? -1 : 1,
    );
  }

  /** The runs of this workspace, the oldest first. */
  get own(): RunRecord[] {
    return this.all.filter(({ workspace }) => workspace === this.workspace);
  }

  /** Whether a run with a key is remembered of this workspace. */
  has(label: string, key: string): boolean {
    return (this.#byLabel.get(label) ?? []).some((run) => run.key === key && run.workspace === this.workspace);
  }

  /** The runs of an action, the oldest first: of this workspace where there are any, else of any. */
  of(label: string): RunRecord[] {
    const runs = this.#byLabel.get(label) ?? [];
    const own = runs.filter(({ workspace }) => workspace === this.workspace);
    return own.length > 0 ? own : runs;
  }

  /** Adds what another machine remembers, for comparison only. */
  import({ records, manifests }: ExportedRecords): void {
    for (const [digest, entries] of Object.entries(manifests)) {
      this.#imported.set(digest, { digest: digest as Digest, entries: entries as unknown as TreeEntry[] });
    }
    records.forEach((record) => {
      this.#foreign.push(record);
    });
  }

  /** The last run of each action of this workspace, for another machine to compare with. */
  export(): ExportedRecords {
    const labels = [...this.#byLabel.keys()].filter((label) => this.definitionOf(projectOf(label)) !== undefined);
    const records = labels.flatMap((label) => this.of(label).slice(-1));
    const manifests: ExportedRecords['manifests'] = {};
    for (const input of records.flatMap(({ inputs }) => Object.values(inputs))) {
      const entries = input.kind === 'tree' ? this.manifest(input.manifest)?.entries : undefined;
      if (input.kind === 'tree' && entries !== undefined) {
        manifests[input.manifest] = entries as unknown as ExportedRecords['manifests'][string];
      }
    }
    return { schema: 1, records, manifests };
  }

  /** Describes an action, and what it leaves where that is known, as a record. */
  async describe(task: string, action: Action, outputs: ActionResult['outputs'] = {}): Promise<RunRecord> {
    const { key, parts } = await actionKey(action);
    const inputs: Record<string, RecordedInput> = {};
    for (const input of action.inputs) {
      inputs[input.name] = this.#describeInput(input, parts[`input ${input.name}`]);
      if (input.kind === 'tree') {
        this.#present.set(input.tree.manifest.digest, input.tree);
      }
    }
    return {
      schema: 1,
      label: action.label,
      task,
      workspace: this.workspace,
      time: new Date().toISOString(),
      seconds: null,
      key,
      command: { argv: [...action.argv], environment: { ...action.environment }, outputs: { ...action.outputs } },
      toolchain:
        'kind' in action.toolchain
          ? [{ digest: action.toolchain.identity, title: 'seed' }]
          : action.toolchain.map(layerOf),
      rootfs: (action.rootfs?.lower ?? []).map(layerOf),
      inputs,
      outputs: Object.fromEntries(Object.entries(outputs).map(([name, output]) => [name, outputOf(output)])),
      definition: this.definitionOf(projectOf(action.label)) ?? null,
    };
  }

  /** Remembers a run. */
  async add(task: string, action: Action, { result }: ActionOutcome): Promise<void> {
    const seconds = result.facts?.['seconds'];
    const record: RunRecord = {
      ...(await this.describe(task, action, result.outputs)),
      seconds: typeof seconds === 'number' ? seconds : null,
    };
    await this.#keepTrees(action);
    await this.#write('runs', `${record.time.replaceAll(':', '-')}-${record.key.slice(7, 19)}`, JSON.stringify(record));
    this.#remember(record);
    if (!this.#pruned) {
      this.#pruned = true;
      await this.prune();
    }
  }

  /** The entries of a recorded tree; undefined where they are not kept. */
  manifest(digest: string): TreeManifest | undefined {
    const known = this.#present.get(digest)?.manifest ?? this.#imported.get(digest);
    if (known !== undefined) {
      return known;
    }
    try {
      const text = readFileSync(join(this.#folder, 'trees', digest.slice(7)), 'utf8');
      return { digest: digest as Digest, entries: JSON.parse(text) as TreeEntry[] };
    } catch {
      return undefined;
    }
  }

  /** The text of an artifact that is still in the store. */
  artifact(digest: string): string | undefined {
    try {
      return readFileSync(join(this.store.root, 'blobs/sha256', digest.slice(7)), 'utf8');
    } catch {
      return undefined;
    }
  }

  /** The content of a small file of a recorded tree; undefined where it is not kept. */
  content(digest: string): string | undefined {
    try {
      return readFileSync(this.#presentFile(digest) ?? join(this.#folder, 'files', digest.slice(7)), 'utf8');
    } catch {
      return undefined;
    }
  }

  /** A small text file with a digest, in a tree that lies in the workspace now. */
  #presentFile(digest: string): string | undefined {
    for (const { root, manifest } of this.#present.values()) {
      const found = manifest.entries.find(
        (entry) => entry.type === 'file' && entry.digest === digest && entry.size <= keptFileSize,
      );
      if (found !== undefined) {
        const path = join(root, found.path);
        return readFileSync(path).includes(0) ? undefined : path;
      }
    }
    return undefined;
  }

  /** Deletes what is too old, and what no record needs any more. */
  async prune(now = Date.now()): Promise<void> {
    const oldest = new Date(now - keptDays * 24 * 3600 * 1000).toISOString();
    const trees = new Set<string>();
    const kept = new Map<string, number>();
    for (const name of (await readdir(join(this.#folder, 'runs'))).sort().reverse()) {
      const record = await this.#read(name);
      const count = record === undefined ? Infinity : (kept.get(record.label) ?? 0) + 1;
      if (record === undefined || record.time < oldest || count > keptPerLabel) {
        await rm(join(this.#folder, 'runs', name), { force: true });
        continue;
      }
      kept.set(record.label, count);
      Object.values(record.inputs).forEach((input) => {
        if (input.kind === 'tree') {
          trees.add(input.manifest.slice(7));
        }
      });
    }
    const files = new Set<string>();
    for (const name of await readdir(join(this.#folder, 'trees'))) {
      if (!trees.has(name)) {
        await this.#removeOld('trees', name, now);
        continue;
      }
      this.manifest(`sha256:${name}`)?.entries.forEach((entry) => {
        if (entry.type === 'file') {
          files.add(hexOf(entry.digest));
        }
      });
    }
    for (const name of await readdir(join(this.#folder, 'files'))) {
      if (!files.has(name)) {
        await this.#removeOld('files', name, now);
      }
    }
  }

  /** Another process may just have written it, for a record that it has not written yet. */
  async #removeOld(folder: string, name: string, now: number): Promise<void> {
    const path = join(this.#folder, folder, name);
    const age =
      now -
      (await stat(path)
        .then(({ mtimeMs }) => mtimeMs)
        .catch(() => now));
    if (age > 3600_000) {
      await rm(path, { force: true });
    }
  }

  #remember(record: RunRecord): void {
    const runs = this.#byLabel.get(record.label) ?? [];
    runs.push(record);
    runs.sort((one, other) => (one.time < other.time ? -1 : 1));
    this.#byLabel.set(record.label, runs);
  }

  async #read(name: string): Promise<RunRecord | undefined> {
    try {
      return recordSchema.parse(JSON.parse(await readFile(join(this.#folder, 'runs', name), 'utf8')));
    } catch {
      return undefined;
    }
  }

  #describeInput(input: Input, part: unknown): RecordedInput {
    switch (input.kind) {
      case 'text':
        return { kind: 'text', text: input.text };
      case 'file':
        return { kind: 'file', digest: (part as { file: string }).file, path: this.#shown(input.path) };
      case 'tree':
        return { kind: 'tree', manifest: input.tree.manifest.digest, path: this.#shown(input.tree.root) };
      case 'artifact':
        return { kind: 'artifact', digest: input.artifact.digest, size: input.artifact.size };
      case 'layer':
        return { kind: 'layer', ...layerOf(input.layer) };
      case 'part':
        return { kind: 'part', digest: input.digest, of: diffIdOf(input.layer), folder: input.folder };
    }
  }

  /** A path as people know it: relative to the workspace, or the name of a file that comes with Strata. */
  #shown(path: string): string {
    const inside = relative(this.workspace, path);
    return inside.startsWith('..') ? `Strata's ${basename(path)}` : inside;
  }

  async #keepTrees(action: Action): Promise<void> {
    for (const input of action.inputs) {
      if (input.kind !== 'tree' || this.#shown(input.tree.root).startsWith('Strata')) {
        continue;
      }
      const { entries, digest } = input.tree.manifest;
      if (existsSync(join(this.#folder, 'trees', hexOf(digest)))) {
        continue;
      }
      const files = entries.flatMap((entry) => (entry.type === 'file' && entry.size <= keptFileSize ? [entry] : []));
      for (const entry of files.length <= keptFiles ? files : []) {
        if (!existsSync(join(this.#folder, 'files', hexOf(entry.digest)))) {
          const content = await readFile(join(input.tree.root, entry.path)).catch(() => undefined);
          if (content?.includes(0) === false) {
            await this.#write('files', hexOf(entry.digest), content);
          }
        }
      }
      await this.#write('trees', hexOf(digest), JSON.stringify(entries));
    }
  }

  async #write(folder: string, name: string, content: string | Uint8Array): Promise<void> {
    const path = join(this.#folder, folder, name);
    const aside = join(this.#folder, `.${folder}-${name}-${process.pid}`);
    await writeFile(aside, content);
    await rename(aside, path);
  }
}

/** Reads the definition of a project, for records. */
export function definitionReader(
  workspaceRoot: string,
  placed: readonly PlacedDefinition[],
): (project: string) => RecordedDefinition | undefined {
  return (project) => {
    const found = placed.find(({ name }) => name === project);
    return found && { file: found.file, text: readFileSync(join(workspaceRoot, found.file), 'utf8') };
  };
}
