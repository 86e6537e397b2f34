import { styleText } from 'node:util';
import { formatBytes } from '../size-report.js';
import { formatCapabilities } from './capabilities.js';
import type { Comparison, FileChange, PackageChange } from './compare.js';
import type { InstalledPackage } from './installed-packages.js';
import type { FileNode } from './listing.js';

/** How a comparison is written. */
export interface ComparisonFormat {
  /** What the two are called. */
  readonly names: readonly [before: string, after: string];
  /** Every package and every file, those of added and removed packages included. */
  readonly all: boolean;
  readonly colours: boolean;
}

/** Packages, and files, that are shown where not all are asked for. */
const shownLines = 20;

const marks = { added: '+', removed: '-', changed: '~' } as const;
const styles = { added: 'green', removed: 'red', changed: 'yellow' } as const;

/** A name as one line: control characters, and bytes that are no UTF-8, as `\xNN`. */
function shown(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are what must not reach a terminal
  return text.replace(/[\u0000-\u001f\u007f-\u009f\udc80-\udcff\\]/gu, (character) => {
    const code = character.charCodeAt(0);
    return character === '\\' ? '\\\\' : `\\x${(code & 0xff).toString(16).padStart(2, '0')}`;
  });
}

function signed(bytes: number): string {
  return bytes === 0 ? 'same size' : `${bytes > 0 ? '+' : '-'}${formatBytes(Math.abs(bytes))}`;
}

function counted(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? '' : 's'}`;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

function attribute(name: string, value: string | undefined): string {
  if (value === undefined) {
    return 'none';
  }
  return (name === 'security.capability' ? formatCapabilities(value) : undefined) ?? `0x${value}`;
}

function attributeChanges(before: FileNode, after: FileNode): string[] {
  const [old, now] = [before.attributes ?? {}, after.attributes ?? {}];
  return [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .sort()
    .filter((name) => old[name] !== now[name])
    .map((name) => `${shown(name)} ${attribute(name, old[name])} → ${attribute(name, now[name])}`);
}

/** What differs between two things of one path. */
function differences(before: FileNode, after: FileNode, aspects: FileChange['aspects']): string[] {
  return aspects.flatMap((aspect): string[] => {
    switch (aspect) {
      case 'type':
        return [`${kindOf(before)} → ${kindOf(after)}`];
      case 'content':
        return before.type === 'file' && after.type === 'file' ? [`content (${signed(after.size - before.size)})`] : [];
      case 'mode':
        return [`mode ${octal(before.mode)} → ${octal(after.mode)}`];
      case 'owner':
        return [`owner ${before.user}:${before.group} → ${after.user}:${after.group}`];
      case 'target':
        return before.type === 'symlink' && after.type === 'symlink'
          ? [`target ${shown(before.target)} → ${shown(after.target)}`]
          : [];
      case 'device':
        return 'device' in before && 'device' in after ? [`device ${before.device} → ${after.device}`] : [];
      case 'attributes':
        return attributeChanges(before, after);
    }
  });
}

function kindOf(node: FileNode): string {
  switch (node.type) {
    case 'file':
      return `file of ${formatBytes(node.size)}`;
    case 'symlink':
      return `symlink to ${shown(node.target)}`;
    case 'char':
    case 'block':
      return `${node.type} device ${node.device}`;
    default:
      return node.type;
  }
}

/** What of something is unusual enough to be told where it is added or removed. */
function kindAndRights(node: FileNode): string[] {
  const isSpecial = (node.mode & 0o7000) !== 0 || node.type === 'char' || node.type === 'block';
  return [
    kindOf(node),
    ...(isSpecial && node.type !== 'symlink' ? [`mode ${octal(node.mode)}`] : []),
    ...(node.user === 0 && node.group === 0 ? [] : [`owner ${node.user}:${node.group}`]),
    ...Object.entries(node.attributes ?? {}).map(([name, value]) => `${shown(name)} ${attribute(name, value)}`),
  ];
}

function formatFile(file: FileChange): string {
  const told =
    file.change === 'changed'
      ? differences(file.before, file.after, file.aspects)
      : kindAndRights(file.change === 'added' ? file.after : file.before);
  return `${marks[file.change]} /${shown(file.path)}  ${told.join(', ')}`;
}

function versions(change: PackageChange): string {
  if (change.change !== 'changed') {
    const { name, version } = change.change === 'added' ? change.after : change.before;
    return `${name}-${version}`;
  }
  const { before, after } = change;
  const arrow = (pick: (found: InstalledPackage) => string): string => `${pick(before)} → ${pick(after)}`;
  return [
    before.version === after.version
      ? `${after.name}-${after.version}`
      : `${after.name} ${arrow((one) => one.version)}`,
    ...(before.slot === after.slot ? [] : [`slot ${arrow((one) => one.slot)}`]),
    ...(before.repository === after.repository ? [] : [`from ${arrow((one) => one.repository)}`]),
    ...(change.use.length === 0 ? [] : [`USE ${change.use.join(' ')}`]),
  ].join('  ');
}

function formatPackage(change: PackageChange): string {
  const files =
    change.files === 0 ? 'no file of it differs' : `${counted(change.files, 'file')}, ${signed(change.bytes)}`;
  return `${marks[change.change]} ${versions(change)}  ${files}`;
}

function countsOf(changes: readonly { readonly change: keyof typeof marks }[], one: string): string {
  const kinds = (['added', 'removed', 'changed'] as const)
    .map((kind) => ({ kind, count: changes.filter(({ change }) => change === kind).length }))
    .filter(({ count }) => count > 0)
    .map(({ kind, count }) => `${count} ${kind}`);
  return `${one}: ${kinds.length === 0 ? 'the same' : kinds.join(', ')}`;
}

/** Files that the packages' own lines do not tell: of no package, or of one that is on both sides. */
function untold({ files, packages }: Comparison): FileChange[] {
  const whole = new Set(packages.filter(({ change }) => change !== 'changed').map((one) => one.package));
  const rest = files.filter((file) => !file.database && (file.package === null || !whole.has(file.package)));
  return [...rest.filter((file) => file.package === null), ...rest.filter((file) => file.package !== null)];
}

/** Writes a comparison for people: what differs in all, then by package, then by file. */
export function formatComparison(comparison: Comparison, { names, all, colours }: ComparisonFormat): string[] {
  const [before, after] = names;
  const { packages, files, bytes } = comparison;
  if (files.length === 0 && packages.length === 0) {
    return [`${before} and ${after} hold the same`];
  }
  const paint = (change: keyof typeof marks, line: string): string =>
    colours ? styleText(styles[change], line, { validateStream: false }) : line;
  const section = <T extends { readonly change: keyof typeof marks }>(
    title: string,
    changes: readonly T[],
    format: (change: T) => string,
  ): string[] => {
    const limited = all ? changes : changes.slice(0, shownLines);
    const rest = changes.length - limited.length;
    return changes.length === 0
      ? []
      : [
          title,
          ...limited.map((change) => paint(change.change, `  ${format(change)}`)),
          ...(rest > 0 ? [`  and ${rest} more`] : []),
        ];
  };
  const listed = all ? files : untold(comparison);
  const lines = [
    `${before} → ${after}: ${signed(bytes)}`,
    `  ${countsOf(packages, 'packages')}`,
    `  ${countsOf(files, 'files')}`,
    ...section('packages', packages, formatPackage),
    ...section(all ? 'files' : 'files of no package, or of packages on both sides', listed, formatFile),
  ];
  const isCut = !all && (listed.length < files.length || [packages, listed].some(({ length }) => length > shownLines));
  return isCut ? [...lines, 'everything: --all'] : lines;
}
