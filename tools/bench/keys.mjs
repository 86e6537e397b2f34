// Keys over an ebuild tree of 150,000 files, and for 200 layers that all use it: the first time, and with the index of the
// tree; beside `git status` and the plain hashing of every file. Needs nothing built.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { absolutePath, scanTree } from '@strata/fingerprint';
import { cachedTasks, evaluate, openWorkspace } from 'nx-strata/keys';
import { median } from './measure.mjs';

const runs = Number(process.env.RUNS ?? 5);
const packages = Number(process.env.PACKAGES ?? 18_750);
const layers = 200;
const own = import.meta.filename;

/** What a child of this script does; it says how long that took without the start of Node. */
const inChild = {
  async scan(root, indexFolder) {
    const options = {
      gitIgnored: 'exclude',
      ...(indexFolder === '' ? {} : { indexFolder: absolutePath(indexFolder) }),
    };
    const { manifest } = await scanTree(absolutePath(root), options);
    return manifest.digest;
  },
  async evaluate(root) {
    const { model, root: opened, store, broken } = await openWorkspace(root, new Map());
    const plans = cachedTasks(model).filter(({ target }) => target === 'plan');
    const { actions, errors } = await evaluate(model, opened, new Map(), plans, {
      store,
      signal: new AbortController().signal,
    });
    if (broken.length > 0 || errors.size > 0) {
      throw [...errors.values(), ...broken][0];
    }
    return [...actions.values()].filter(({ task }) => task.endsWith(':plan')).length;
  },
};

if (process.argv[2] in inChild) {
  const start = performance.now();
  const answer = await inChild[process.argv[2]](...process.argv.slice(3));
  console.log(
    JSON.stringify({ answer, seconds: (performance.now() - start) / 1000, peak: process.resourceUsage().maxRSS }),
  );
  process.exit();
}

const base = mkdtempSync('/var/tmp/strata-bench-');
const workspace = join(base, 'workspace');
const repository = join(workspace, 'main');
const store = join(base, 'store');
const indexFolder = join(base, 'index');

const write = (path, text) => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
};

/** Eight files for each package, of about the sizes that Gentoo's have. */
function makeRepository() {
  for (let number = 0; number < packages; number++) {
    const folder = join(repository, `category-${number % 170}/package-${number}`);
    const text = (name, size) => `# ${name} of ${number}\n`.padEnd(size, 'src_compile() { emake }\n');
    for (const version of [1, 2, 3, 4]) {
      write(
        join(folder, `package-${number}-${version}.ebuild`),
        text(`version ${version}`, 900 + ((number * 37) % 2000)),
      );
    }
    write(join(folder, 'Manifest'), text('Manifest', 1200));
    write(join(folder, 'metadata.xml'), text('metadata', 500));
    write(join(folder, 'files/init.d'), text('init.d', 700));
    write(join(folder, 'files/fix.patch'), text('patch', 1500));
  }
  write(join(repository, 'repository.yaml'), 'name: main\n');
}

function makeWorkspace() {
  write(
    join(workspace, 'nx.json'),
    '{ "plugins": [{ "plugin": "nx-strata", "options": { "toolchain": "toolchain" } }] }',
  );
  write(join(workspace, 'package.json'), '{ "name": "workspace", "private": true }');
  write(join(workspace, '.gitignore'), 'dist\nnode_modules\n*.tmp\n');
  cpSync(resolve(import.meta.dirname, '../../examples/ram-os/toolchain'), join(workspace, 'toolchain'), {
    recursive: true,
  });
  for (let layer = 0; layer < layers; layer++) {
    write(
      join(workspace, `layers/${layer}/layer.yaml`),
      `name: layer-${layer}\nfrom: scratch\nrepositories: [main]\nprofile: main:base\npackages: [category-0/package-${layer}]\n`,
    );
  }
  const git = (...words) =>
    execFileSync('git', ['-C', workspace, '-c', 'user.name=x', '-c', 'user.email=x@localhost', ...words]);
  git('init', '--quiet');
  // it would go on in the background
  git('config', 'gc.auto', '0');
  git('add', '--all');
  git('commit', '--quiet', '--message', 'x');
}

const child = (...words) => {
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, [own, ...words], {
    encoding: 'utf8',
    env: { ...process.env, STRATA_STORE: store },
  });
  if (status !== 0) {
    throw new Error(stderr);
  }
  return { ...JSON.parse(stdout), whole: (performance.now() - start) / 1000 };
};
const shell = (command) => {
  const start = performance.now();
  execFileSync('sh', ['-c', command], { cwd: repository });
  return (performance.now() - start) / 1000;
};

try {
  makeRepository();
  makeWorkspace();
  // what is younger than this may have to be read again
  await new Promise((done) => setTimeout(done, 2500));
  const times = {};
  const note = (name, seconds) => (times[name] ??= []).push(seconds);
  const digests = new Set();
  for (let run = 0; run < runs; run++) {
    rmSync(indexFolder, { recursive: true, force: true });
    rmSync(join(store, 'index'), { recursive: true, force: true });
    note('hash all', shell('find . -type f -print0 | xargs -0 sha256sum > /dev/null'));
    note('git status', shell('git status --porcelain'));
    const cold = child('scan', repository, indexFolder);
    const warm = child('scan', repository, indexFolder);
    note('cold scan', cold.seconds);
    note('warm scan', warm.seconds);
    digests
      .add(cold.answer)
      .add(warm.answer)
      .add(child('scan', repository, '').answer);
    note('cold keys', child('evaluate', workspace).seconds);
    const keys = child('evaluate', workspace);
    note('warm keys', keys.seconds);
    note('warm keys, whole process', keys.whole);
    if (keys.answer !== layers) {
      throw new Error(`${keys.answer} keys`);
    }
    note('git status', shell('git status --porcelain'));
    note('peak of warm keys in GB', keys.peak / 1e6);
  }
  if (digests.size !== 1) {
    throw new Error('the digests differ');
  }
  const medians = Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)]));
  for (const [name, seconds] of Object.entries(medians)) {
    console.log(`${name}: ${seconds.toFixed(2)}`);
  }
  const ratio = (title, first, second) =>
    console.log(`${title}: ratio ${(medians[first] / medians[second]).toFixed(2)} (${runs} runs)`);
  ratio('the first scan, against sha256sum of every file', 'cold scan', 'hash all');
  ratio('a warm scan, against sha256sum of every file', 'warm scan', 'hash all');
  ratio('a warm scan, against git status', 'warm scan', 'git status');
  ratio(`keys of ${layers} layers, against git status`, 'warm keys', 'git status');
  ratio(`keys of ${layers} layers, against the scan of their tree`, 'warm keys', 'warm scan');
  console.log(`${readFileSync('/proc/loadavg', 'utf8').trim()} load`);
} finally {
  rmSync(base, { recursive: true, force: true });
}
