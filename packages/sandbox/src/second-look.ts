import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { absolutePath } from '@strata/fingerprint';
import type { Store } from '@strata/store';
import { ActionFailed } from './errors.js';
import { launchAction } from './launch-action.js';
import { launchCommand } from './launch.js';
import { prepare } from './prepare.js';
import type { Action } from './types.js';
import type { UndeclaredReads } from './undeclared.js';

/** In milliseconds: what fails later than that is not done again for a better message. */
const soon = 10_000;

/** In milliseconds: with its calls watched, an action of many small programs takes up to five times as long. */
const patience = 30_000;

/** A failed action, and what was noticed of it so far. */
export interface FailedRun {
  readonly store: Store;
  readonly action: Action;
  readonly reads: UndeclaredReads;
  readonly signal: AbortSignal | undefined;
}

/** Runs an action once more, for nothing but the paths that it looks up in vain. */
async function look({ store, action, reads, signal }: FailedRun): Promise<void> {
  const scratch = await store.scratch();
  try {
    const missedPaths = absolutePath(join(scratch.path, 'missed-paths'));
    // tokens that it holds when it is ended would be lost to all
    const alone: Action = { ...action, jobserver: undefined };
    const limit = AbortSignal.timeout(patience);
    const ends = signal === undefined ? limit : AbortSignal.any([signal, limit]);
    const { spec, refusedNames } = await prepare(store, alone, scratch.path, { missedPaths, signal: ends });
    await launchAction({
      label: action.label,
      command: await launchCommand(spec, scratch.path),
      log: absolutePath(join(scratch.path, 'log')),
      scratch: scratch.path,
      reads,
      refusedNames,
      signal: ends,
    }).catch(() => undefined);
    const missed = await readFile(missedPaths, 'utf8').catch(() => '');
    for (const line of missed.split('\n')) {
      if (line !== '') {
        reads.takeMissed(JSON.parse(line) as string);
      }
    }
  } finally {
    await scratch.dispose();
  }
}

/**
 * The error to show for one with which an action ended: with what a second look finds, where the action is worth that,
 * failed within ten seconds, and nothing was noticed that it asked for in vain. Throws the reason of the signal where
 * that is aborted.
 */
export async function withSecondLook(error: unknown, milliseconds: number, run: FailedRun): Promise<unknown> {
  if (!(error instanceof ActionFailed) || run.action.secondLook !== true || milliseconds > soon) {
    return error;
  }
  const { label, outcome, lastLines, log, report, undeclared } = error;
  if (undeclared.paths.length + undeclared.hosts.length > 0) {
    return error;
  }
  // it is for a better message only: the first one has to come out whatever happens
  await look(run).catch(() => undefined);
  run.signal?.throwIfAborted();
  return new ActionFailed(label, outcome, lastLines, log, report, run.reads.noticed);
}
