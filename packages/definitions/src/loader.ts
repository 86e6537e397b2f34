import { distance } from 'fastest-levenshtein';
import { isMap, LineCounter, parseDocument, type Document, type Node } from 'yaml';
import type { z } from 'zod';
import { definitionKind, schemas, type Definition, type Kind } from './definition.js';
import { UserError, type Place } from './user-error.js';

/** A way into a definition: names of fields and positions in lists. */
export type FieldPath = readonly (string | number)[];

/** What became of a definition's file. */
export type ReadDefinition =
  | { readonly ok: true; readonly definition: Definition; readonly place: (path: FieldPath) => Place }
  | {
      readonly ok: false;
      readonly kind: Kind;
      /** The name, where it could be read all the same: a broken project keeps its name. */
      readonly name: string | undefined;
      readonly problems: readonly UserError[];
    };

/** The closest of some names to a misspelt one, if any is close. */
export function suggest(name: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((candidate) => ({ candidate, edits: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, edits }) => edits <= Math.max(2, Math.floor(name.length / 3)) && edits < candidate.length)
    .sort((left, right) => left.edits - right.edits);
  return best?.candidate;
}

function nodeAt(document: Document, path: FieldPath): Node | undefined {
  for (let depth = path.length; depth >= 0; depth--) {
    const node = document.getIn(path.slice(0, depth), true);
    if (node !== null && typeof node === 'object' && 'range' in node) {
      return node as Node;
    }
  }
  return undefined;
}

/** The line of a field's name where the field is in a map, else of its value. */
function lineOf(document: Document, lines: LineCounter, path: FieldPath): number {
  const last = path.at(-1);
  const parent = path.length === 0 ? undefined : document.getIn(path.slice(0, -1), true);
  if (typeof last === 'string' && isMap(parent)) {
    const pair = parent.items.find(({ key }) => String(key) === last);
    const range = (pair?.key as Node | undefined)?.range;
    if (range !== null && range !== undefined) {
      return lines.linePos(range[0]).line;
    }
  }
  const range = nodeAt(document, path)?.range;
  return range === null || range === undefined ? 1 : lines.linePos(range[0]).line;
}

function fieldsOf(schema: z.ZodType): string[] {
  return 'shape' in schema && typeof schema.shape === 'object' && schema.shape !== null
    ? Object.keys(schema.shape)
    : [];
}

/** Names of fields that a schema allows somewhere, for suggestions. */
function allFields(schema: unknown, seen = new Set<unknown>()): string[] {
  if (schema === null || typeof schema !== 'object' || seen.has(schema)) {
    return [];
  }
  seen.add(schema);
  const { def } = schema as { def?: Record<string, unknown> };
  const names = fieldsOf(schema as z.ZodType);
  const inner = [
    ...Object.values((def?.['shape'] as Record<string, unknown> | undefined) ?? {}),
    ...((def?.['options'] as unknown[] | undefined) ?? []),
    def?.['innerType'],
    def?.['element'],
  ];
  return [...names, ...inner.flatMap((part) => allFields(part, seen))];
}

interface Problem {
  readonly path: FieldPath;
  readonly message: string;
  readonly hint: string;
}

function dotted(path: FieldPath): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`)).join('');
}

function problemsOf(issue: z.core.$ZodIssue, prefix: FieldPath, kind: Kind): Problem[] {
  const path = [...prefix, ...(issue.path as (string | number)[])];
  const field = dotted(path);
  if (issue.code === 'unrecognized_keys') {
    const known = path.length === 0 ? fieldsOf(schemas[kind]) : allFields(schemas[kind]);
    return issue.keys.map((key) => {
      const close = suggest(key, known);
      return {
        path: [...path, key],
        message: `unknown field \`${key}\`${path.length === 0 ? '' : ` in \`${field}\``}`,
        hint:
          close === undefined
            ? `a ${kind}.yaml has the fields ${fieldsOf(schemas[kind]).join(', ')}`
            : `did you mean \`${close}\`?`,
      };
    });
  }
  if (issue.code === 'invalid_union') {
    // the branch that got furthest is the one that the user meant
    const branches = issue.errors
      .map((branch) => branch.flatMap((inner) => problemsOf(inner, path, kind)))
      .filter((branch) => branch.length > 0);
    const depth = (branch: Problem[]): number =>
      Math.max(...branch.map((problem) => problem.path.length)) * 100 - branch.length;
    const best = branches.sort((left, right) => depth(right) - depth(left))[0];
    return (
      best ?? [
        { path, message: `\`${field}\` fits none of its forms`, hint: 'see the reference of fields in the README' },
      ]
    );
  }
  const message = issue.message.replace(/^Invalid input: /, '');
  const hint: unknown = issue.code === 'custom' ? issue.params?.['hint'] : undefined;
  return [
    {
      path,
      message: path.length === 0 ? message : `\`${field}\`: ${message}`,
      hint: typeof hint === 'string' ? hint : 'see the reference of fields in the README',
    },
  ];
}

/**
 * Reads a definition. Never throws: what is wrong comes back as problems, each with its line.
 *
 * @param file path relative to the workspace, whose last part says the kind
 */
export function readDefinition(file: string, text: string): ReadDefinition {
  const kind = definitionKind(file);
  if (kind === undefined) {
    throw new TypeError(`${file} is no definition`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: true, uniqueKeys: true });
  const place = (path: FieldPath): Place => ({ file, line: lineOf(document, lines, path) });
  let value: unknown;
  try {
    value = document.toJS() as unknown;
  } catch {
    value = undefined;
  }
  const name = (value as { name?: unknown } | null | undefined)?.name;
  const broken = (problems: readonly UserError[]): ReadDefinition => ({
    ok: false,
    kind,
    name: typeof name === 'string' && schemas[kind].shape.name.safeParse(name).success ? name : undefined,
    problems,
  });
  if (document.errors.length > 0) {
    return broken(
      document.errors.map(({ message, pos: [position] }) => {
        const [first = 'not YAML'] = message.split('\n');
        return new UserError(first.replace(/ at line \d+, column \d+:?$/, ''), {
          place: { file, line: lines.linePos(position).line },
          hint: 'correct the YAML',
        });
      }),
    );
  }
  if (!isMap(document.contents)) {
    return broken([
      new UserError(document.contents === null ? 'the definition is empty' : 'a definition is a map of fields', {
        place: { file, line: 1 },
        hint: `a ${kind}.yaml has the fields ${fieldsOf(schemas[kind]).join(', ')}`,
      }),
    ]);
  }
  const parsed = schemas[kind].safeParse(value);
  if (parsed.success) {
    return { ok: true, definition: { ...parsed.data, kind } as Definition, place };
  }
  return broken(
    parsed.error.issues
      .flatMap((issue) => problemsOf(issue, [], kind))
      .map(({ path, message, hint }) => new UserError(message, { place: place(path), hint })),
  );
}
