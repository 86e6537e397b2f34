// Everything from the cache, against the same graph made of trivial cached targets.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { compare } from './measure.mjs';

const repository = resolve(import.meta.dirname, '../..');
const nx = join(repository, 'node_modules/.bin/nx');
const environment = { ...process.env, NX_DAEMON: 'false', NX_TUI: 'false' };
const run = (cwd, ...words) => {
  const { status, stdout, stderr } = spawnSync(nx, words, { cwd, env: environment, encoding: 'utf8' });
  if (status !== 0) {
    throw new Error(`${stdout}${stderr}`);
  }
  return stdout;
};

run(repository, 'run', 'ram-os:test');
const graphFile = join(mkdtempSync('/var/tmp/strata-bench-'), 'graph.json');
run(repository, 'run', 'ram-os:test', `--graph=${graphFile}`);
const { tasks } = JSON.parse((await import('node:fs')).readFileSync(graphFile, 'utf8'));
const trivial = mkdtempSync('/var/tmp/strata-bench-');
writeFileSync(join(trivial, 'nx.json'), '{ "analytics": false }');
writeFileSync(join(trivial, 'package.json'), '{ "name": "trivial", "private": true }');
writeFileSync(join(trivial, '.gitignore'), 'dist\nnode_modules\n.nx\n');
symlinkSync(join(repository, 'node_modules'), join(trivial, 'node_modules'));
spawnSync('git', ['init', '--quiet', trivial]);
const projects = {};
for (const id of Object.keys(tasks.tasks)) {
  const { project, target } = tasks.tasks[id].target;
  projects[project] ??= { name: project, targets: {} };
  projects[project].targets[target] = {
    command: `mkdir -p dist/${project} && echo ${id} > dist/${project}/${target}.json`,
    cache: true,
    inputs: ['{projectRoot}/**/*', { dependentTasksOutputFiles: '**/*.json' }, { externalDependencies: [] }],
    outputs: [`{workspaceRoot}/dist/${project}/${target}.json`],
    dependsOn: tasks.dependencies[id].map((dependency) => {
      const [name, ...rest] = dependency.split(':');
      return { projects: [name], target: rest.join(':') };
    }),
  };
}
for (const [name, project] of Object.entries(projects)) {
  mkdirSync(join(trivial, name));
  writeFileSync(join(trivial, name, 'project.json'), JSON.stringify(project));
}
run(trivial, 'run', 'ram-os:test');
await compare(
  'everything from the cache',
  7,
  () => run(repository, 'run', 'ram-os:test'),
  () => run(trivial, 'run', 'ram-os:test'),
);
rmSync(trivial, { recursive: true });
