#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { UserError } from '@strata/definitions';
import { formatBytes } from '@strata/image';
import { openUserStore } from '@strata/sandbox';
import { explain } from './explain.js';
import { updateLock } from './update.js';
import { findWorkspaceRoot, scanWorkspace } from './workspace-root.js';

const usage = `strata: operating-system images as an Nx workspace

  strata update PROJECT...   move a lock file forward to what its suite has now
  strata store status        what the store of this user holds
  strata store clear         empty it
`;

async function update(names: readonly string[]): Promise<void> {
  if (names.length === 0) {
    throw new UserError('strata update needs a project', { hint: 'strata update PROJECT...' });
  }
  const root = findWorkspaceRoot(process.cwd());
  const { good, broken } = await scanWorkspace(root);
  for (const name of names) {
    const placed = good.find((candidate) => candidate.name === name);
    const problems = broken.find((candidate) => candidate.name === name)?.problems;
    if (placed === undefined) {
      throw (
        problems?.[0] ??
        new UserError(`there is no project ${name} of Strata's`, {
          hint: `there are ${good.map((one) => one.name).join(', ')}`,
        })
      );
    }
    console.log(`${await updateLock(root, placed)} is what the suite has now`);
  }
}

async function store(words: readonly string[]): Promise<void> {
  const opened = await openUserStore();
  switch (words[0]) {
    case 'status': {
      const { artifacts, actions, trees } = await opened.status();
      console.log(opened.root);
      console.log(`  ${artifacts.count} artifacts, ${formatBytes(artifacts.bytes)}`);
      console.log(`  ${actions.count} actions`);
      console.log(`  ${trees.count} unpacked trees`);
      break;
    }
    case 'clear':
      await opened.clear();
      console.log(`${opened.root} is empty`);
      break;
    default:
      throw new UserError(`strata store cannot ${words[0] ?? 'do nothing'}`, {
        hint: 'strata store status, strata store clear',
      });
  }
}

try {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { help: { type: 'boolean', short: 'h' } },
  });
  const [command, ...words] = positionals;
  if (values.help === true || command === undefined) {
    console.log(usage);
  } else if (command === 'update') {
    await update(words);
  } else if (command === 'store') {
    await store(words);
  } else {
    throw new UserError(`strata has no command ${command}`, { hint: 'see strata --help' });
  }
} catch (error) {
  for (const line of explain(error)) {
    console.error(line);
  }
  process.exitCode = 1;
}
