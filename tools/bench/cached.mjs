// Everything from the cache, in a workspace that has the plugin installed, against the same graph made of trivial cached
// targets; with Nx's daemon as on a desk, and without as in CI.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { compare } from './measure.mjs';

const repository = resolve(import.meta.dirname, '../..');
const modules = join(repository, 'node_modules');
const run = (cwd, daemon, ...words) => {
  const environment = { ...process.env, NX_DAEMON: String(daemon), NX_TUI: 'false' };
  const { status, stdout, stderr } = spawnSync(join(modules, '.bin/nx'), words, {
    cwd,
    env: environment,
    encoding: 'utf8',
  });
  if (status !== 0) {
    throw new Error(`${stdout}${stderr}`);
  }
  return stdout;
};
const makeWorkspace = (nx) => {
  const root = mkdtempSync('/var/tmp/strata-bench-');
  writeFileSync(join(root, 'nx.json'), JSON.stringify(nx));
  writeFileSync(join(root, 'package.json'), '{ "name": "bench", "private": true }\n');
  writeFileSync(join(root, '.gitignore'), 'dist\nnode_modules\n.nx\n');
  spawnSync('git', ['init', '--quiet', root]);
  mkdirSync(join(root, 'node_modules/@strata'), { recursive: true });
  return root;
};

// a plugin of the workspace itself has Nx read all projects twice, so it is copied as npm would install it
const { plugins } = JSON.parse(readFileSync(join(repository, 'nx.json'), 'utf8'));
const ours = makeWorkspace({ plugins, analytics: false });
cpSync(join(repository, 'examples'), join(ours, 'examples'), { recursive: true });
for (const name of readdirSync(join(repository, 'packages'))) {
  const folder = join(repository, 'packages', name);
  const { name: installed } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  cpSync(folder, join(ours, 'node_modules', installed), { recursive: true, verbatimSymlinks: true });
}
for (const name of readdirSync(modules).filter((entry) => !['@strata', 'nx-strata'].includes(entry))) {
  symlinkSync(join(modules, name), join(ours, 'node_modules', name));
}
run(ours, false, 'run', 'ram-os:test');
const graphFile = join(ours, 'dist/graph.json');
run(ours, false, 'run', 'ram-os:test', `--graph=${graphFile}`);
const { tasks } = JSON.parse(readFileSync(graphFile, 'utf8'));

const trivial = makeWorkspace({ analytics: false });
symlinkSync(join(modules, 'nx'), join(trivial, 'node_modules/nx'));
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
      const [name, ...rest] = dependency.id.split(':');
      return { projects: [name], target: rest.join(':') };
    }),
  };
}
for (const [name, project] of Object.entries(projects)) {
  mkdirSync(join(trivial, name));
  writeFileSync(join(trivial, name, 'project.json'), JSON.stringify(project));
}
for (const daemon of [true, false]) {
  const [first, second] = [ours, trivial].map((root) => () => run(root, daemon, 'run', 'ram-os:test'));
  first();
  second();
  await compare(`everything from the cache, ${daemon ? 'with' : 'without'} Nx's daemon`, 9, first, second);
}
for (const root of [ours, trivial]) {
  run(root, false, 'daemon', '--stop');
  rmSync(root, { recursive: true });
}
