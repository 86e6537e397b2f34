import { createRequire } from 'node:module';
import type protobuf from 'protobufjs';
import { z } from 'zod';
import { hexOf, parseDigest, type Digest, type JsonValue } from '@strata/fingerprint';
import type { ActionResult, Descriptor } from './types.js';

/**
 * What we use of the Remote Execution API's messages, under its own names and numbers
 * (bazelbuild/remote-apis, build/bazel/remote/execution/v2/remote_execution.proto); every other field is skipped.
 */
const definitions = `
  syntax = "proto3";
  message ActionResult {
    repeated OutputFile output_files = 2;
    repeated OutputDirectory output_directories = 3;
    int32 exit_code = 4;
    Digest stdout_digest = 6;
    Digest stderr_digest = 8;
    ExecutedActionMetadata execution_metadata = 9;
  }
  message OutputFile {
    string path = 1;
    Digest digest = 2;
    bool is_executable = 4;
    NodeProperties node_properties = 7;
  }
  message OutputDirectory { string path = 1; Digest tree_digest = 3; }
  message Digest { string hash = 1; int64 size_bytes = 2; }
  message NodeProperties { repeated NodeProperty properties = 1; }
  message NodeProperty { string name = 1; string value = 2; }
  message ExecutedActionMetadata { string worker = 1; repeated Any auxiliary_metadata = 11; }
  message Any { string type_url = 1; bytes value = 2; }
  message StringValue { string value = 1; }
`;

interface Types {
  readonly result: protobuf.Type;
  readonly text: protobuf.Type;
}

let loaded: Types | undefined;

/** The library is loaded when it is first needed: every Nx command would wait a tenth of a second for it. */
function types(): Types {
  if (loaded === undefined) {
    const { parse: read } = createRequire(import.meta.url)('protobufjs') as typeof protobuf;
    const { root } = read(definitions, { keepCase: true });
    loaded = { result: root.lookupType('ActionResult'), text: root.lookupType('StringValue') };
  }
  return loaded;
}

/** Where the facts are: JSON in the only well-known type of protobuf that takes any text. */
const textUrl = 'type.googleapis.com/google.protobuf.StringValue';
/** Names of node properties; those of annotations have the annotation's name behind it. */
const mediaTypeProperty = 'dev.strata.media-type';
const annotationPrefix = 'dev.strata.annotation:';
const unknownMediaType = 'application/octet-stream';

const digestMessage = z.object({
  hash: z.string().regex(/^[0-9a-f]{64}$/, 'a hash is 64 lower-case hex digits'),
  size_bytes: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
});
const resultMessage = z.object({
  output_files: z.array(
    z.object({
      path: z.string().regex(/^[^/]/, 'the path of an output is relative, and not empty'),
      digest: digestMessage,
      node_properties: z.object({ properties: z.array(z.object({ name: z.string(), value: z.string() })) }).optional(),
    }),
  ),
  output_directories: z.array(z.unknown()).max(0, 'directories as outputs are not supported'),
  stdout_digest: digestMessage.optional(),
  stderr_digest: digestMessage.optional(),
  execution_metadata: z
    .object({ auxiliary_metadata: z.array(z.object({ type_url: z.string(), value: z.instanceof(Uint8Array) })) })
    .optional(),
});
type ResultMessage = z.infer<typeof resultMessage>;

/** Bytes that are no `ActionResult` of the Remote Execution API, or one that this module cannot take for whole. */
export class BadActionResult extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(`not an ActionResult: ${reason}`, options);
    this.name = 'BadActionResult';
  }
}

function parse(bytes: Uint8Array): ResultMessage {
  // the most common damage of all; what we write always names its worker
  if (bytes.length === 0) {
    throw new BadActionResult('it is empty');
  }
  let message: unknown;
  try {
    const { result } = types();
    message = result.toObject(result.decode(bytes), { longs: Number, defaults: true });
  } catch (cause) {
    throw new BadActionResult(cause instanceof Error ? cause.message : String(cause), { cause });
  }
  const { data, error } = resultMessage.safeParse(dropNulls(message));
  if (error !== undefined) {
    const [issue] = error.issues;
    throw new BadActionResult(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`, { cause: error });
  }
  return data;
}

/** Messages that are not there read as null. */
function dropNulls(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(dropNulls);
  }
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) {
    return value;
  }
  const entries = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(entries.map(([name, field]) => [name, dropNulls(field)]));
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * An action's result as the Remote Execution API's `ActionResult`, as HTTP caches for Bazel keep it under `/ac/<key>`:
 * outputs are output files, media types and annotations their node properties, facts the execution's auxiliary
 * metadata. Equal results are equal bytes. Nothing is lost: {@link decodeActionResult} gives the same again.
 */
export function encodeActionResult({ outputs, facts }: ActionResult): Uint8Array {
  const { result, text } = types();
  const files = Object.entries(outputs).sort(byName);
  const message = {
    output_files: files.map(([path, { digest, size, mediaType, annotations = {} }]) => ({
      path,
      digest: { hash: hexOf(digest), size_bytes: size },
      node_properties: {
        properties: [
          { name: mediaTypeProperty, value: mediaType },
          ...Object.entries(annotations)
            .sort(byName)
            .map(([name, value]) => ({ name: annotationPrefix + name, value })),
        ],
      },
    })),
    execution_metadata: {
      // bazel-remote writes an address of its own where there is none, and the bytes would differ from ours
      worker: 'strata',
      auxiliary_metadata:
        facts === undefined
          ? []
          : [{ type_url: textUrl, value: text.encode({ value: JSON.stringify(facts) }).finish() }],
    },
  };
  return result.encode(result.fromObject(message)).finish();
}

/** Reads what {@link encodeActionResult} wrote. Throws {@link BadActionResult} where the bytes are anything else. */
export function decodeActionResult(bytes: Uint8Array): ActionResult {
  const { output_files, execution_metadata } = parse(bytes);
  const outputs = new Map<string, Descriptor>();
  for (const { path, digest, node_properties } of output_files) {
    if (outputs.has(path)) {
      throw new BadActionResult(`it has two outputs ${path}`);
    }
    const properties = (node_properties?.properties ?? []).map(({ name, value }) => [name, value] as const);
    const annotations = properties
      .filter(([name]) => name.startsWith(annotationPrefix))
      .map(([name, value]) => [name.slice(annotationPrefix.length), value] as const);
    outputs.set(path, {
      mediaType: properties.find(([name]) => name === mediaTypeProperty)?.[1] ?? unknownMediaType,
      digest: parseDigest(`sha256:${digest.hash}`),
      size: digest.size_bytes,
      ...(annotations.length === 0 ? {} : { annotations: Object.fromEntries(annotations) }),
    });
  }
  const text = execution_metadata?.auxiliary_metadata.find(({ type_url }) => type_url === textUrl)?.value;
  const facts = text === undefined ? undefined : parseFacts(text);
  return { outputs: Object.fromEntries(outputs), ...(facts === undefined ? {} : { facts }) };
}

function parseFacts(text: Uint8Array): Readonly<Record<string, JsonValue>> {
  try {
    const { value } = types().text.decode(text) as unknown as { readonly value: string };
    return z.record(z.string(), z.json()).parse(JSON.parse(value));
  } catch (cause) {
    throw new BadActionResult('its facts are no JSON', { cause });
  }
}

/**
 * Every artifact that an `ActionResult` names, whoever wrote it: it is of use only while all of them are there. Throws
 * {@link BadActionResult} where the bytes are none, or it has directories, whose files it does not name itself.
 */
export function artifactsOfActionResult(bytes: Uint8Array): readonly Pick<Descriptor, 'digest' | 'size'>[] {
  const { output_files, stdout_digest, stderr_digest } = parse(bytes);
  return [...output_files.map(({ digest }) => digest), stdout_digest, stderr_digest]
    .filter((digest) => digest !== undefined)
    .map(({ hash, size_bytes }) => ({ digest: `sha256:${hash}` as Digest, size: size_bytes }));
}
