// A layer of all the example's packages, clean, against bare emerge of them in the same toolchain; then one package appended,
// and one changed at the bottom with the same result.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { scanTree } from '@strata/fingerprint';
import { parsePlan, shimsFolder } from '@strata/portage';
import { openUserStore, runAction, scriptInput } from '@strata/sandbox';
import { portageScripts } from '../../packages/portage/dist/plan.js';
import { compare } from './measure.mjs';

const repository = resolve(import.meta.dirname, '../..');
const root = mkdtempSync('/var/tmp/strata-bench-');
const runs = Number(process.argv[2] ?? 3);
cpSync(join(repository, 'examples/ram-os'), join(root, 'os'), { recursive: true });
for (const name of ['nx.json', '.gitignore']) {
  cpSync(join(repository, name), join(root, name));
}
writeFileSync(join(root, 'package.json'), '{ "name": "bench", "private": true }\n');
symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'));
const all = [
  ...['sys-apps/baselayout', 'sys-apps/busybox', 'virtual/libc', 'app-arch/lz4', 'app-arch/xz-utils'],
  'app-misc/jq',
];
mkdirSync(join(root, 'os/all/etc-portage'), { recursive: true });
const define = (packages) =>
  writeFileSync(
    join(root, 'os/all/layer.yaml'),
    `from: scratch\nrepositories: [main]\nprofile: main:base\nportageConfig: etc-portage\npackages: [${packages.join(', ')}]\n`,
  );
// a variable that reaches every package, so that each run builds all of them
const configure = (number) => writeFileSync(join(root, 'os/all/etc-portage/make.conf'), `STRATA_BENCH="${number}"\n`);
spawnSync('git', ['init', '--quiet', root]);
const nx = (...words) => {
  const { status, stdout, stderr } = spawnSync(join(repository, 'node_modules/.bin/nx'), ['run', ...words], {
    cwd: root,
    env: { ...process.env, NX_DAEMON: 'false', NX_TUI: 'false', NX_CACHE_DIRECTORY: join(root, '.nx-cache') },
    encoding: 'utf8',
  });
  if (status !== 0) {
    throw new Error(`${stdout}${stderr}`);
  }
  return `${stdout}`;
};
/** The packages that were built; Nx shows again what a task of its cache printed when it ran. */
const built = (output) =>
  output
    .split(/^> nx run /m)
    .filter((task) => !/^\S+ +\[.*cache\]/.test(task))
    .flatMap((task) => [...task.matchAll(/^all:(\S+\/\S+) {2}runs, log in/gm)].map(([, name]) => name));

const store = await openUserStore();
define([...all, 'dev-lang/lua']);
configure('start');
nx('all:fetch');
const left = (project, target) =>
  JSON.parse(readFileSync(join(root, `dist/os/${project}/strata/${target}.json`), 'utf8'));
const { outputs } = left('all', 'plan');
const plan = parsePlan(await store.readText(outputs['plan.json']));
const distfiles = Object.entries(left('all', 'fetch').outputs);
const toolchain = left('toolchain', 'build').stack;
const bare = async (options) => {
  const action = {
    label: 'bench:emerge',
    toolchain,
    rootfs: { lower: [] },
    inputs: [
      scriptInput('emerge.py', join(import.meta.dirname, 'emerge.py')),
      ...portageScripts(await scanTree(shimsFolder, { gitIgnored: 'include' }), 'debian_packages.py'),
      {
        kind: 'tree',
        name: 'repository',
        tree: await scanTree(join(root, 'os/repository'), { gitIgnored: 'include' }),
      },
      {
        kind: 'tree',
        name: 'configuration',
        tree: await scanTree(join(root, 'os/all/etc-portage'), { gitIgnored: 'include' }),
      },
      {
        kind: 'text',
        name: 'spec.json',
        text: JSON.stringify({ profile: plan.profile, packages: plan.packages.map(({ cpv }) => cpv) }),
      },
      ...distfiles.map(([name, artifact]) => ({ kind: 'artifact', name: `distfiles/${name}`, artifact })),
    ],
    argv: ['python3', '-B', '/strata/in/bin/emerge.py'],
    hints: { STRATA_JOBS: String(availableParallelism()), BENCH_OPTIONS: options },
    outputs: { done: 'text/plain' },
  };
  await runAction(store, action, { force: true });
};
console.log(`${plan.packages.length} packages, ${availableParallelism()} cores`);
let number = 0;
const ours = () => {
  configure(`${Date.now()}-${number++}`);
  return built(nx('all:merge'));
};
await compare('clean, against emerge --jobs=1', runs, ours, () => bare('--jobs=1'));
await compare('clean, against emerge --jobs=4 --merge-wait-scope=none', runs, ours, () =>
  bare('--jobs=4 --merge-wait-scope=none'),
);
define(all);
ours();
await compare(
  'one package appended, against building all',
  1,
  () => {
    define([...all, 'dev-lang/lua']);
    console.log(`  built: ${built(nx('all:merge')).join(' ')}`);
  },
  ours,
);
const bottom = join(root, 'os/repository/sys-apps/baselayout/baselayout-1.ebuild');
writeFileSync(bottom, `${readFileSync(bottom, 'utf8')}\n# the same\n`);
await compare(
  'a comment at the bottom, against building all',
  1,
  () => console.log(`  built: ${built(nx('all:merge')).join(' ') || 'nothing'}`),
  ours,
);
rmSync(root, { recursive: true });
