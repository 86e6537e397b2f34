import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProjectConfiguration } from '@nx/devkit';
import { createNodes } from './plugin.js';

let root: string;

beforeEach(() => {
  root = mkdtempSync('/var/tmp/strata-plugin-');
  mkdirSync(join(root, 'os'));
  writeFileSync(join(root, 'nx.json'), '{}');
  writeFileSync(join(root, 'package.json'), '{ "name": "root" }');
  writeFileSync(join(root, 'os/repository.yaml'), 'name: main\n');
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

async function infer(files: readonly string[]): Promise<Partial<ProjectConfiguration>[]> {
  const results = await createNodes[1](files, {}, { nxJsonConfiguration: {}, workspaceRoot: root });
  return results.flatMap(([, { projects = {} }]) => Object.values(projects));
}

async function projectNames(): Promise<string[]> {
  return (await infer(['os/repository.yaml', 'package.json'])).flatMap(({ name }) => name ?? []);
}

function answerFile(): string {
  const folder = join(root, '.nx/workspace-data');
  const name = readdirSync(folder).find((entry) => entry === 'strata-projects.json');
  if (name === undefined) {
    throw new Error(`nothing is remembered in ${folder}`);
  }
  return join(folder, name);
}

test('what was inferred is taken again, and anew where a file of it changed', async () => {
  expect(await projectNames()).toEqual(['main']);
  const first = readFileSync(answerFile(), 'utf8');
  expect(await projectNames()).toEqual(['main']);
  expect(readFileSync(answerFile(), 'utf8')).toBe(first);
  writeFileSync(join(root, 'os/repository.yaml'), 'name: other\n');
  expect(await projectNames()).toEqual(['other']);
  expect((await infer(['os/repository.yaml']))[0]?.metadata?.description).toBeUndefined();
  // Nx lists no file that git ignores; this one gives the folder another name
  writeFileSync(join(root, 'os/project.json'), '{ "name": "third" }');
  expect((await infer(['os/repository.yaml']))[0]?.metadata?.description).toContain('broken');
});

test.each([
  ['truncated', (text: string) => text.slice(0, -20)],
  ['changed', (text: string) => text.replace('main', 'evil')],
  ['empty', () => ''],
])('an answer whose file is %s is asked for again', async (_, damage) => {
  expect(await projectNames()).toEqual(['main']);
  const whole = readFileSync(answerFile(), 'utf8');
  writeFileSync(answerFile(), damage(whole));
  expect(await projectNames()).toEqual(['main']);
  expect(readFileSync(answerFile(), 'utf8')).toBe(whole);
});
