// Runs lint and every test with a store and an Nx cache of their own, and ends with one line of sums.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const base = process.env.STRATA_TEST_FOLDER ?? '/var/tmp';
mkdirSync(base, { recursive: true });
const folder = mkdtempSync(join(base, 'strata-test-'));
const environment = {
  ...process.env,
  NX_DAEMON: 'false',
  NX_TUI: 'false',
  NX_CACHE_DIRECTORY: join(folder, 'nx-cache'),
  STRATA_STORE: join(folder, 'store'),
  STRATA_TEST_TOOLCHAINS: join(folder, 'toolchains.json'),
};

function run(title, command, words, extra = {}) {
  console.log(`\n== ${title}`);
  const start = Date.now();
  const { status } = spawnSync(command, words, { stdio: 'inherit', env: { ...environment, ...extra } });
  console.log(
    `== ${title}: ${status === 0 ? 'done' : `failed (${status})`}, ${Math.round((Date.now() - start) / 1000)} s`,
  );
  return status === 0;
}

let good = run('lint', 'npm', ['run', '--silent', 'lint']);
// the tests' actions run in the example's toolchains, which are made here, by this code
const toolchains = ['toolchain', 'vm-toolchain'];
// an OS that systemd starts, for the test of extensions
const others = ['kernel', 'debian-13', 'debian-initramfs'];
const projects = [...toolchains, ...others].join(',');
const nx = ['nx', 'run-many', '--targets=build', `--projects=${projects}`, '--outputStyle=stream'];
good = run('toolchains', 'npx', nx) && good;
const stacks = toolchains.map((name) => {
  const file = `dist/examples/ram-os/${name}/strata/build.json`;
  return [name, JSON.parse(readFileSync(file, 'utf8')).stack];
});
writeFileSync(environment.STRATA_TEST_TOOLCHAINS, JSON.stringify(Object.fromEntries(stacks)));

const jest = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];
// these say how soon something ends, or that nothing in the store changes meanwhile
const alone = '/(boot-test|interruption|mutations)\\.test\\.js$';
const workers = Math.min(availableParallelism(), 4);
const sums = { passed: 0, failed: 0, skipped: 0 };
for (const [title, options] of [
  ['tests', ['--testPathIgnorePatterns', '/node_modules/', alone, `--maxWorkers=${workers}`]],
  ['tests that run alone', ['--testPathIgnorePatterns', `^((?!${alone}).)*$`, '--runInBand']],
]) {
  const results = join(folder, 'results.json');
  rmSync(results, { force: true });
  const words = [
    ...jest,
    '--json',
    `--outputFile=${results}`,
    '--passWithNoTests',
    ...process.argv.slice(2),
    ...options,
  ];
  const isGood = run(title, process.execPath, words);
  const found = existsSync(results) ? JSON.parse(readFileSync(results, 'utf8')) : undefined;
  const failed = (found?.numFailedTests ?? 0) + (found?.numRuntimeErrorTestSuites ?? 0);
  sums.passed += found?.numPassedTests ?? 0;
  sums.skipped += (found?.numPendingTests ?? 0) + (found?.numTodoTests ?? 0);
  sums.failed += isGood ? failed : Math.max(failed, 1);
  good = isGood && good;
}
spawnSync(process.execPath, ['packages/nx-strata/dist/cli.js', 'store', 'clear'], { env: environment });
spawnSync('rm', ['-rf', folder]);
console.log(`\n${sums.passed} passed, ${Math.max(sums.failed, good ? 0 : 1)} failed, ${sums.skipped} skipped`);
process.exit(good ? 0 : 1);
