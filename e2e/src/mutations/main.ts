import { cases } from './cases.js';
import { prove, uncoveredFields, type Verdict } from './prove.js';

const [filter = ''] = process.argv.slice(2);
const verdicts: Verdict[] = [];

function show(verdict: Verdict): void {
  verdicts.push(verdict);
  const { name, changed, right, wrong } = verdict;
  const more = changed.length > 4 ? ` and ${changed.length - 4} more` : '';
  const shown = changed.length === 0 ? 'none' : `${changed.slice(0, 4).join(' ')}${more}`;
  console.log(`${right ? 'right' : 'WRONG'}  ${name.padEnd(72)}  ${shown}`);
  wrong.forEach((line) => {
    console.log(`       ${line}`);
  });
}

await prove(
  cases.filter(({ name }) => name.includes(filter)),
  show,
);
const uncovered = uncoveredFields();
uncovered.forEach((field) => {
  console.log(`WRONG  no case changes ${field}`);
});
const right = verdicts.filter((verdict) => verdict.right).length;
console.log(`\n${right} of ${verdicts.length} right, ${uncovered.length} fields without a case`);
process.exitCode = right === verdicts.length && uncovered.length === 0 ? 0 : 1;
