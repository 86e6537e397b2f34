import { UserError } from '@strata/definitions';
import type { AbsolutePath } from '@strata/fingerprint';
import { ActionFailed } from './errors.js';

const hint =
  'free some space there, run `strata store clear`, or set STRATA_STORE to a folder with more room ' +
  '(/tmp, /var/tmp and /run of an action are in memory)';

function isFull(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown };
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** The error to show for one that a full disk may have caused, whether it struck the action or Strata itself. */
export function explainFullDisk(error: unknown, folder: AbsolutePath): unknown {
  if (error instanceof ActionFailed) {
    const { label, lastLines, report } = error;
    return report === undefined && lastLines.some((line) => /No space left on device|Disk quota exceeded/.test(line))
      ? new UserError(`${label} ran out of space in ${folder}`, { details: lastLines.slice(-5), hint, cause: error })
      : error;
  }
  return isFull(error) ? new UserError(`the file system of ${folder} is full`, { hint, cause: error }) : error;
}
