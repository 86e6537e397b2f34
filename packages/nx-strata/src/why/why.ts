import { readFileSync } from 'node:fs';
import { styleText } from 'node:util';
import { suggest, UserError } from '@strata/definitions';
import { effects, evaluate, type EvaluatedAction } from '../evaluate.js';
import { findProject } from '../find-project.js';
import type { TargetName } from '../model.js';
import { sortErrors } from '../not-planned-yet.js';
import { openWorkspace, type OpenWorkspace } from '../open-workspace.js';
import type { Records } from '../records/records.js';
import { exportedRecordsSchema, type RunRecord } from '../records/run-record.js';
import { targetsOf } from '../task-inputs.js';
import { chainOf, formatChange, rootCauses, type Change } from './changes.js';
import { RunComparison } from './compare-runs.js';

/** Why one action ran, or would run now. */
export interface Answer {
  /** The action: `tools:merge`. */
  readonly label: string;
  readonly state: 'never ran' | 'would run' | 'ran' | 'the same';
  /** When it last ran, as ISO 8601. */
  readonly time: string | null;
  /** The run that it is compared with, by the beginning of its key. */
  readonly against: string | null;
  readonly causes: readonly Change[];
  readonly changes: readonly Change[];
}

/** Answers for the actions of a task. */
export interface Answers {
  readonly answers: readonly Answer[];
  /** Lines that say why there are none for some of them yet. */
  readonly notices: readonly string[];
}

/** How the question is put. */
export interface Question {
  /** `PROJECT:TARGET`, or an action's own label: `tools:app-misc/jq-1.7.1`. */
  readonly subject: string;
  /** The beginning of a recorded run's key, or a file that `strata runs --export` wrote. */
  readonly against?: string | undefined;
}

/** The task that a subject belongs to, so that its keys can be worked out. */
function taskOf(workspace: OpenWorkspace, subject: string): { project: string; target: TargetName } {
  const [project = '', ...words] = subject.split(':');
  const target = words.join(':');
  const targets = targetsOf(workspace.model, findProject(workspace, project));
  if (target.includes('/') && targets.includes('packages')) {
    return { project, target: 'packages' };
  }
  const found = targets.find((name) => name === target);
  if (found === undefined) {
    throw new UserError(
      target === '' ? `${project} is a project, and a task is asked for` : `${project} has no target ${target}`,
      { hint: `its tasks are ${targets.map((name) => `${project}:${name}`).join(', ')}` },
    );
  }
  if (effects.includes(found)) {
    throw new UserError(`${subject} is done whenever it is asked for: there is no reason to remember`, {
      hint: `ask for what it shows: npx strata why ${project}:build`,
    });
  }
  return { project, target: found };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function importAgainst(records: Records, against: string): readonly RunRecord[] | undefined {
  let text: string;
  try {
    text = readFileSync(against, 'utf8');
  } catch {
    return undefined;
  }
  const parsed = exportedRecordsSchema.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new UserError(`${against} holds no records of runs`, { hint: 'write it with: npx strata runs --export' });
  }
  records.import(parsed.data);
  return parsed.data.records;
}

function answer(
  records: Records,
  comparison: RunComparison,
  evaluated: EvaluatedAction,
  now: RunRecord,
  against: { readonly runs: readonly RunRecord[] | undefined; readonly key: string | undefined },
): Answer {
  const { label } = now;
  const runs = records.of(label);
  const explain = (state: Answer['state'], before: RunRecord | undefined, after: RunRecord): Answer => {
    const changes = before === undefined ? [] : comparison.compare(before, after);
    const time = runs.at(-1)?.time ?? null;
    return { label, state, time, against: before?.key.slice(7, 19) ?? null, causes: rootCauses(changes), changes };
  };
  if (against.runs !== undefined || against.key !== undefined) {
    const other =
      against.runs?.findLast((run) => run.label === label) ??
      runs.findLast(({ key }) => against.key !== undefined && key.slice(7).startsWith(against.key));
    return explain(other === undefined ? 'never ran' : other.key === now.key ? 'the same' : 'would run', other, now);
  }
  const last = runs.at(-1);
  if (last === undefined) {
    return explain('never ran', undefined, now);
  }
  if (last.key !== evaluated.key && !evaluated.known) {
    return explain('would run', last, now);
  }
  const current = runs.findLast(({ key }) => key === evaluated.key) ?? now;
  const before = runs.filter(({ time, key }) => time <= current.time && key !== current.key).at(-1);
  return explain('ran', before, current);
}

/** Answers why the actions of a task ran when they last did, or why they would run now. */
export async function why({ subject, against }: Question): Promise<Answers> {
  const workspace = await openWorkspace();
  const { root, model, projects, store, records } = workspace;
  const name = taskOf(workspace, subject);
  const { actions, errors } = await evaluate(model, root, projects, [name], {
    store,
    records,
    signal: new AbortController().signal,
  });
  const { notices, faults } = sortErrors(errors);
  for (const fault of faults) {
    throw fault;
  }
  const runs = against === undefined ? undefined : importAgainst(records, against);
  if (against !== undefined && runs === undefined && !records.all.some(({ key }) => key.slice(7).startsWith(against))) {
    throw new UserError(`there is no file ${against}, and no run whose key begins with that`, {
      hint: `see \`strata runs ${subject}\`; another machine's runs are a file of \`strata runs --export\``,
    });
  }
  const task = `${name.project}:${name.target}`;
  const mine = [...actions.values()].filter(({ action, task: asked }) =>
    subject === task
      ? // an extension's test is the tests on each of its images
        (asked === task || asked.startsWith(`${task}-`)) && action.label.startsWith(`${name.project}:`)
      : action.label === subject,
  );
  if (mine.length === 0 && notices.length === 0) {
    const labels = [...actions.keys()].filter((label) => label.startsWith(`${name.project}:`));
    const close = suggest(subject, labels);
    throw new UserError(`${subject} runs no action`, {
      hint:
        subject === task
          ? 'what is fetched is known by its digest: ask for what is made of it'
          : close === undefined
            ? `the actions of ${name.project} are ${labels.join(', ')}`
            : `did you mean ${close}?`,
    });
  }
  const described = new Map<string, RunRecord>();
  for (const evaluated of actions.values()) {
    const record = await records.describe(evaluated.task, evaluated.action, evaluated.outputs);
    described.set(record.label, record);
  }
  const comparison = new RunComparison(records, [...described.values()]);
  const answers = mine.flatMap((evaluated) => {
    const now = described.get(evaluated.action.label);
    const key = against !== undefined && runs === undefined ? against : undefined;
    return now === undefined ? [] : [answer(records, comparison, evaluated, now, { runs, key })];
  });
  return { answers, notices };
}

function ago(time: string): string {
  const minutes = Math.round((Date.now() - Date.parse(time)) / 60_000);
  return minutes < 1
    ? 'just now'
    : minutes < 60
      ? `${minutes} min ago`
      : minutes < 48 * 60
        ? `${Math.round(minutes / 60)} h ago`
        : `${Math.round(minutes / 60 / 24)} days ago`;
}

function verdict({ label, state, time, against }: Answer): string {
  switch (state) {
    case 'never ran':
      return against === null && time === null
        ? `${label} never ran on this machine: it would run for the first time`
        : `${label} has no such run to compare with`;
    case 'the same':
      return `${label} is the same there and here: nothing differs`;
    case 'would run':
      return `${label} would run now${time === null ? '' : `; it last ran ${ago(time)}`}`;
    case 'ran':
      return against === null
        ? `${label} ran ${ago(time ?? '')} for the first time, and would not run now`
        : `${label} ran ${ago(time ?? '')}, and would not run now`;
  }
}

/** Writes an answer for people: what it all comes from, then what follows from that. */
export function formatAnswer(found: Answer, colours: boolean): string[] {
  const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
    colours ? styleText(style, text, { validateStream: false }) : text;
  const causes = found.causes.flatMap((change) => [
    paint('bold', formatChange(change)),
    ...(change.kind === 'file' ? (change.lines ?? []) : []).map(
      (line) => `    ${line.startsWith('+') ? paint('green', line) : line.startsWith('-') ? paint('red', line) : line}`,
    ),
  ]);
  const chain = chainOf(found.changes).map(
    ({ depth, text }) => `  ${'  '.repeat(depth)}${paint('dim', `from ${text}`)}`,
  );
  return [...causes, `${causes.length > 0 ? 'so ' : ''}${verdict(found)}`, ...chain];
}
