import { availableParallelism } from 'node:os';
import { fieldPaths, kinds } from '@strata/definitions';
import { cachedTasks, evaluate, openWorkspace, type Evaluation } from 'nx-strata/keys';
import type { Case } from './case.js';
import { cases } from './cases.js';
import { withFollowers } from './graph.js';
import { MutationWorkspace } from './workspace.js';

/** What became of a case. */
export interface Verdict {
  readonly name: string;
  /** Actions whose key changed, packages without their versions. */
  readonly changed: readonly string[];
  readonly right: boolean;
  /** What is wrong, a line each. */
  readonly wrong: readonly string[];
}

/** Packages are named without versions, so that an example that moves on needs no other expectations. */
function named(label: string): string {
  return label.replace(/-\d[\w.]*(-r\d+)?$/, '');
}

const site = {
  name: 'site',
  type: 'lib' as const,
  data: { root: 'site', targets: { build: { outputs: ['{projectRoot}/dist'] } } },
};

/** The keys of a workspace, and the projects whose definitions are broken. */
export interface Keys extends Evaluation {
  readonly broken: ReadonlySet<string>;
}

/** Works out the keys of a workspace, all of them in this process. */
export async function keysOf(workspace: MutationWorkspace, before?: Evaluation): Promise<Keys> {
  const { model, root, store, broken } = await openWorkspace(workspace.root, new Map([['site', site]]));
  const options = { store, signal: new AbortController().signal, before, comparing: before !== undefined };
  const evaluation = await evaluate(model, root, new Map([['site', site]]), cachedTasks(model), options);
  return { ...evaluation, broken: new Set(broken.map(({ name }) => name)) };
}

/** The actions whose keys differ between two evaluations. */
export function changedActions(before: Evaluation, after: Evaluation): string[] {
  const labels = new Set([...before.actions.keys(), ...after.actions.keys()]);
  const changed = [...labels].filter((label) => before.actions.get(label)?.key !== after.actions.get(label)?.key);
  return [...new Set(changed.map(named))].sort();
}

/** Whether a task, or the one that an action belongs to, refuses to go on. */
function isRefused(label: string, { errors, broken }: Keys): boolean {
  const project = label.slice(0, label.indexOf(':'));
  return broken.has(project) || errors.has(label) || errors.has(`${project}:packages`);
}

function verdictOf({ name, changes, refuses = [] }: Case, before: Keys, after: Keys): Verdict {
  const there = new Set([...after.actions.keys()].map(named));
  // what is refused, and what stands on it, has no key any more
  const changed = changedActions(before, after).filter((label) => there.has(label) || changes.includes(label));
  const expected = withFollowers(changes).filter((label) => changed.includes(label) || !isRefused(label, after));
  const failed = [...after.errors.keys()].filter((task) => !before.errors.has(task));
  const wrong = [
    ...expected.filter((label) => !changed.includes(label)).map((label) => `stale: ${label} keeps its key`),
    ...changed.filter((label) => !expected.includes(label)).map((label) => `for nothing: ${label} changes its key`),
    ...refuses.filter((task) => !isRefused(task, after)).map((task) => `${task} does not refuse it`),
    ...(refuses.length > 0 ? [] : failed.map((task) => `${task} fails: ${String(after.errors.get(task))}`)),
  ];
  return { name, changed, right: wrong.length === 0, wrong };
}

/** Fields of definitions that no case covers. */
export function uncoveredFields(): string[] {
  const covered = new Set(cases.map(({ field }) => field));
  return kinds
    .flatMap((kind) => fieldPaths(kind).map((path) => `${kind}: ${path}`))
    .filter((path) => !covered.has(path));
}

async function proveSome(queue: Case[], onVerdict: (verdict: Verdict) => void): Promise<Evaluation> {
  const workspace = new MutationWorkspace();
  try {
    const before = await keysOf(workspace);
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      one.apply(workspace);
      onVerdict(verdictOf(one, before, await keysOf(workspace, before)));
      workspace.reset();
    }
    return before;
  } finally {
    workspace.dispose();
  }
}

/**
 * Goes through cases, each from the same state of a workspace, in as many workspaces as there are cores; those lie in
 * different folders, and so have to have the same keys.
 */
export async function prove(chosen: readonly Case[], onVerdict: (verdict: Verdict) => void): Promise<void> {
  const queue = [...chosen];
  const workers = Array.from({ length: Math.min(availableParallelism(), 4) }, () => proveSome(queue, onVerdict));
  const [first, ...others] = await Promise.all(workers);
  for (const other of others) {
    const changed = first === undefined ? [] : changedActions(first, other);
    const wrong = changed.map((label) => `for nothing: ${label} has another key`);
    onVerdict({ name: 'another folder', changed, right: wrong.length === 0, wrong });
  }
}
