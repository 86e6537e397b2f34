import { diffLines } from 'diff';
import { parse } from 'yaml';
import { compareTrees, type JsonValue, type TreeEntry } from '@strata/fingerprint';
import type { Records } from '../records/records.js';
import type { RecordedInput, RunRecord } from '../records/run-record.js';
import type { Change } from './changes.js';
import { changedPackages, listChanges } from './plans.js';

/** Lines of a diff that are shown, at most. */
const shownLines = 12;

/** Fields of a definition that reach no action. */
const forPeople = new Set(['name', 'description', 'tags']);

function short(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/** The paths at which two JSON values differ; lists of plain values are compared as a whole. */
export function differences(
  before: unknown,
  after: unknown,
  path = '',
): { path: string; before: unknown; after: unknown }[] {
  if (JSON.stringify(before) === JSON.stringify(after)) {
    return [];
  }
  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
  if (isObject(before) && isObject(after) && Array.isArray(before) === Array.isArray(after)) {
    const plain = [before, after].some((value) => Array.isArray(value) && !value.some(isObject));
    if (!plain) {
      const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
      return names.flatMap((name) => {
        const step = Array.isArray(before) ? `${path}[${name}]` : path === '' ? name : `${path}.${name}`;
        return differences(before[name], after[name], step);
      });
    }
  }
  return [{ path, before, after }];
}

function contentDiff(records: Records, before: string, after: string): string[] | undefined {
  const [old, current] = [records.content(before), records.content(after)];
  if (old === undefined || current === undefined) {
    return undefined;
  }
  const lines = diffLines(old, current).flatMap(({ added, removed, value }) =>
    added || removed
      ? value
          .replace(/\n$/, '')
          .split('\n')
          .map((line) => `${added ? '+' : '-'} ${line}`)
      : [],
  );
  return lines.length > shownLines
    ? [...lines.slice(0, shownLines), `… ${lines.length - shownLines} lines more`]
    : lines;
}

function modeOf(entry: TreeEntry): string {
  return entry.type === 'file' && entry.executable ? '0755' : '0644';
}

/** Whether a file of an input, by its path in that input, can be behind a change. */
type Relevance = (input: string, path: string) => boolean;

/** Folders of an ebuild repository that are no category (PMS, Repository layout). */
const noCategory = new Set(['eclass', 'licenses', 'metadata', 'profiles', 'scripts']);

/** What of a plan's inputs can change a part of its snapshot: of the packages, only the one that the part is of. */
function relevanceOf(part: string): Relevance {
  const [, category, name = ''] = /^packages\/([^/]+)\/(.+?)-\d[^-]*(?:-r\d+)?$/.exec(part) ?? [];
  return (input, path) => {
    const [first = '', second] = path.split('/');
    return !input.startsWith('repositories/') || noCategory.has(first) || (first === category && second === name);
  };
}

function treeChanges(
  records: Records,
  folder: string,
  before: string,
  after: string,
  isRelevant: (path: string) => boolean,
): Change[] {
  const [old, current] = [records.manifest(before), records.manifest(after)];
  if (old === undefined || current === undefined) {
    return [{ kind: 'file', path: folder, how: 'content' }];
  }
  const differing = compareTrees(old, current);
  const changes = differing.flatMap((change): Change[] => {
    if (!isRelevant(change.path)) {
      return [];
    }
    const path = `${folder}/${change.path}`;
    if (change.change !== 'changed') {
      return change.entry.type === 'directory' ? [] : [{ kind: 'file', path, how: change.change }];
    }
    const { before: one, after: other } = change;
    if (one.type !== other.type) {
      return [{ kind: 'file', path, how: 'type', before: one.type, after: other.type }];
    }
    if (one.type === 'symlink' && other.type === 'symlink') {
      return [{ kind: 'file', path, how: 'target', before: one.target, after: other.target }];
    }
    if (one.type === 'file' && other.type === 'file' && one.digest !== other.digest) {
      const lines = contentDiff(records, one.digest, other.digest);
      return [{ kind: 'file', path, how: 'content', ...(lines === undefined ? {} : { lines }) }];
    }
    return [{ kind: 'file', path, how: 'mode', before: modeOf(one), after: modeOf(other) }];
  });
  return changes.length > 0 || differing.length > 0 ? changes : [{ kind: 'file', path: folder, how: 'content' }];
}

/** What a recorded run left under a digest, and which run that was. */
interface Made {
  readonly record: RunRecord;
  readonly name: string;
}

/** Compares runs of actions, and follows what differs back to where it came from. */
export class RunComparison {
  readonly #makers = new Map<string, Made>();
  readonly #seen = new Map<string, readonly Change[]>();

  /** @param more records that are not among the store's: of what would run now */
  constructor(
    private readonly records: Records,
    more: readonly RunRecord[] = [],
  ) {
    // where several workspaces made the same, this one's run is named
    for (const record of [...records.all, ...records.own, ...more]) {
      for (const [name, { digest, layer }] of Object.entries(record.outputs)) {
        this.#makers.set(digest, { record, name });
        if (layer !== undefined) {
          this.#makers.set(layer, { record, name });
        }
      }
    }
  }

  /**
   * What differs between two runs of one action.
   *
   * @param part the part of what it made that is asked about, where it is a plan's snapshot
   */
  compare(before: RunRecord, after: RunRecord, part = ''): readonly Change[] {
    const pair = `${before.key} ${after.key} ${part}`;
    const known = this.#seen.get(pair);
    if (known !== undefined) {
      return known;
    }
    // also ends a cycle of records that name each other
    this.#seen.set(pair, []);
    const isRelevant = part === '' ? (): boolean => true : relevanceOf(part);
    const changes = before.key === after.key ? [] : this.#changes(before, after, isRelevant);
    this.#seen.set(pair, changes);
    return changes;
  }

  #changes(before: RunRecord, after: RunRecord, isRelevant: Relevance): Change[] {
    const changes: Change[] = [];
    const names = new Set([...Object.keys(before.inputs), ...Object.keys(after.inputs)]);
    const isText = (name: string): boolean => (after.inputs[name] ?? before.inputs[name])?.kind === 'text';
    for (const name of names) {
      changes.push(...(isText(name) ? [] : this.#inputChanges(name, before, after, isRelevant)));
    }
    changes.push(...this.#layerChanges('toolchain', before.toolchain, after.toolchain));
    changes.push(...this.#layerChanges('layer', before.rootfs, after.rootfs));
    const settings = this.#settingsChanges(before, after, [...names].filter(isText));
    const fields = settings.length > 0 ? this.#definitionChanges(before, after) : [];
    // Strata writes its parameters from the definition and from the other inputs: these say it better
    return [...fields, ...changes, ...(fields.length + changes.length > 0 ? [] : settings)];
  }

  /** What differs in the command and in the texts that Strata itself writes. */
  #settingsChanges(before: RunRecord, after: RunRecord, texts: readonly string[]): Change[] {
    return [
      ...texts.flatMap((name) => this.#textChanges(name, before.inputs[name], after.inputs[name])),
      ...differences(before.command, after.command).map((change): Change => ({
        kind: 'command',
        name: change.path,
        before: short(change.before),
        after: short(change.after),
      })),
    ];
  }

  #inputChanges(name: string, first: RunRecord, second: RunRecord, isRelevant: Relevance): Change[] {
    const [before, after] = [first.inputs[name], second.inputs[name]];
    if (JSON.stringify(before) === JSON.stringify(after)) {
      return [];
    }
    const one = after ?? before;
    if (one === undefined) {
      return [];
    }
    switch (one.kind) {
      case 'text':
        return this.#textChanges(name, before, after);
      case 'file': {
        const [old, current] = [digestIn(before), digestIn(after)];
        const how = old === undefined ? 'added' : current === undefined ? 'removed' : 'content';
        return old === current ? [] : [{ kind: 'file', path: one.path, how }];
      }
      case 'tree':
        if (before?.kind === 'tree' && after?.kind === 'tree') {
          return before.manifest === after.manifest
            ? []
            : treeChanges(this.records, after.path, before.manifest, after.manifest, (path) => isRelevant(name, path));
        }
        return [{ kind: 'file', path: one.path, how: before === undefined ? 'added' : 'removed' }];
      case 'artifact':
      case 'layer':
        return this.#madeChanges(name, digestIn(before), digestIn(after));
      case 'part':
        return digestIn(before) === digestIn(after)
          ? []
          : this.#madeChanges(
              one.folder,
              before?.kind === 'part' ? before.of : undefined,
              after?.kind === 'part' ? after.of : undefined,
            );
    }
  }

  #textChanges(name: string, before: RecordedInput | undefined, after: RecordedInput | undefined): Change[] {
    const value = (input: RecordedInput | undefined): unknown => {
      try {
        return input?.kind === 'text' ? (JSON.parse(input.text) as JsonValue) : undefined;
      } catch {
        return input?.kind === 'text' ? input.text : undefined;
      }
    };
    return differences(value(before), value(after)).map((change) => ({
      kind: 'command',
      name: change.path === '' ? name : change.path,
      before: short(change.before),
      after: short(change.after),
    }));
  }

  #definitionChanges(before: RunRecord, after: RunRecord): Change[] {
    const [old, current] = [before.definition, after.definition];
    if (old === null || current === null || old.text === current.text) {
      return [];
    }
    const value = (text: string): Record<string, unknown> => {
      try {
        return Object.fromEntries(
          Object.entries((parse(text) ?? {}) as Record<string, unknown>).filter(([name]) => !forPeople.has(name)),
        );
      } catch {
        return {};
      }
    };
    return differences(value(old.text), value(current.text)).map(({ path, before: first, after: second }) => {
      const words = Array.isArray(first) && Array.isArray(second) ? listChanges(first, second) : [];
      return {
        kind: 'field',
        file: current.file,
        field: path,
        before: short(first),
        after: short(second),
        // a list in another order has none
        ...(words.length > 0 ? { words } : {}),
      };
    });
  }

  #layerChanges(what: string, before: RunRecord['rootfs'], after: RunRecord['rootfs']): Change[] {
    const [old] = before;
    const [current] = after;
    if (old?.title === 'seed' && current?.title === 'seed' && old.digest !== current.digest) {
      // it follows from the lock file, or from how Strata makes one: neither is an action
      return [{ kind: 'unknown', what: 'the seed' }];
    }
    const nameOf = ({ digest, title }: RunRecord['rootfs'][number]): string =>
      this.#makers.has(digest) || title === '' ? what : title;
    const gone = before.filter(({ digest }) => !after.some((layer) => layer.digest === digest));
    const come = after.filter(({ digest }) => !before.some((layer) => layer.digest === digest));
    const changes: Change[] = [];
    for (const layer of come) {
      const maker = this.#makers.get(layer.digest);
      const index = gone.findIndex((other) => this.#makers.get(other.digest)?.record.label === maker?.record.label);
      const [replaced] = index < 0 ? [] : gone.splice(index, 1);
      changes.push(...this.#madeChanges(nameOf(layer), replaced?.digest, layer.digest));
    }
    for (const layer of gone) {
      changes.push(...this.#madeChanges(nameOf(layer), layer.digest, undefined));
    }
    return changes.length === 0 && JSON.stringify(before) !== JSON.stringify(after) && gone.length + come.length > 0
      ? [{ kind: 'unknown', what: `the ${what}` }]
      : changes;
  }

  /** What another action made differs: says why, as far as that is remembered. */
  #madeChanges(name: string, before: string | undefined, after: string | undefined): Change[] {
    if (before === after) {
      return [];
    }
    const old = before === undefined ? undefined : this.#makers.get(before);
    const current = after === undefined ? undefined : this.#makers.get(after);
    const maker = current ?? old;
    if (maker === undefined) {
      // fetched by its digest: there is nothing behind it
      const fetched = name.replace(/^(?:distfiles|debs|wheels)\//, '');
      return [
        {
          kind: 'fetched',
          name: fetched,
          before: before === undefined ? 'not there' : before.slice(0, 19),
          after: after === undefined ? 'not there' : after.slice(0, 19),
        },
      ];
    }
    const earlier = old?.record ?? this.records.of(maker.record.label).findLast(({ key }) => key !== maker.record.key);
    const how = after === undefined ? 'gone' : before === undefined ? 'new' : 'another';
    if (current === undefined || earlier === undefined) {
      return [{ kind: 'made', by: maker.record.label, what: name, how, changes: [] }];
    }
    const changes = [
      ...changedPackages(this.records, earlier, current.record, name),
      ...this.compare(earlier, current.record, /^(?:packages\/|merge$)/.test(name) ? name : ''),
    ];
    return [{ kind: 'made', by: maker.record.label, what: name, how, changes }];
  }
}

function digestIn(input: RecordedInput | undefined): string | undefined {
  return input === undefined || !('digest' in input) ? undefined : input.digest;
}
