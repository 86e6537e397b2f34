import { z } from 'zod';

/** A layer of a root: its diff id, and what people call it. */
export const recordedLayerSchema = z.object({ digest: z.string(), title: z.string() });

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

/** What is remembered of one run of an action. */
export const runRecordSchema = z.object({
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
  toolchain: z.array(recordedLayerSchema),
  rootfs: z.array(recordedLayerSchema),
  inputs: z.record(z.string(), inputSchema),
  outputs: z.record(z.string(), z.object({ digest: z.string(), layer: z.string().optional() })),
  /** The text of the project's definition. */
  definition: z.object({ file: z.string(), text: z.string() }).nullable(),
});

/** What is remembered of one run of an action. */
export type RunRecord = z.output<typeof runRecordSchema>;

/** What `--against FILE` reads: records of another machine, with the trees that they name. */
export const exportedRecordsSchema = z.object({
  schema: z.literal(1),
  records: z.array(runRecordSchema),
  manifests: z.record(z.string(), z.json()),
});

/** What one machine tells another of its runs. */
export type ExportedRecords = z.output<typeof exportedRecordsSchema>;
