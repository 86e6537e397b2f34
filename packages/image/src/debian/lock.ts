import { parse } from 'yaml';
import { z } from 'zod';
import { UserError } from '@strata/definitions';
import { parseDigest, type Digest } from '@strata/fingerprint';

/** A Debian package at one version. */
export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** Path of the file in the mirror's pool. */
  readonly file: string;
  /** Size in bytes. */
  readonly size: number;
  readonly sha256: Digest;
  /** Where it is needed: in the root itself, in the seed that makes the root, or in both. */
  readonly for: readonly ('root' | 'seed')[];
}

/** A wheel of the Python package index at one version. */
export interface LockedWheel {
  readonly name: string;
  readonly version: string;
  /** Name of the file. */
  readonly file: string;
  readonly sha256: Digest;
}

/** What a definition wants from a suite: another wish needs another lock. */
export interface LockRequest {
  readonly packages: readonly string[];
  readonly wheels: readonly string[];
  readonly components: readonly string[];
}

/** Exactly which packages a Debian root is made of. Names no mirror: whose has the bytes does not matter. */
export interface Lock {
  readonly suite: string;
  readonly architecture: string;
  /** What the definition asked for when this was resolved. */
  readonly requested: LockRequest;
  readonly packages: readonly LockedPackage[];
  readonly wheels: readonly LockedWheel[];
}

const digestSchema = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .transform((hex) => parseDigest(`sha256:${hex}`));

const wordsSchema = z.array(z.string());

const lockSchema = z.strictObject({
  suite: z.string(),
  architecture: z.string(),
  requested: z.strictObject({ packages: wordsSchema, wheels: wordsSchema, components: wordsSchema }),
  packages: z.array(
    z.strictObject({
      name: z.string(),
      version: z.string(),
      architecture: z.string(),
      file: z.string().regex(/^pool\/[^\s]+\.deb$/),
      size: z.int().positive(),
      sha256: digestSchema,
      for: z.array(z.enum(['root', 'seed'])),
    }),
  ),
  wheels: z
    .array(z.strictObject({ name: z.string(), version: z.string(), file: z.string(), sha256: digestSchema }))
    .default([]),
});

/** What a definition asks for, with everything that it leaves out. */
export function lockRequest(wanted: {
  readonly packages?: readonly string[] | undefined;
  readonly wheels?: readonly string[] | undefined;
  readonly components?: readonly string[] | undefined;
}): LockRequest {
  const { packages = [], wheels = [], components = ['main'] } = wanted;
  return { packages: [...packages].sort(), wheels: [...wheels].sort(), components: [...components].sort() };
}

/** The definition that a lock file is read for. */
export interface LockReader {
  /** The file's path, for messages. */
  readonly place: string;
  readonly project: string;
  readonly suite: string;
  readonly requested: LockRequest;
}

/** Reads a lock file. Throws a {@link UserError} where it is none, or was made when the definition asked for something else. */
export function parseLock(text: string, { place, project, suite, requested }: LockReader): Lock {
  const hint = `write it anew: npx strata update ${project}`;
  let lock: Lock;
  try {
    lock = lockSchema.parse(parse(text));
  } catch (cause) {
    throw new UserError(`${place} is no lock file`, { hint, cause });
  }
  const differing = [
    ...(lock.suite === suite ? [] : [`suite: ${lock.suite} is locked, ${suite} is asked for`]),
    ...(['packages', 'wheels', 'components'] as const).flatMap((kind) => [
      ...requested[kind]
        .filter((name) => !lock.requested[kind].includes(name))
        .map((name) => `${kind}: ${name} is new`),
      ...lock.requested[kind]
        .filter((name) => !requested[kind].includes(name))
        .map((name) => `${kind}: ${name} is asked for no more`),
    ]),
  ];
  if (differing.length > 0) {
    throw new UserError(`${place} was made for another definition of ${project}`, { details: differing, hint });
  }
  return lock;
}

function line(entry: Readonly<Record<string, string | number | readonly string[]>>): string {
  const fields = Object.entries(entry).map(([name, value]) =>
    typeof value === 'object' ? `${name}: [${value.join(', ')}]` : `${name}: ${JSON.stringify(value)}`,
  );
  return `  - { ${fields.join(', ')} }`;
}

function requestLine({ packages, wheels, components }: LockRequest): string {
  const list = (words: readonly string[]): string => `[${words.map((word) => JSON.stringify(word)).join(', ')}]`;
  return `{ packages: ${list(packages)}, wheels: ${list(wheels)}, components: ${list(components)} }`;
}

/** Writes a lock file: one package a line, sorted, so that a diff names just what moved. */
export function formatLock(lock: Lock): string {
  const byName = (left: { name: string }, right: { name: string }): number => (left.name < right.name ? -1 : 1);
  const hex = <T extends { sha256: Digest }>(entry: T): Omit<T, 'sha256'> & { sha256: string } => ({
    ...entry,
    sha256: entry.sha256.slice('sha256:'.length),
  });
  return [
    '# Written by `strata update`. Which mirror has these files does not matter: their digests do.',
    `suite: ${lock.suite}`,
    `architecture: ${lock.architecture}`,
    `requested: ${requestLine(lock.requested)}`,
    'packages:',
    ...[...lock.packages].sort(byName).map((entry) => line({ ...hex(entry) })),
    ...(lock.wheels.length === 0
      ? []
      : ['wheels:', ...[...lock.wheels].sort(byName).map((entry) => line({ ...hex(entry) }))]),
    '',
  ].join('\n');
}
