import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AbsolutePath, TreeManifest } from '@strata/fingerprint';
import type { Action, ActionOutcome } from '@strata/sandbox';
import type { ActionResult, Store } from '@strata/store';
import { describeAction, isStratas, projectOf, type DefinitionReader } from './describe.js';
import { KeptTrees } from './kept-trees.js';
import { runRecordSchema, type ExportedRecords, type RunRecord } from './run-record.js';
import { writeAside } from './write-aside.js';

/** Days after which a record is deleted, and how many of one label are kept at most. */
const keptDays = 60;
const keptPerLabel = 40;

function oldestFirst(one: RunRecord, other: RunRecord): number {
  return one.time < other.time ? -1 : 1;
}

/** The runs of actions that this user's store remembers. What cannot be read counts as not there. */
export class Records {
  readonly #folder: string;
  readonly #trees: KeptTrees;
  readonly #byLabel = new Map<string, RunRecord[]>();
  readonly #foreign: RunRecord[] = [];
  #pruned = false;

  private constructor(
    private readonly store: Store,
    private readonly workspace: AbsolutePath,
    private readonly definitionOf: DefinitionReader,
  ) {
    this.#folder = join(store.root, 'records');
    this.#trees = new KeptTrees(this.#folder);
  }

  /** Opens the records of a store, for a workspace. */
  static async open(store: Store, workspace: AbsolutePath, definitionOf: DefinitionReader): Promise<Records> {
    const records = new Records(store, workspace, definitionOf);
    await mkdir(join(records.#folder, 'runs'), { recursive: true });
    await records.#trees.prepare();
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
    return [...this.#foreign, ...[...this.#byLabel.values()].flat()].sort(oldestFirst);
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
      this.#trees.addImported(digest, entries);
    }
    this.#foreign.push(...records);
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
  describe(task: string, action: Action, outputs: ActionResult['outputs'] = {}): Promise<RunRecord> {
    for (const input of action.inputs) {
      if (input.kind === 'tree') {
        this.#trees.addPresent(input.tree);
      }
    }
    const { workspace, definitionOf } = this;
    return describeAction(action, outputs, { task, workspace, definitionOf });
  }

  /** Remembers a run. */
  async add(task: string, action: Action, { result }: ActionOutcome): Promise<void> {
    const seconds = result.facts?.['seconds'];
    const record: RunRecord = {
      ...(await this.describe(task, action, result.outputs)),
      seconds: typeof seconds === 'number' ? seconds : null,
    };
    for (const input of action.inputs) {
      if (input.kind === 'tree' && !isStratas(this.workspace, input.tree.root)) {
        await this.#trees.keep(input.tree);
      }
    }
    const name = `${record.time.replaceAll(':', '-')}-${record.key.slice(7, 19)}`;
    await writeAside(this.#folder, 'runs', name, JSON.stringify(record));
    this.#remember(record);
    if (!this.#pruned) {
      this.#pruned = true;
      await this.prune();
    }
  }

  /** The entries of a recorded tree; undefined where they are not kept. */
  manifest(digest: string): TreeManifest | undefined {
    return this.#trees.manifest(digest);
  }

  /** The content of a small file of a recorded tree; undefined where it is not kept. */
  content(digest: string): string | undefined {
    return this.#trees.content(digest);
  }

  /** The text of an artifact that is still in the store. */
  artifact(digest: string): string | undefined {
    try {
      return readFileSync(join(this.store.root, 'blobs/sha256', digest.slice(7)), 'utf8');
    } catch {
      return undefined;
    }
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
          trees.add(input.manifest);
        }
      });
    }
    await this.#trees.prune(trees, now);
  }

  #remember(record: RunRecord): void {
    const runs = this.#byLabel.get(record.label) ?? [];
    runs.push(record);
    runs.sort(oldestFirst);
    this.#byLabel.set(record.label, runs);
  }

  async #read(name: string): Promise<RunRecord | undefined> {
    try {
      return runRecordSchema.parse(JSON.parse(await readFile(join(this.#folder, 'runs', name), 'utf8')));
    } catch {
      return undefined;
    }
  }
}
