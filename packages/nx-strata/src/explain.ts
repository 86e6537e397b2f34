import { dirname } from 'node:path';
import { UserError } from '@strata/definitions';
import { ActionFailed, InputChanged } from '@strata/sandbox';
import { storeRoot } from '@strata/store';
import { explainUndeclared, type FailedTask } from './explain-undeclared.js';

/**
 * The folder without more room, where something failed for that, however far below: the message above would mislead.
 * The store is named as a whole. Writing into an open file does not say where that is: almost all goes into the store.
 */
function fullFolder(error: unknown): string | undefined {
  for (let cause = error; typeof cause === 'object' && cause !== null;) {
    const { code, dest, cause: deeper } = cause as Record<'code' | 'dest' | 'cause', unknown>;
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      const store = storeRoot(process.env);
      return typeof dest === 'string' && !dest.startsWith(`${store}/`) ? dirname(dest) : store;
    }
    cause = deeper;
  }
  return undefined;
}

function explainAction(error: ActionFailed, task: FailedTask | undefined): string[] {
  const { report, lastLines, log, label, outcome, undeclared } = error;
  const help = explainUndeclared(undeclared, task);
  const details = [...(report === undefined ? lastLines : (report.details ?? [])), ...(help?.details ?? [])];
  const hints = [help?.hint, report?.hint].filter((hint) => hint !== undefined).join('; else ');
  return [
    report === undefined ? `error: ${label} failed (${outcome})` : `error: ${label}: ${report.message}`,
    ...details.map((line) => `  | ${line}`),
    hints === '' ? `hint: the full log is ${log}` : `hint: ${hints} (the full log is ${log})`,
  ];
}

/**
 * The lines that tell a user why something failed. Anything that is no mistake of the user keeps its stack trace.
 *
 * @param task what failed, where that is known: for hints that name a field of its definition
 */
export function explain(error: unknown, task?: FailedTask): string[] {
  const full = fullFolder(error);
  if (full !== undefined) {
    return new UserError(`the file system of ${full} is full`, {
      hint:
        full === storeRoot(process.env)
          ? 'free some space there, run `strata store clear`, or set STRATA_STORE to a folder with more room'
          : 'free some space there',
    }).lines;
  }
  if (error instanceof UserError) {
    return error.lines;
  }
  if (error instanceof ActionFailed) {
    return explainAction(error, task);
  }
  if (error instanceof InputChanged) {
    return [`error: ${error.message}`, 'hint: run it again, and leave its inputs alone meanwhile'];
  }
  if ((error as { readonly code?: unknown }).code?.toString().startsWith('ERR_PARSE_ARGS') === true) {
    return [`error: ${(error as Error).message.split('\n')[0] ?? ''}`, 'hint: see strata --help'];
  }
  if (error instanceof Error && error.name === 'AbortError') {
    return ['interrupted'];
  }
  return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
}
