import { z } from 'zod';
import { kinds, schemas, type Kind } from './definition.js';

interface Node {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly items?: Node;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Node[];
  readonly allOf?: readonly Node[];
}

/** The JSON schema of a definition, for editors. */
export function jsonSchema(kind: Kind): Record<string, unknown> {
  return { ...z.toJSONSchema(schemas[kind], { io: 'input', target: 'draft-7' }), title: `${kind}.yaml` };
}

function typeOf(node: Node): string {
  if (node.anyOf !== undefined) {
    return [...new Set(node.anyOf.map(typeOf))].join(' or ');
  }
  if (node.enum !== undefined) {
    return node.enum.map((value) => `\`${String(value)}\``).join(', ');
  }
  if (node.const !== undefined) {
    return `\`${JSON.stringify(node.const)}\``;
  }
  if (node.type === 'array') {
    return `list of ${node.items === undefined ? 'values' : typeOf(node.items)}`;
  }
  return node.type === 'object' ? 'map' : [node.type ?? 'value'].flat().join(' or ');
}

function rows(node: Node, prefix: string): string[] {
  const found: string[] = [];
  for (const [name, field] of Object.entries(node.properties ?? {})) {
    const path = `${prefix}${name}`;
    const needed = node.required?.includes(name) === true && field.default === undefined;
    const notes = [
      field.description ?? '',
      field.default === undefined ? '' : `Default: \`${JSON.stringify(field.default)}\``,
    ].filter((note) => note !== '');
    found.push(`| \`${path}\`${needed ? ' *' : ''} | ${typeOf(field)} | ${notes.join('. ').replaceAll('|', '\\|')} |`);
    found.push(...nested(field, path));
  }
  return found;
}

function nested(field: Node, path: string): string[] {
  if (field.items !== undefined) {
    return nested(field.items, `${path}[]`);
  }
  const inner = field.anyOf?.flatMap((option) => nested(option, path)) ?? [];
  return [...new Set([...rows(field, `${path}.`), ...inner])];
}

function paths(node: Node, path: string): string[] {
  const inner = [
    ...Object.entries(node.properties ?? {}).flatMap(([name, field]) =>
      paths(field, path === '' ? name : `${path}.${name}`),
    ),
    ...(node.items === undefined ? [] : paths(node.items, `${path}[]`)),
    ...(node.anyOf ?? []).flatMap((option) => paths(option, path)),
  ].filter((found) => found !== path && found !== `${path}[]`);
  return inner.length > 0 ? [...new Set(inner)] : [path];
}

/** The paths of all fields of a definition that have a value of their own: `trees[].rules[].mode`. */
export function fieldPaths(kind: Kind): string[] {
  return paths(jsonSchema(kind), '');
}

/** Tables of all fields of all definitions, in Markdown. A field with a star has to be there. */
export function fieldReference(): string {
  return kinds
    .map((kind) =>
      [
        `### \`${kind}.yaml\``,
        '',
        '| field | type | what it is |',
        '| --- | --- | --- |',
        ...rows(jsonSchema(kind) as Node, ''),
      ].join('\n'),
    )
    .join('\n\n');
}
