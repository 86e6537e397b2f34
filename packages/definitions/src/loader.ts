import {
  isMap,
  isScalar,
  LineCounter,
  parseDocument,
  visit,
  type Alias,
  type Document,
  type Node,
  type YAMLError,
} from 'yaml';
import { aKind, definitionKind, schemas, type Definition, type Kind } from './definition.js';
import { fieldsOf, ProblemFinder, type FieldPath } from './problems.js';
import { UserError, type Place } from './user-error.js';

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

/** The text of a plain value as it stands in the file. */
function sourceOf(document: Document, path: FieldPath): string | undefined {
  const node = document.getIn(path, true);
  return isScalar(node) && typeof node.source === 'string' ? node.source : undefined;
}

/** What YAML's own words mean, by the code of the error. */
function explainYaml({ code, message }: YAMLError, at: string): { message: string; hint: string } {
  switch (code) {
    case 'DUPLICATE_KEY':
      return { message: `\`${/^[^\s:]*/.exec(at)?.[0] ?? ''}\` is there twice`, hint: 'keep one of them' };
    case 'TAB_AS_INDENT':
      return { message: 'a tab indents this line', hint: 'YAML indents with spaces' };
    case 'MULTIPLE_DOCS':
      return { message: 'the file has more than one document', hint: 'give each definition a folder of its own' };
    case 'NON_STRING_KEY':
      return { message: 'the name of a field has to be a text', hint: 'write the field as `name: value`' };
    default: {
      const [first = 'not YAML'] = message.split('\n');
      const hint = /INDENT|IMPLICIT_KEY/.test(code)
        ? 'indent the fields of a map alike, and quote a text that has `: ` in it'
        : 'correct the YAML';
      return { message: first.replace(/ at line \d+, column \d+:?$/, ''), hint };
    }
  }
}

/** An alias that names no anchor, or many that would make a file of some lines a value of gigabytes. */
function aliasProblem(document: Document, cause: unknown): { message: string; hint: string; position: number } {
  let unresolved: Alias | undefined;
  visit(document, {
    Alias: (_key, alias) => {
      if (alias.resolve(document) === undefined) {
        unresolved = alias;
        return visit.BREAK;
      }
      return undefined;
    },
  });
  return unresolved === undefined
    ? { message: (cause as Error).message, hint: 'write the values out', position: 0 }
    : {
        message: `there is no anchor &${unresolved.source} before the alias *${unresolved.source}`,
        hint: 'correct its name, or quote a text that begins with *',
        position: unresolved.range?.[0] ?? 0,
      };
}

/** Bytes that a definition may have at most: Nx reads all of them at every command. */
const mostBytes = 1 << 20;

/** The text of a definition's file. Throws a {@link UserError} where it is none. */
export function definitionText(file: string, bytes: Uint8Array): string {
  const no = (message: string, hint: string): UserError => new UserError(message, { place: { file }, hint });
  if (bytes.length > mostBytes) {
    throw no(
      `the file has ${bytes.length} bytes, and a definition has ${mostBytes} at most`,
      'a definition names files and packages; what it names lies in files of its own',
    );
  }
  const line = (position: number): number => bytes.subarray(0, position).filter((byte) => byte === 0x0a).length + 1;
  const zero = bytes.indexOf(0);
  if (zero >= 0) {
    throw new UserError('the file is not a text in UTF-8', {
      place: { file, line: line(zero) },
      hint: 'save it as UTF-8',
    });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    const read = new TextDecoder('utf-8').decode(bytes);
    const before = Buffer.byteLength(read.slice(0, read.indexOf('\ufffd')));
    throw new UserError('the file is not a text in UTF-8', {
      place: { file, line: line(before) },
      hint: 'save it as UTF-8',
      cause,
    });
  }
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
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: true, stringKeys: true, uniqueKeys: true });
  const place = (path: FieldPath): Place => ({ file, line: lineOf(document, lines, path) });
  const name = isMap(document.contents) ? document.contents.get('name') : undefined;
  const broken = (problems: readonly UserError[]): ReadDefinition => ({
    ok: false,
    kind,
    name: typeof name === 'string' && schemas[kind].shape.name.safeParse(name).success ? name : undefined,
    problems,
  });
  const brokenAt = (position: number, { message, hint }: { message: string; hint: string }): ReadDefinition =>
    broken([new UserError(message, { place: { file, line: lines.linePos(position).line }, hint })]);
  // what YAML says after its first error often follows from that
  const [error] = [...document.errors, ...document.warnings];
  if (error !== undefined) {
    return brokenAt(error.pos[0], explainYaml(error, text.slice(error.pos[0])));
  }
  let value: unknown;
  try {
    value = document.toJS() as unknown;
  } catch (cause) {
    const problem = aliasProblem(document, cause);
    return brokenAt(problem.position, problem);
  }
  if (!isMap(document.contents)) {
    const isEmpty = document.contents === null || (isScalar(document.contents) && document.contents.value === null);
    return broken([
      new UserError(isEmpty ? 'the definition is empty' : 'a definition is a map of fields', {
        place: { file, line: 1 },
        hint: `${aKind(kind)}.yaml has the fields ${fieldsOf(schemas[kind]).join(', ')}`,
      }),
    ]);
  }
  const parsed = schemas[kind].safeParse(value, { error: () => '', reportInput: true });
  if (parsed.success) {
    return { ok: true, definition: { ...parsed.data, kind } as Definition, place };
  }
  const finder = new ProblemFinder(schemas[kind], { sourceOf: (path) => sourceOf(document, path) });
  return broken(
    finder
      .problems(parsed.error.issues)
      .map(({ path, message, hint }) => new UserError(message, { place: place(path), hint })),
  );
}
