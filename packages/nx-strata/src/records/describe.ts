import { readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import type { PlacedDefinition } from '@strata/definitions';
import type { AbsolutePath } from '@strata/fingerprint';
import { actionKey, diffIdAnnotation, diffIdOf, type Action, type Input, type LayerDescriptor } from '@strata/sandbox';
import type { ActionResult, Descriptor } from '@strata/store';
import type { RecordedInput, RunRecord } from './run-record.js';

/** The definition of the project that an action belongs to. */
export type RecordedDefinition = NonNullable<RunRecord['definition']>;

/** Gives the definition of a project; undefined where there is no such project. */
export type DefinitionReader = (project: string) => RecordedDefinition | undefined;

/** Reads the definition of a project, for records. */
export function definitionReader(workspaceRoot: string, placed: readonly PlacedDefinition[]): DefinitionReader {
  return (project) => {
    const found = placed.find(({ name }) => name === project);
    return found && { file: found.file, text: readFileSync(join(workspaceRoot, found.file), 'utf8') };
  };
}

/** The project that an action belongs to, by its label. */
export function projectOf(label: string): string {
  return label.slice(0, label.indexOf(':'));
}

/** Whether a file comes with Strata, and is none of the workspace. */
export function isStratas(workspace: AbsolutePath, path: string): boolean {
  return relative(workspace, path).startsWith('..');
}

/** A path as people know it: relative to the workspace, or the name of a file that comes with Strata. */
function shown(workspace: AbsolutePath, path: string): string {
  return isStratas(workspace, path) ? `Strata's ${basename(path)}` : relative(workspace, path);
}

function layerOf(layer: LayerDescriptor): { digest: string; title: string } {
  return { digest: diffIdOf(layer), title: layer.annotations['dev.strata.title'] ?? '' };
}

/** What a run leaves, for the record: the digest of each artifact, and of its tar where it is a layer. */
function outputOf({ digest, annotations }: Descriptor): { digest: string; layer?: string } {
  const layer = annotations?.[diffIdAnnotation];
  return layer === undefined ? { digest } : { digest, layer };
}

function inputOf(workspace: AbsolutePath, input: Input, part: unknown): RecordedInput {
  switch (input.kind) {
    case 'text':
      return { kind: 'text', text: input.text };
    case 'file':
      return { kind: 'file', digest: (part as { file: string }).file, path: shown(workspace, input.path) };
    case 'tree':
      return { kind: 'tree', manifest: input.tree.manifest.digest, path: shown(workspace, input.tree.root) };
    case 'artifact':
      return { kind: 'artifact', digest: input.artifact.digest, size: input.artifact.size };
    case 'layer':
      return { kind: 'layer', ...layerOf(input.layer) };
    case 'part':
      return { kind: 'part', digest: input.digest, of: diffIdOf(input.layer), folder: input.folder };
  }
}

/** Where an action is asked for. */
export interface RecordedPlace {
  /** The task that asks. */
  readonly task: string;
  readonly workspace: AbsolutePath;
  readonly definitionOf: DefinitionReader;
}

/** Describes an action, and what it leaves where that is known, as a record of its being run now. */
export async function describeAction(
  action: Action,
  outputs: ActionResult['outputs'],
  { task, workspace, definitionOf }: RecordedPlace,
): Promise<RunRecord> {
  const { key, parts } = await actionKey(action);
  const inputs = action.inputs.map((input): [string, RecordedInput] => [
    input.name,
    inputOf(workspace, input, parts[`input ${input.name}`]),
  ]);
  return {
    schema: 1,
    label: action.label,
    task,
    workspace,
    time: new Date().toISOString(),
    seconds: null,
    key,
    command: { argv: [...action.argv], environment: { ...action.environment }, outputs: { ...action.outputs } },
    toolchain:
      'kind' in action.toolchain
        ? [{ digest: action.toolchain.identity, title: 'seed' }]
        : action.toolchain.map(layerOf),
    rootfs: (action.rootfs?.lower ?? []).map(layerOf),
    inputs: Object.fromEntries(inputs),
    outputs: Object.fromEntries(Object.entries(outputs).map(([name, output]) => [name, outputOf(output)])),
    definition: definitionOf(projectOf(action.label)) ?? null,
  };
}
