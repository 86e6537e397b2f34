// Writes what is generated from the schemas: the JSON schemas for editors, and the README's reference of fields.
// With --check, only says whether that is up to date.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fieldReference, jsonSchema, kinds } from '../packages/definitions/dist/index.js';

const check = process.argv.includes('--check');
const outdated = [];

function put(file, text) {
  let current = '';
  try {
    current = readFileSync(file, 'utf8');
  } catch {
    // not there yet
  }
  if (current === text) {
    return;
  }
  outdated.push(file);
  if (!check) {
    writeFileSync(file, text);
  }
}

mkdirSync('packages/definitions/schemas', { recursive: true });
for (const kind of kinds) {
  put(`packages/definitions/schemas/${kind}.schema.json`, `${JSON.stringify(jsonSchema(kind), undefined, 2)}\n`);
}
const [start, end] = ['<!-- reference: written by tools/reference.mjs -->', '<!-- /reference -->'];
const readme = readFileSync('README.md', 'utf8');
const [before, rest] = readme.split(start);
put('README.md', `${before}${start}\n\n${fieldReference()}\n\n${end}${rest.split(end)[1]}`);
if (check && outdated.length > 0) {
  console.error(`error: ${outdated.join(', ')} do not fit the schemas\nhint: npm run reference`);
  process.exit(1);
}
