#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { UserError } from '@strata/definitions';
import { formatComparison } from '@strata/image';
import { diff } from './diff/diff.js';
import { cachedTasks, evaluate } from './evaluate.js';
import { explain } from './explain.js';
import { findProject } from './find-project.js';
import { sortErrors } from './not-planned-yet.js';
import { openWorkspace } from './open-workspace.js';
import { prefixCommand } from './prefix-command.js';
import { storeCommand } from './sharing/store-command.js';
import { updateLock } from './update.js';
import { formatAnswer, why } from './why/why.js';
import { findWorkspaceRoot, scanWorkspace } from './workspace-root.js';

const usage = `strata: operating-system images as an Nx workspace

  strata update PROJECT...   move a lock file forward to what its suite has now
  strata keys                the key of every action, and which of them would run now
      --json                 for programs
  strata why PROJECT:TARGET  why it ran when it last did, or would run now
      --against RUN|FILE     compared with a recorded run, or with another machine's runs
      --json                 for programs
  strata diff A B            what differs between two layers or images: packages, files, sizes, modes
      --all                  every file
      --json                 for programs
                             A, B: a project (what its last build left), PROJECT@before (the build
                             before that), a copy of a build.json, the beginning of a digest or of a
                             run's key
  strata runs [LABEL]        the runs that are remembered
      --export               the last run of every action, as JSON for why --against FILE
  strata prefix shell NAME   a shell in the staging root of a prefix; what it changes is thrown away
  strata prefix emerge|ebuild|equery|portageq NAME WORD...
                             a tool of Portage's in there
  strata store status        what the store of this user holds, and the caches that it shares with
  strata store gc            remove what was not used for the longest time
      --keep SIZE            until it holds no more than that: 20GB
  strata store verify        read everything, and remove what is damaged
  strata store pull PROJECT  fetch what the project's build made elsewhere
  strata store push PROJECT  share all that the project is made of
  strata store clear         empty it
`;

async function update(names: readonly string[]): Promise<void> {
  if (names.length === 0) {
    throw new UserError('strata update needs a project', { hint: 'strata update PROJECT...' });
  }
  const root = findWorkspaceRoot(process.cwd());
  const workspace = scanWorkspace(root);
  for (const placed of names.map((name) => findProject(workspace, name))) {
    console.log(`${await updateLock(root, placed)} is what the suite has now`);
  }
}

/** Whether what is printed may have colours (no-color.org). */
function colours(): boolean {
  return process.stdout.isTTY && process.env['NO_COLOR'] === undefined;
}

async function answerWhy(
  words: readonly string[],
  options: { readonly against?: string | undefined; readonly json?: boolean | undefined },
): Promise<void> {
  const [subject] = words;
  if (subject === undefined) {
    throw new UserError('strata why needs a task', { hint: 'strata why PROJECT:TARGET' });
  }
  const { answers, notices } = await why({ subject, against: options.against });
  if (options.json === true) {
    console.log(JSON.stringify(answers, undefined, 2));
  } else {
    for (const found of answers) {
      console.log(formatAnswer(found, colours()).join('\n'));
    }
  }
  for (const line of notices) {
    console.error(line);
  }
}

async function answerDiff(
  words: readonly string[],
  options: { readonly all?: boolean | undefined; readonly json?: boolean | undefined },
): Promise<void> {
  const [before, after, more] = words;
  if (before === undefined || after === undefined || more !== undefined) {
    throw new UserError('strata diff compares two layers or images', { hint: 'strata diff A B' });
  }
  const difference = await diff([before, after], (line) => {
    console.error(line);
  });
  if (options.json === true) {
    console.log(JSON.stringify(difference, undefined, 2));
    return;
  }
  const lines = formatComparison(difference, { names: [before, after], all: options.all === true, colours: colours() });
  console.log(lines.join('\n'));
}

async function keys(asJson: boolean): Promise<void> {
  const { root, model, projects, store, records } = await openWorkspace();
  const options = { store, records, signal: new AbortController().signal };
  const { actions, errors } = await evaluate(model, root, projects, cachedTasks(model), options);
  if (asJson) {
    const entries = [...actions.values()].map(({ action, task, key, known }) => [action.label, { task, key, known }]);
    console.log(JSON.stringify(Object.fromEntries(entries), undefined, 2));
  } else {
    for (const { action, key, known } of actions.values()) {
      console.log(`${key.slice(7, 19)}  ${known ? 'done     ' : 'would run'}  ${action.label}`);
    }
  }
  const { notices, faults } = sortErrors(errors);
  for (const line of [...notices, ...faults.flatMap((fault) => explain(fault))]) {
    console.error(line);
  }
  process.exitCode = faults.length > 0 ? 1 : 0;
}

async function runs(words: readonly string[], everything: boolean): Promise<void> {
  const { records } = await openWorkspace();
  if (everything) {
    console.log(JSON.stringify(records.export()));
    return;
  }
  const [label] = words;
  const found = label === undefined ? records.all : records.of(label);
  if (label !== undefined && found.length === 0) {
    throw new UserError(`no run of ${label} is remembered`, { hint: 'strata runs lists all that are' });
  }
  for (const record of found) {
    const took = record.seconds === null ? '' : `  ${record.seconds} s`;
    console.log(`${record.key.slice(7, 19)}  ${record.time.slice(0, 19).replace('T', ' ')}  ${record.label}${took}`);
  }
}

function parse() {
  return parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      against: { type: 'string' },
      all: { type: 'boolean' },
      export: { type: 'boolean' },
      json: { type: 'boolean' },
      keep: { type: 'string' },
    },
  });
}

function parseWords(): ReturnType<typeof parse> {
  try {
    return parse();
  } catch (cause) {
    const [message = ''] = (cause as Error).message.split('. ');
    throw new UserError(`strata: ${message}`, { hint: 'see strata --help', cause });
  }
}

async function main(): Promise<void> {
  if (process.argv[2] === 'prefix') {
    // its words are the tool's, options included
    process.exitCode = await prefixCommand(process.argv.slice(3));
    return;
  }
  const { positionals, values } = parseWords();
  const [command, ...words] = positionals;
  if (values.help === true || command === undefined) {
    console.log(usage);
  } else if (command === 'update') {
    await update(words);
  } else if (command === 'keys') {
    await keys(values.json === true);
  } else if (command === 'why') {
    await answerWhy(words, values);
  } else if (command === 'diff') {
    await answerDiff(words, values);
  } else if (command === 'runs') {
    await runs(words, values.export === true);
  } else if (command === 'store') {
    await storeCommand(words, values);
  } else {
    throw new UserError(`strata has no command ${command}`, { hint: 'see strata --help' });
  }
}

try {
  await main();
} catch (error) {
  for (const line of explain(error)) {
    console.error(line);
  }
  process.exitCode = 1;
}
