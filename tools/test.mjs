// Runs lint and every test with a store and an Nx cache of their own, and ends with one line of sums.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
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

const results = join(folder, 'results.json');
const jest = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];
good = run('tests', process.execPath, [...jest, '--json', `--outputFile=${results}`, ...process.argv.slice(2)]) && good;
const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, numRuntimeErrorTestSuites } = JSON.parse(
  readFileSync(results, 'utf8'),
);
const failed =
  numFailedTests + numRuntimeErrorTestSuites + (good || numFailedTests + numRuntimeErrorTestSuites > 0 ? 0 : 1);
spawnSync(process.execPath, ['packages/nx-strata/dist/cli.js', 'store', 'clear'], { env: environment });
spawnSync('rm', ['-rf', folder]);
console.log(`\n${numPassedTests} passed, ${failed} failed, ${numPendingTests + numTodoTests} skipped`);
process.exit(good ? 0 : 1);
