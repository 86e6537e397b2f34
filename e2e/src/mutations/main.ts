import { cases } from './cases.js';
import { prove, uncoveredFields, type Verdict } from './prove.js';
import { MutationWorkspace } from './workspace.js';

const [filter = ''] = process.argv.slice(2);
const workspace = new MutationWorkspace();
const verdicts: Verdict[] = [];
try {
  for await (const verdict of prove(
    workspace,
    cases.filter(({ name }) => name.includes(filter)),
  )) {
    verdicts.push(verdict);
    const { name, changed, right, wrong } = verdict;
    const shown =
      changed.length > 4 ? `${changed.slice(0, 4).join(' ')} and ${changed.length - 4} more` : changed.join(' ');
    console.log(`${right ? 'right' : 'WRONG'}  ${name.padEnd(72)}  ${shown === '' ? 'none' : shown}`);
    wrong.forEach((line) => {
      console.log(`       ${line}`);
    });
  }
} finally {
  workspace.dispose();
}
const uncovered = uncoveredFields();
uncovered.forEach((field) => {
  console.log(`WRONG  no case changes ${field}`);
});
const right = verdicts.filter((verdict) => verdict.right).length;
console.log(`\n${right} of ${verdicts.length} right, ${uncovered.length} fields without a case`);
process.exitCode = right === verdicts.length && uncovered.length === 0 ? 0 : 1;
