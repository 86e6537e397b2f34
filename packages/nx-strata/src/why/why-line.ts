import type { Action } from '@strata/sandbox';
import type { Records } from '../records/records.js';
import { formatChange, rootCauses } from './changes.js';
import { RunComparison } from './compare-runs.js';

/** One line that says why an action runs that ran before; undefined where it did not, or nothing is known. */
export async function whyLine(records: Records, task: string, action: Action): Promise<string | undefined> {
  const before = records.of(action.label).at(-1);
  if (before === undefined) {
    return undefined;
  }
  const causes = rootCauses(new RunComparison(records).compare(before, await records.describe(task, action)));
  const [first, ...others] = causes.map(formatChange);
  return first === undefined
    ? undefined
    : `because ${first}${others.length > 0 ? ` (and ${others.length} more: npx strata why ${action.label})` : ''}`;
}
