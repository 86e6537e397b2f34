import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Workspace } from './rig.js';
import { leftAfterTwoSeconds, type ProcessOfMachine, type Running } from './running.js';

const minutes = 60_000;

// the store outlives a run of this test: what it builds has to be new each time
let count = 0;
const unique = (): string => `${process.pid}-${Date.now()}-${count++}`;

/** How long the slow parts take, in words of `sleep` that no other process has. */
const slowness = `3.${process.pid}`;

const script = (): string => `sleep ${slowness}\necho ${unique()} > "$ROOT/made"\n`;

const ebuild = (): string => `EAPI=8
DESCRIPTION="Slow ${unique()}"
HOMEPAGE="https://example.org/"
LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"
S="\${WORKDIR}"
src_compile() { sleep ${slowness}; }
src_install() { dodir /usr/share/slow; }
`;

/** Serves a tarball; the first answer stops in the middle. */
class StallingServer {
  readonly content: Buffer;
  answers = 0;
  readonly #server: Server;

  constructor() {
    const made = spawnSync('sh', ['-c', `cd "$(mktemp -d)"; echo ${unique()} > file; tar -c file; rm -r "$PWD"`]);
    this.content = made.stdout;
    this.#server = createServer((request, response) => {
      const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const rest = this.content.subarray(start);
      response.writeHead(start > 0 ? 206 : 200, { 'content-length': rest.length });
      if (this.answers++ === 0) {
        response.write(rest.subarray(0, 4096));
      } else {
        response.end(rest);
      }
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/slow.tar`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

const projects = ['vm-toolchain', 'toolchain', 'kernel', 'initramfs', 'repository'];

const definitions = {
  'os/slow/layer.yaml': 'from: scratch\ntoolchain: vm-toolchain\nscripts: [slow.sh]\n',
  'os/slow/slow.sh': script(),
  'os/programs/layer.yaml':
    'from: scratch\nrepositories: [main]\nprofile: main:base\npackages: [app-misc/slow]\ntoolchain: toolchain\n',
  'os/repository/app-misc/slow/slow-1.ebuild': ebuild(),
  'os/machine/image.yaml': `layers: [slow]
kernel: kernel
initramfs: initramfs
kernelCommandLine: [quiet, "${unique()}"]
test: { steps: [{ expect: "strata: " }] }
`,
};

describe('what is interrupted', () => {
  let workspace: Workspace;
  const server = new StallingServer();

  beforeAll(async () => {
    const digest = createHash('sha256').update(server.content).digest('hex');
    workspace = new Workspace('shared', {
      projects,
      files: {
        ...definitions,
        'os/fetched/layer.yaml': `from: { tarball: "${await server.listen()}", digest: "sha256:${digest}" }\ntoolchain: vm-toolchain\n`,
      },
    });
    const { status, output } = workspace.nx([
      'run-many',
      '--targets=build',
      '--projects=toolchain,vm-toolchain,initramfs',
    ]);
    expect([status, output]).toEqual([0, expect.anything()]);
  }, 5 * minutes);

  afterAll(() => {
    server.close();
    workspace.dispose();
  });

  const outputOf = (project: string, target: string): string =>
    join(workspace.root, 'dist/os', project, 'strata', `${target}.json`);

  const start = (...words: string[]): Running => workspace.start(['run', ...words, '--outputStyle=stream']);

  /** Whether a task runs to its end now, with nobody in its way. */
  const runsAgain = async (project: string, target: string): Promise<void> => {
    const nx = start(`${project}:${target}`);
    expect([await nx.end(), nx.output]).toEqual([0, expect.anything()]);
    expect(existsSync(outputOf(project, target))).toBe(true);
  };

  const phases: [string, string, (nx: Running) => Promise<ProcessOfMachine[]>][] = [
    ['programs', 'plan', (nx) => nx.says(/programs:plan {2}runs, log in/)],
    ['fetched', 'fetch', (nx) => nx.says(/fetched:fetch .*fetch/)],
    ['programs', 'packages', (nx) => nx.until(`sleep ${slowness}`)],
    ['programs', 'merge', (nx) => nx.says(/programs:merge {2}runs, log in/)],
    ['slow', 'build', (nx) => nx.until(`sleep ${slowness}`)],
    ['machine', 'test', (nx) => nx.until('qemu-system')],
  ];

  it.each(phases)(
    'by Ctrl-C, %s:%s ends with everything below it, and the next run succeeds',
    async (project, target, running) => {
      const nx = start(`${project}:${target}`);
      const processes = await running(nx);
      nx.interrupt();
      expect(await leftAfterTwoSeconds(processes)).toEqual([]);
      expect(await nx.end()).not.toBe(0);
      expect(nx.output).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
      expect(existsSync(outputOf(project, target))).toBe(false);
      await runsAgain(project, target);
    },
    2 * minutes,
  );

  it(
    'from its leaves up, as Nx’s terminal interface does it, records nothing that is half made',
    async () => {
      workspace.write('os/slow/slow.sh', `sleep ${slowness} || true\n${script()}`);
      workspace.remove('dist');
      const nx = start('slow:build');
      const processes = await nx.until(`sleep ${slowness}`);
      const executor = processes.find(({ command }) => command.includes('run-executor'));
      const below = processes.filter(({ id, parent }) => id === executor?.id || parent === executor?.id);
      for (const { id } of below) {
        below.push(...processes.filter((one) => one.parent === id && !below.includes(one)));
      }
      for (const { id } of below.filter((one) => !processes.some(({ parent }) => parent === one.id))) {
        try {
          process.kill(id, 'SIGTERM');
        } catch (error) {
          // it may have ended with one that was signalled just before
          if ((error as NodeJS.ErrnoException).code !== 'ESRCH') {
            throw error;
          }
        }
      }
      expect(await leftAfterTwoSeconds(below)).toEqual([]);
      expect(await nx.end()).toBe(1);
      expect(nx.output).toContain('interrupted');
      expect(existsSync(outputOf('slow', 'build'))).toBe(false);
      await runsAgain('slow', 'build');
    },
    2 * minutes,
  );

  it.each([
    ['Nx', (nx: Running) => nx.id],
    ['an executor', (nx: Running) => nx.processes().find(({ command }) => command.includes('run-executor'))?.id],
  ])(
    'by a SIGKILL of %s ends with everything below, and the next run succeeds',
    async (_, victim) => {
      workspace.write('os/slow/slow.sh', script());
      workspace.remove('dist');
      const nx = start('slow:build');
      const processes = await nx.until(`sleep ${slowness}`);
      process.kill(victim(nx) ?? 0, 'SIGKILL');
      const below = processes.filter(({ command }) => /run-executor|launch\.py|bwrap|sleep/.test(command));
      expect(below.length).toBeGreaterThan(2);
      expect(await leftAfterTwoSeconds(below)).toEqual([]);
      expect(await nx.end()).not.toBe(0);
      expect(existsSync(outputOf('slow', 'build'))).toBe(false);
      await runsAgain('slow', 'build');
    },
    2 * minutes,
  );
});

describe('what finds no room', () => {
  it(
    'names the full file system, and the next run succeeds',
    () => {
      const content = unique().repeat(1 << 19);
      const digest = createHash('sha256').update(content).digest('hex');
      const workspace = new Workspace('shared', {
        projects: ['vm-toolchain'],
        files: {
          'os/big/big.tar': content,
          'os/big/layer.yaml': `from: { tarball: big.tar, digest: "sha256:${digest}" }\ntoolchain: vm-toolchain\n`,
        },
      });
      try {
        const fetch = ['run', 'big:fetch', '--outputStyle=static'];
        const { status, output } = workspace.nxOnSmallDisk(fetch, '4m');
        expect(status).toBe(1);
        expect(output).toMatch(/^error: the file system of \S+\/small-disk is full\nhint: free some space there/m);
        expect(output).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
        expect(workspace.nx(fetch).status).toBe(0);
      } finally {
        workspace.dispose();
      }
    },
    minutes,
  );
});

describe('what is asked for several times at once', () => {
  it(
    'runs once, in one workspace and in two clones',
    async () => {
      const files = { ...definitions, 'os/slow/slow.sh': script() };
      const [one, other] = [new Workspace('shared', { projects, files }), new Workspace('shared', { projects, files })];
      try {
        const runs = [one, one, other].map((clone) => clone.start(['run', 'slow:build', '--outputStyle=stream']));
        expect(await Promise.all(runs.map((nx) => nx.end()))).toEqual([0, 0, 0]);
        const started = runs.map((nx) => [...nx.output.matchAll(/slow:build {2}runs, log in/g)].length);
        expect(started.reduce((sum, one) => sum + one)).toBe(1);
        expect(other.read('dist/os/slow/strata/build.json')).toBe(one.read('dist/os/slow/strata/build.json'));
      } finally {
        one.dispose();
        other.dispose();
      }
    },
    2 * minutes,
  );
});
