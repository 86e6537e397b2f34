import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot, Workspace } from './rig.js';

const minutes = 60_000;

/** What reaches for something that its definition does not declare, and what the user reads about it. */
describe('an undeclared read', () => {
  let workspace: Workspace;

  beforeAll(() => {
    workspace = new Workspace();
    cpSync(join(repositoryRoot, 'e2e/repositories/proving'), join(workspace.root, 'os/proving'), { recursive: true });
    workspace.write('os/proving/repository.yaml', 'name: proving\nsource: { folder: . }\n');
    workspace.write('os/other-project/file', 'of another project\n');
  });

  afterAll(() => {
    workspace.dispose();
  });

  /** What a failing task says from the line `error:` to the line `hint:`. */
  const complaint = (task: string): string[] => {
    const { status, output } = workspace.nx(['run', task, '--outputStyle=static']);
    expect([status === 0, output]).toEqual([false, expect.stringMatching(/^error: /m)]);
    const lines = output.split('\n');
    expect(lines.filter((line) => /^\s+at |Traceback/.test(line))).toEqual([]);
    return lines.slice(
      lines.findIndex((line) => line.startsWith('error: ')),
      lines.findIndex((line) => line.startsWith('hint: ')) + 1,
    );
  };

  const layer = (more: string): void => {
    workspace.write('os/reading/layer.yaml', `name: reading\nfrom: scratch\nscripts: [read.sh]\n${more}`);
  };

  it(
    'of a script fails, and is told how to be declared; declared, it succeeds',
    () => {
      layer('');
      workspace.write('os/reading/read.sh', 'mkdir -p "$ROOT/etc"; cat ../other-project/file > "$ROOT/etc/copied"\n');
      const lines = complaint('reading:build');
      expect(lines[0]).toBe('error: reading:build: the script read.sh ended with status 1');
      expect(lines).toContain(
        '  | it asked for files of the workspace that it does not declare: os/other-project/file',
      );
      expect(lines.at(-1)).toMatch(
        /^hint: declare os\/other-project\/file under `trees` of the layer \(\{ source: \.\.\/other-project, target: … \}/,
      );
      workspace.write('os/reading/read.sh', '[ -f ../other-project/file ] || exit 1\n');
      expect(complaint('reading:build')).toContain(
        '  | it asked for files of the workspace that it does not declare: os/other-project/file',
      );
      layer('trees: [{ source: ../other-project, target: /srv/other }]\n');
      workspace.write('os/reading/read.sh', 'mkdir -p "$ROOT/etc"; cat "$ROOT/srv/other/file" > "$ROOT/etc/copied"\n');
      const { status, output } = workspace.nx(['run', 'reading:build', '--outputStyle=static']);
      expect([status, output]).toEqual([0, expect.stringContaining('reading:build')]);
    },
    4 * minutes,
  );

  it(
    'of a script that wants the machine or a network is told that it cannot be declared',
    () => {
      layer('');
      workspace.write(
        'os/reading/read.sh',
        `cat /etc/hostname '${workspace.root}/nx.json'; cp ~/.ssh/id_rsa .; getent hosts example.org; exit 1\n`,
      );
      const lines = complaint('reading:build');
      expect(lines).toEqual(
        expect.arrayContaining([
          '  | it asked for files of the workspace that it does not declare: nx.json',
          '  | it asked for files of this machine, which no action sees: /etc/hostname, ~/.ssh/id_rsa',
          '  | it asked for hosts, and no action has a network: example.org',
        ]),
      );
      expect(lines.at(-1)).toContain('`from: { tarball, digest }`');
      expect(lines.at(-1)).toContain('files of this machine cannot be declared');
    },
    4 * minutes,
  );

  it(
    'of an ebuild is told where its package declares files and downloads',
    () => {
      const compile = (...lines: readonly string[]): void => {
        const head = ['EAPI=8', 'DESCRIPTION="bad"', 'SLOT="0"', 'LICENSE="MIT"', 'KEYWORDS="amd64"', 'S="${WORKDIR}"'];
        workspace.write(
          'os/proving/app-misc/reaching/reaching-1.ebuild',
          [...head, 'src_compile() {', ...lines, '}', ''].join('\n'),
        );
      };
      compile(
        ...['cp ~/.ssh/id_rsa .', `cp '${workspace.root}/os/other-project/file' .`],
        'wget -q http://example.org/x || die "no download"',
      );
      workspace.write(
        'os/reaching/layer.yaml',
        'name: reaching\nfrom: scratch\nrepositories: [main, proving]\nprofile: main:base\npackages: [app-misc/reaching]\n',
      );
      const lines = complaint('reaching:build');
      expect(lines[0]).toMatch(/^error: reaching:\S+: app-misc\/reaching-1 failed in its compile phase$/);
      expect(lines).toEqual(
        expect.arrayContaining([
          '  | it asked for files of the workspace that it does not declare: os/other-project/file',
          '  | it asked for files of this machine, which no action sees: ~/.ssh/id_rsa',
          '  | it asked for hosts, and no action has a network: example.org',
        ]),
      );
      expect(lines.at(-1)).toMatch(/^hint: put os\/other-project\/file into the package's `files\/`/);
      expect(lines.at(-1)).toContain('SRC_URI');
      compile('[[ -f ../other-project/file ]] || die');
      expect(complaint('reaching:build')).toContain(
        '  | it asked for files of the workspace that it does not declare: os/other-project/file',
      );
    },
    4 * minutes,
  );
});
