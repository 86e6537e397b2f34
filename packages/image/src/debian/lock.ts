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

/** Exactly which packages a Debian root is made of. Names no mirror: whose has the bytes does not matter. */
export interface Lock {
  readonly suite: string;
  readonly architecture: string;
  readonly packages: readonly LockedPackage[];
  readonly wheels: readonly LockedWheel[];
}

const digestSchema = z.string().transform((hex) => parseDigest(`sha256:${hex}`));

const lockSchema = z.strictObject({
  suite: z.string(),
  architecture: z.string(),
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

/**
 * Reads a lock file.
 *
 * @param place the file's path, for messages
 */
export function parseLock(text: string, place: string, project: string): Lock {
  try {
    return lockSchema.parse(parse(text));
  } catch (cause) {
    throw new UserError(`${place} is no lock file`, { hint: `write it anew: npx strata update ${project}`, cause });
  }
}

function line(entry: Readonly<Record<string, string | number | readonly string[]>>): string {
  const fields = Object.entries(entry).map(([name, value]) =>
    typeof value === 'object' ? `${name}: [${value.join(', ')}]` : `${name}: ${JSON.stringify(value)}`,
  );
  return `  - { ${fields.join(', ')} }`;
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
    'packages:',
    ...[...lock.packages].sort(byName).map((entry) => line({ ...hex(entry) })),
    ...(lock.wheels.length === 0
      ? []
      : ['wheels:', ...[...lock.wheels].sort(byName).map((entry) => line({ ...hex(entry) }))]),
    '',
  ].join('\n');
}
