import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { PlacedDefinition } from '@strata/definitions';
import { canonicalJson, type JsonValue } from '@strata/fingerprint';
import { diffIdOf, type LayerDescriptor, type LayerStack } from '@strata/sandbox';
import { descriptorSchema, type Descriptor } from '@strata/store';
import type { TargetName } from './model.js';
import { outputFile } from './targets.js';

/** What a task leaves, and Nx caches: names of artifacts, never their bytes. */
export interface TaskOutput {
  /** What the task itself made. */
  readonly outputs: Readonly<Record<string, Descriptor>>;
  /** For a layer: all its layers, from the bottom to the top. */
  readonly stack?: LayerStack;
}

const outputSchema = z.object({
  outputs: z.record(z.string(), descriptorSchema),
  stack: z.array(descriptorSchema).optional(),
});

/** A descriptor that names a layer. Throws where it does not. */
export function asLayer(descriptor: Descriptor): LayerDescriptor {
  const layer = { ...descriptor, annotations: descriptor.annotations ?? {} };
  diffIdOf(layer);
  return layer;
}

/** Reads the file that a task left; undefined where there is none, or not a good one. */
export function readTaskOutput(file: string): TaskOutput | undefined {
  try {
    const { outputs, stack } = outputSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
    return stack === undefined ? { outputs } : { outputs, stack: stack.map(asLayer) };
  } catch {
    return undefined;
  }
}

/** Writes the file that a task leaves: canonical, so that equal outputs are equal files. */
export function writeTaskOutput(file: string, output: TaskOutput): void {
  mkdirSync(dirname(file), { recursive: true });
  const aside = `${file}.${process.pid}`;
  const pretty = JSON.stringify(JSON.parse(canonicalJson(output as unknown as JsonValue)), undefined, 2);
  writeFileSync(aside, `${pretty}\n`);
  renameSync(aside, file);
}

/** Where tasks leave their outputs for each other. */
export interface TaskResults {
  read(placed: PlacedDefinition, target: TargetName): TaskOutput | undefined;
  write(placed: PlacedDefinition, target: TargetName, output: TaskOutput): void;
}

/** Outputs as Nx caches them: files in `dist/` of the workspace. */
export class ResultFiles implements TaskResults {
  constructor(private readonly workspaceRoot: string) {}

  read({ root }: PlacedDefinition, target: TargetName): TaskOutput | undefined {
    return readTaskOutput(join(this.workspaceRoot, outputFile(root, target)));
  }

  write({ root }: PlacedDefinition, target: TargetName, output: TaskOutput): void {
    writeTaskOutput(join(this.workspaceRoot, outputFile(root, target)), output);
  }
}
