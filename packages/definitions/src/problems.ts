import { z } from 'zod';
import { suggest } from './suggest.js';

/** A way into a definition: names of fields and positions in lists. */
export type FieldPath = readonly (string | number)[];

/** Something that is wrong with a definition's fields. */
export interface Problem {
  readonly path: FieldPath;
  readonly message: string;
  readonly hint: string;
  /** The field that a misspelt one was meant to be: that it is missing is then no problem of its own. */
  readonly meant?: FieldPath;
  readonly isMissing?: boolean;
}

/** What is wrong with a value in a file. */
interface Reading {
  /** The text of a plain value in the file: `1.10`, of which YAML makes the number 1.1. */
  readonly sourceOf: (path: FieldPath) => string | undefined;
}

type Issue = z.core.$ZodIssue;

/** What a schema is made of, as far as that is asked here. */
interface Parts {
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly options?: readonly unknown[];
  readonly innerType?: unknown;
  readonly element?: unknown;
}

function partsOf(schema: unknown): Parts {
  return (schema as { readonly def?: Parts } | undefined)?.def ?? {};
}

/** The forms that a value may have: of a union its options, of anything else itself. */
function formsOf(schema: unknown): unknown[] {
  const { options, innerType } = partsOf(schema);
  return innerType === undefined ? (options?.flatMap(formsOf) ?? [schema]) : formsOf(innerType);
}

/** The schemas of a field, one for each form that the fields around it may have. */
function schemasAt(schema: unknown, path: FieldPath): unknown[] {
  const [step, ...rest] = path;
  if (step === undefined) {
    return [schema];
  }
  return formsOf(schema).flatMap((form) => {
    const { shape, element } = partsOf(form);
    const next = typeof step === 'number' ? element : shape?.[step];
    return next === undefined ? [] : schemasAt(next, rest);
  });
}

/** Names of the fields that a map may have. */
export function fieldsOf(schema: unknown): string[] {
  return [...new Set(formsOf(schema).flatMap((form) => Object.keys(partsOf(form).shape ?? {})))];
}

function dotted(path: FieldPath): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`)).join('');
}

/** What the reference says of a field, or of the nearest field around it of which it says something. */
function description(schema: unknown, path: FieldPath): string {
  for (let depth = path.length; depth > 0; depth--) {
    const around = path.slice(0, depth);
    const found = schemasAt(schema, around)
      .flatMap((one) => [one, partsOf(one).innerType])
      .map((one) => (one as { readonly description?: string } | undefined)?.description)
      .find((text) => text !== undefined);
    if (found !== undefined && typeof around.at(-1) === 'string') {
      return `\`${dotted(around)}\`: ${found}`;
    }
  }
  return "see the reference of fields in Strata's README";
}

const words: Readonly<Record<string, string>> = {
  string: 'a text',
  array: 'a list',
  object: 'a map',
  record: 'a map',
  number: 'a number',
  int: 'a whole number',
  boolean: '`true` or `false`',
};

function kindOf(value: unknown): string {
  if (typeof value === 'boolean') {
    return `\`${String(value)}\``;
  }
  return words[Array.isArray(value) ? 'array' : typeof value] ?? 'something else';
}

function or(names: readonly string[]): string {
  const unique = [...new Set(names)];
  return [unique.slice(0, -1).join(', '), unique.at(-1)].filter((part) => part !== '').join(' or ');
}

/** What a value has to be, where it is something else altogether; empty where it is wrong only in a part of it. */
function expected(issue: Issue): string[] {
  if (issue.path.length > 0) {
    return [];
  }
  switch (issue.code) {
    case 'invalid_type':
      return [words[issue.expected] ?? issue.expected];
    case 'invalid_value':
      return issue.values.map((value) => `\`${String(value)}\``);
    case 'invalid_union': {
      const branches = issue.errors.map((branch) => branch.flatMap(expected));
      return branches.some((branch) => branch.length === 0) ? [] : branches.flat();
    }
    default:
      return [];
  }
}

/** Finds the words for what is wrong with a definition. */
export class ProblemFinder {
  constructor(
    private readonly schema: unknown,
    private readonly reading: Reading,
  ) {}

  /** What zod's issues mean to somebody who writes definitions. */
  problems(issues: readonly Issue[]): Problem[] {
    const found = issues.flatMap((issue) => this.#of(issue, [], this.schema));
    return found.filter(
      ({ isMissing, path }) =>
        isMissing !== true || !found.some(({ meant }) => meant !== undefined && dotted(meant) === dotted(path)),
    );
  }

  #of(issue: Issue, prefix: FieldPath, around: unknown): Problem[] {
    const path = [...prefix, ...(issue.path as (string | number)[])];
    const inner = issue.path as (string | number)[];
    switch (issue.code) {
      case 'unrecognized_keys':
        return issue.keys.map((key) => this.#unknown(key, path, schemasAt(around, inner)));
      case 'invalid_type':
      case 'invalid_value':
        return [issue.message === '' ? this.#other(issue, path) : this.#custom(issue, path)];
      case 'invalid_union':
        return this.#union(issue, path, schemasAt(around, inner));
      default:
        return [this.#custom(issue, path)];
    }
  }

  #unknown(key: string, path: FieldPath, schemas: readonly unknown[]): Problem {
    const known = schemas.flatMap(fieldsOf);
    const close = suggest(key, known);
    const place = path.length === 0 ? '' : ` in \`${dotted(path)}\``;
    const what = path.length === 0 ? 'the fields here are' : `\`${dotted(path)}\` has the fields`;
    return {
      path: [...path, key],
      message: `unknown field \`${key}\`${place}`,
      hint: close === undefined ? `${what} ${known.join(', ')}` : `did you mean \`${close}\`?`,
      ...(close === undefined ? {} : { meant: [...path, close] }),
    };
  }

  /** A value that is none of what it may be. */
  #other(issue: Issue, path: FieldPath, wanted = or(expected({ ...issue, path: [] }))): Problem {
    const { input } = issue;
    const field = `\`${dotted(path)}\``;
    const hint = description(this.schema, path);
    if (input === undefined) {
      return { path, message: `${field} is missing`, hint, isMissing: true };
    }
    if (input === null) {
      return { path, message: `${field} has no value`, hint };
    }
    const quoted = typeof input === 'object' ? undefined : this.#quoted(path);
    if (quoted?.message !== undefined) {
      return { path, message: `${field}: ${quoted.message}`, hint };
    }
    const values = issue.code === 'invalid_value' ? issue.values.map(String) : [];
    const message = `${field} has to be ${wanted}, and is ${values.length > 0 && typeof input === 'string' ? input : kindOf(input)}`;
    return { path, message, hint: quoted?.hint ?? this.#rewritten(wanted, values, input, path) ?? hint };
  }

  /** A number or a truth value where a text has to be: whether it would do in quotes, and if not, why. */
  #quoted(path: FieldPath): { readonly hint?: string; readonly message?: string } | undefined {
    const source = this.reading.sourceOf(path);
    const texts = schemasAt(this.schema, path)
      .flatMap(formsOf)
      .filter((form) => form instanceof z.ZodString);
    if (source === undefined || texts.length === 0) {
      return undefined;
    }
    const tried = texts.map((text) => text.safeParse(source, { error: () => '' }));
    const refusal = tried.map(({ error }) => error?.issues[0]?.message);
    return refusal.includes(undefined)
      ? { hint: `quote it: "${source}"` }
      : { ...(refusal[0] === undefined || refusal[0] === '' ? {} : { message: refusal[0] }) };
  }

  /** How the value could be written instead. */
  #rewritten(wanted: string, values: readonly string[], input: unknown, path: FieldPath): string | undefined {
    const entries = schemasAt(this.schema, [...path, 0]).flatMap(formsOf);
    if (typeof input === 'string' && input.length < 60 && entries.some((entry) => entry instanceof z.ZodString)) {
      return `write it as a list: [${input}]`;
    }
    if (wanted.includes('`true`') && typeof input === 'string' && /^(yes|no|on|off)$/i.test(input)) {
      return `YAML 1.2 has \`true\` and \`false\` only: write \`${String(/^(yes|on)$/i.test(input))}\``;
    }
    const close = typeof input === 'string' ? suggest(input, values) : undefined;
    return close === undefined ? undefined : `did you mean \`${close}\`?`;
  }

  /** A value that a rule refuses: in the rule's own words where it has some. */
  #custom(issue: Issue, path: FieldPath): Problem {
    const field = `\`${dotted(path)}\``;
    const hint = description(this.schema, path);
    if (issue.message !== '') {
      const own: unknown = issue.code === 'custom' ? issue.params?.['hint'] : undefined;
      return { path, message: `${field}: ${issue.message}`, hint: typeof own === 'string' ? own : hint };
    }
    if (issue.code === 'too_small') {
      const isNumber = issue.origin === 'number' || issue.origin === 'int';
      return { path, message: `${field} is ${isNumber ? `less than ${issue.minimum}` : 'empty'}`, hint };
    }
    if (issue.code === 'too_big') {
      return { path, message: `${field} is more than ${issue.maximum}`, hint };
    }
    const format =
      issue.code === 'invalid_format' && issue.format === 'url' ? 'is no URL' : 'is not written as it has to be';
    return { path, message: `${field} ${format}`, hint };
  }

  /** Of the forms that a value may have, the one that was most likely meant says what is wrong. */
  #union(issue: Issue & { readonly code: 'invalid_union' }, path: FieldPath, schemas: readonly unknown[]): Problem[] {
    const wanted = expected({ ...issue, path: [] });
    if (wanted.length > 0) {
      return [this.#other(issue, path, or(wanted))];
    }
    const options = schemas.flatMap(
      (schema) => partsOf(schema).options ?? partsOf(partsOf(schema).innerType).options ?? [],
    );
    const branches = issue.errors.flatMap((errors, index) => {
      if (errors.flatMap(expected).length > 0) {
        return [];
      }
      const option = options[index];
      const problems = errors.flatMap((one) => this.#of(one, path, option));
      const strange = errors.flatMap((one) => (one.code === 'unrecognized_keys' ? one.keys : []));
      const misspelt = problems.filter(({ meant }) => meant !== undefined).length;
      const cost = problems.length + 2 * (strange.length - misspelt);
      return [{ problems, cost, strange, fields: fieldsOf(option) }];
    });
    const [best] = branches.sort((left, right) => left.cost - right.cost);
    if (best === undefined) {
      return [this.#custom(issue, path)];
    }
    // fields that each belong to a form, but to no one together
    const elsewhere = best.strange.filter((key) => branches.some(({ fields }) => fields.includes(key)));
    const own = Object.keys(issue.input ?? {}).filter((key) => best.fields.includes(key));
    if (elsewhere.length > 0 && own.length > 0) {
      const message = `\`${elsewhere.join('`, `')}\` cannot be beside \`${own.join('`, `')}\` in \`${dotted(path)}\``;
      return [{ path: [...path, elsewhere[0] ?? ''], message, hint: description(this.schema, path) }];
    }
    return best.problems;
  }
}
