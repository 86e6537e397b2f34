import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './repository.js';
import { Workspace } from './rig.js';

const minutes = 60_000;

type Keys = Record<string, { key: string; known: boolean }>;

/** The keys that `strata keys` prints, started by a command line of one's own. */
function keysIn(
  workspace: Workspace,
  wrapper: readonly string[] = [],
  cli = 'node_modules/nx-strata/dist/cli.js',
): Keys {
  const words = [...wrapper, process.execPath, join(workspace.root, cli), 'keys', '--json'];
  const [command = '', ...rest] = words;
  const { status, stdout, stderr } = spawnSync(command, rest, { cwd: workspace.root, encoding: 'utf8' });
  if (status !== 0) {
    throw new Error(stderr);
  }
  return JSON.parse(stdout) as Keys;
}

function changed(before: Keys, after: Keys): string[] {
  return Object.keys({ ...before, ...after })
    .filter((label) => before[label]?.key !== after[label]?.key)
    .sort();
}

/** Installs copies of Strata's packages in a folder of the workspace, so that a test can change them. */
function copyStrata(workspace: Workspace, name: string): string {
  const modules = join(workspace.root, name, 'node_modules');
  mkdirSync(join(modules, '@strata'), { recursive: true });
  const installed = join(repositoryRoot, 'node_modules');
  for (const entry of readdirSync(installed)) {
    if (entry !== '@strata' && entry !== 'nx-strata') {
      symlinkSync(join(installed, entry), join(modules, entry));
    }
  }
  for (const entry of readdirSync(join(repositoryRoot, 'packages'))) {
    const target = join(modules, entry === 'nx-strata' ? entry : `@strata/${entry}`);
    cpSync(join(repositoryRoot, 'packages', entry), target, { recursive: true, verbatimSymlinks: true });
  }
  return modules;
}

describe('the keys of the example', () => {
  let workspace: Workspace;
  let keys: Keys;

  beforeAll(() => {
    workspace = new Workspace();
    keys = keysIn(workspace);
  }, 5 * minutes);

  afterAll(() => {
    workspace.dispose();
  });

  it('are those of every action', () => {
    expect(Object.keys(keys)).toEqual(
      expect.arrayContaining(['toolchain:build', 'base:plan', 'base:virtual/libc-1', 'tools:merge', 'ram-os:test']),
    );
  });

  it(
    'are the same in another folder, time zone, locale and umask, on one core, under another host name and home',
    () => {
      const other = new Workspace();
      try {
        const circumstances = [
          'env',
          'TZ=Asia/Tokyo',
          'LC_ALL=POSIX',
          'LANG=tr_TR.UTF-8',
          'UNDECLARED=value',
          'HOME=/',
        ];
        const shell = 'hostname elsewhere; umask 077; exec "$@"';
        const wrapper = [...circumstances, 'unshare', '--user', '--map-root-user', '--uts', 'sh', '-euc', shell, 'sh'];
        expect(changed(keys, keysIn(other, [...wrapper, 'taskset', '--cpu-list', '0']))).toEqual([]);
      } finally {
        other.dispose();
      }
    },
    5 * minutes,
  );

  it(
    'do not change with what Strata says, and change with what it runs inside',
    () => {
      const modules = copyStrata(workspace, 'copied');
      const cli = 'copied/node_modules/nx-strata/dist/cli.js';
      expect(changed(keys, keysIn(workspace, [], cli))).toEqual([]);
      const reporter = join(modules, 'nx-strata/dist/reporter.js');
      writeFileSync(reporter, readFileSync(reporter, 'utf8').replace('unchanged', 'as it was'));
      expect(changed(keys, keysIn(workspace, [], cli))).toEqual([]);
      appendFileSync(join(modules, '@strata/image/guest/squashfs.py'), '\n# other bytes\n');
      expect(changed(keys, keysIn(workspace, [], cli))).toEqual([
        'ram-os:build',
        'ram-os:test',
        'rescue:build',
        'rescue:test',
      ]);
    },
    5 * minutes,
  );

  it(
    'that wait for a toolchain are told of once, and are no failure',
    () => {
      const fresh = new Workspace('empty');
      try {
        const { status, output } = fresh.strata('keys');
        const lines = output.trimEnd().split('\n');
        expect([status, lines]).toEqual([0, expect.arrayContaining([expect.stringContaining('would run  base:plan')])]);
        expect(lines.filter((line) => !/^[0-9a-f]{12} {2}/.test(line))).toEqual([
          expect.stringMatching(/^notice: \d+ tasks have no keys yet: base:plan, tools:plan wait for toolchain:build$/),
          'hint: npx nx run-many -t plan -p base,tools',
        ]);
        expect(fresh.strata('why', 'tools:build')).toMatchObject({
          status: 0,
          output:
            'notice: tools:build has no key yet: base:plan waits for toolchain:build\nhint: npx nx run base:plan\n',
        });
      } finally {
        fresh.dispose();
      }
    },
    2 * minutes,
  );

  it.each([
    ['tools:app-misc/jq-1.7', /^error: .* runs no action\nhint: did you mean tools:app-misc\/jq-1\.7\.1\?\n$/],
    ['ram-os:boot', /^error: ram-os:boot is done whenever it is asked for/],
  ])('are of tasks and their actions, and of nothing else: %s', (subject, answer) => {
    const { status, output } = workspace.strata('why', subject);
    expect([status, output]).toEqual([1, expect.stringMatching(answer)]);
  });

  it(
    'are the same in two clones, and `why --against` finds no difference',
    () => {
      const other = new Workspace();
      try {
        expect(other.nx(['run', 'base:plan', '--outputStyle=static']).status).toBe(0);
        const exported = other.strata('runs', '--export');
        expect(exported.status).toBe(0);
        writeFileSync(join(workspace.root, 'run.json'), exported.output);
        const mistyped = workspace.strata('why', 'base:plan', '--against', 'rnu.json');
        expect([mistyped.status, mistyped.output]).toEqual([1, expect.stringMatching(/^error: there is no file rnu/)]);
        const same = workspace.strata('why', 'base:plan', '--against', 'run.json');
        expect(same.output).toContain('base:plan is the same there and here');
        workspace.append('os/repository/profiles/base/make.defaults', 'LDFLAGS="-Wl,-O1"\n');
        const { output } = workspace.strata('why', 'base:plan', '--against', 'run.json');
        expect(output).toMatch(/^os\/repository\/profiles\/base\/make\.defaults changed\n/);
      } finally {
        other.dispose();
      }
    },
    10 * minutes,
  );
});
