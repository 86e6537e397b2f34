import { UserError } from '@strata/definitions';
import { ActionFailed, InputChanged } from '@strata/sandbox';
import { storeRoot } from '@strata/store';

/** Whether something failed, however far below, since there was no more room: the message above would mislead. */
function isFull(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; { cause } = cause) {
    const { code } = cause as { readonly code?: unknown };
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      return true;
    }
  }
  return false;
}

/** The lines that tell a user why something failed. Anything that is no mistake of the user keeps its stack trace. */
export function explain(error: unknown): string[] {
  if (isFull(error)) {
    return new UserError(`the file system of ${storeRoot(process.env)} is full`, {
      hint: 'free some space there, run `strata store clear`, or set STRATA_STORE to a folder with more room',
    }).lines;
  }
  if (error instanceof UserError) {
    return error.lines;
  }
  if (error instanceof ActionFailed) {
    const { report, lastLines, log, label, outcome } = error;
    return report === undefined
      ? [
          `error: ${label} failed (${outcome})`,
          ...lastLines.map((line) => `  | ${line}`),
          `hint: the full log is ${log}`,
        ]
      : [
          `error: ${label}: ${report.message}`,
          ...(report.details ?? []).map((line) => `  | ${line}`),
          `hint: ${report.hint ?? 'see its log'} (the full log is ${log})`,
        ];
  }
  if (error instanceof InputChanged) {
    return [`error: ${error.message}`, 'hint: run it again, and leave its inputs alone meanwhile'];
  }
  if (error instanceof Error && error.name === 'AbortError') {
    return ['interrupted'];
  }
  return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
}
