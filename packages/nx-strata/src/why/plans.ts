import { parsePlan, type PlannedPackage } from '@strata/portage';
import type { Records } from '../records/records.js';
import type { RunRecord } from '../records/run-record.js';
import type { Change } from './changes.js';

function packageIn(records: Records, record: RunRecord, cpv: string): PlannedPackage | undefined {
  const digest = record.outputs['plan.json']?.digest;
  const text = digest === undefined ? undefined : records.artifact(digest);
  try {
    return text === undefined ? undefined : parsePlan(text).packages.find((planned) => planned.cpv === cpv);
  } catch {
    return undefined;
  }
}

function wordOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** What came into a list and what went: `+new`, `-old`. */
export function listChanges(before: readonly unknown[], after: readonly unknown[]): string[] {
  return [
    ...after.filter((word) => !before.includes(word)).map((word) => `+${wordOf(word)}`),
    ...before.filter((word) => !after.includes(word)).map((word) => `-${wordOf(word)}`),
  ];
}

function listChange(name: string, before: readonly string[], after: readonly string[]): string[] {
  const words = listChanges(before, after);
  return words.length === 0 ? [] : [`${name} ${words.join(' ')}`];
}

function fileNames(before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((name) => before[name] !== after[name])
    .sort();
}

/** What changed of a package between two plans, where `part` is the part of a plan's snapshot that holds it. */
export function changedPackages(records: Records, before: RunRecord, after: RunRecord, part: string): Change[] {
  const cpv = /^packages\/(.+)$/.exec(part)?.[1];
  if (cpv === undefined || !after.label.endsWith(':plan')) {
    return [];
  }
  const [old, current] = [packageIn(records, before, cpv), packageIn(records, after, cpv)];
  if (old === undefined || current === undefined) {
    return current === undefined ? [] : [{ kind: 'package', name: cpv, what: ['new in the plan'] }];
  }
  const what = [
    ...listChange('USE', old.use, current.use),
    ...(old.ebuild === current.ebuild ? [] : ['ebuild changed']),
    ...fileNames(old.eclasses, current.eclasses).map((name) => `${name}.eclass changed`),
    ...fileNames(old.files, current.files).map((name) => `files/${name} changed`),
    ...listChange(
      'distfiles',
      old.distfiles.map(({ name }) => name),
      current.distfiles.map(({ name }) => name),
    ),
    ...listChange('needs', old.needs, current.needs),
  ];
  return [{ kind: 'package', name: cpv, what: what.length > 0 ? what : ['its settings or patches changed'] }];
}
