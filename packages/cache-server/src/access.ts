import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { UserError } from '@strata/definitions';

/** Where entries and artifacts belong: who writes to it, and who may read it. */
export interface Scope {
  readonly name: string;
  /** What an untrusted scope wrote is read by itself alone, and it has but a share of the room. */
  readonly trusted: boolean;
  /** The scopes that it reads, the ones that others write to first, itself last. */
  readonly reads: readonly string[];
}

/** Who sends a request. */
export interface Client {
  /** The name of its token, for logs. */
  readonly token: string;
  readonly scope: Scope;
  readonly mayWrite: boolean;
  readonly mayReadMetrics: boolean;
}

interface Token extends Client {
  readonly hash: Buffer;
  /** In milliseconds since 1970; undefined where it never does. */
  readonly expires: number | undefined;
}

const scopeName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'a scope has lower-case letters, digits, dots, dashes and underscores');

const accessSchema = z.strictObject({
  scopes: z.record(
    scopeName,
    z.strictObject({ trusted: z.boolean().default(false), reads: z.array(scopeName).default([]) }).nullable(),
  ),
  tokens: z.array(
    z.strictObject({
      name: z.string().min(1),
      sha256: z.string().regex(/^[0-9a-f]{64}$/, 'the SHA-256 of a token, as `strata-cache token` prints it'),
      scope: scopeName,
      write: z.boolean().default(false),
      metrics: z.boolean().default(false),
      expires: z.iso
        .datetime({ offset: true, error: 'a time is written 2027-01-31T00:00:00Z' })
        .transform((text) => Date.parse(text))
        .optional(),
    }),
  ),
});

/** Shorter ones could be guessed, and a plain SHA-256 of one be turned back. */
const shortestToken = 32;

/** A new token, and the SHA-256 of it that goes into the file. */
export function newToken(): { readonly token: string; readonly sha256: string } {
  const token = `strata_${randomBytes(32).toString('base64url')}`;
  return { token, sha256: hashOf(token).toString('hex') };
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** Who may do what: the tokens, and the scopes that they are for. */
export class Access {
  private constructor(
    private readonly tokens: readonly Token[],
    /** Names of the scopes that are trusted. */
    readonly trusted: ReadonlySet<string>,
  ) {}

  /**
   * Reads the text of a tokens file (YAML). Throws a {@link UserError} where it is none, or would let somebody read what
   * an untrusted scope wrote.
   */
  static parse(text: string, file: string): Access {
    let json: unknown;
    try {
      json = parse(text);
    } catch (cause) {
      throw unusable(file, (cause as Error).message.split('\n')[0] ?? '', cause);
    }
    const { data, error } = accessSchema.safeParse(json);
    if (error !== undefined) {
      const [issue] = error.issues;
      throw unusable(file, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`, error);
    }
    const scopes = new Map<string, Scope>();
    for (const [name, scope] of Object.entries(data.scopes)) {
      const reads = scope?.reads ?? [];
      for (const other of reads.filter((other) => other !== name)) {
        if (!(other in data.scopes)) {
          throw unusable(file, `scopes.${name} reads ${other}, which is no scope`);
        }
        if (data.scopes[other]?.trusted !== true) {
          throw unusable(file, `scopes.${name} reads ${other}, which is not trusted: only itself may`);
        }
      }
      const others = reads.filter((other) => other !== name);
      scopes.set(name, { name, trusted: scope?.trusted ?? false, reads: [...others, name] });
    }
    const tokens = data.tokens.map(({ name, sha256, scope: of, write, metrics, expires }): Token => {
      const scope = scopes.get(of);
      if (scope === undefined) {
        throw unusable(file, `the token ${name} is for ${of}, which is no scope`);
      }
      const hash = Buffer.from(sha256, 'hex');
      return { token: name, scope, mayWrite: write, mayReadMetrics: metrics, hash, expires };
    });
    const trusted = [...scopes.values()].filter((scope) => scope.trusted).map(({ name }) => name);
    return new Access(tokens, new Set(trusted));
  }

  /** One token that may do everything, for a server that has no tokens file. */
  static ofOne(token: string): Access {
    const scope: Scope = { name: 'local', trusted: true, reads: ['local'] };
    const rest = { mayWrite: true, mayReadMetrics: true, hash: hashOf(token), expires: undefined };
    return new Access([{ token: 'local', scope, ...rest }], new Set(['local']));
  }

  /** Whose token that is; undefined where it is nobody's, or not any more. Takes as long for every token. */
  clientOf(token: string): Client | undefined {
    const hash = hashOf(token);
    let found: Token | undefined;
    for (const candidate of this.tokens) {
      if (timingSafeEqual(candidate.hash, hash)) {
        found = candidate;
      }
    }
    const good = token.length >= shortestToken && found !== undefined && Date.now() < (found.expires ?? Infinity);
    return good ? found : undefined;
  }
}

function unusable(file: string, reason: string, cause?: unknown): UserError {
  return new UserError(`${file}: ${reason}`, { hint: 'see "For a team" in the README of strata-cache', cause });
}

/** Reads a tokens file. Throws a {@link UserError} where that cannot be done, or others may write to it. */
export function readAccess(file: string): Access {
  try {
    if ((statSync(file).mode & 0o022) !== 0) {
      throw new UserError(`${file} can be written to by others than its owner`, { hint: `chmod go-w ${file}` });
    }
    return Access.parse(readFileSync(file, 'utf8'), file);
  } catch (cause) {
    if (cause instanceof UserError) {
      throw cause;
    }
    throw new UserError(`the tokens cannot be read: ${(cause as Error).message}`, {
      hint: 'name a file with --tokens, see the README of strata-cache',
      cause,
    });
  }
}
