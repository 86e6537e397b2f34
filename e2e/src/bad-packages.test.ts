import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot, Workspace } from './rig.js';

const minutes = 60_000;

/** Mistakes in packages and their settings, which a user reads about in one line and a hint. */
describe('bad packages', () => {
  let workspace: Workspace;
  let elsewhere: string;

  const write = (name: string, packages: string, more = ''): void => {
    workspace.write(
      `os/${name}/layer.yaml`,
      `name: ${name}\nfrom: scratch\nrepositories: [main, proving]\nprofile: main:base\npackages: [${packages}]\n${more}`,
    );
  };

  const ebuild = (name: string, ...lines: readonly string[]): void => {
    workspace.write(
      `os/proving/app-misc/${name}/${name}-1.ebuild`,
      ['EAPI=8', 'DESCRIPTION="bad"', 'SLOT="0"', 'LICENSE="MIT"', 'KEYWORDS="amd64"', ...lines, ''].join('\n'),
    );
  };

  /** What a failing task says, from the line `error:` to the line `hint:`. */
  const complaint = (task: string): string[] => {
    const { status, output } = workspace.nx(['run', task, '--outputStyle=static']);
    expect([status === 0, output]).toEqual([false, expect.stringMatching(/^error: /m)]);
    const lines = output.split('\n');
    const start = lines.findIndex((line) => line.startsWith('error: '));
    const end = lines.findIndex((line) => line.startsWith('hint: '));
    expect(lines.filter((line) => /^(error|hint): /.test(line))).toHaveLength(2);
    expect(lines.filter((line) => /^\s+at |Traceback/.test(line))).toEqual([]);
    expect(lines.slice(start + 1, end).filter((line) => !line.startsWith('  | '))).toEqual([]);
    return lines.slice(start, end + 1);
  };

  beforeAll(() => {
    workspace = new Workspace();
    elsewhere = mkdtempSync('/var/tmp/strata-elsewhere-');
    cpSync(join(repositoryRoot, 'e2e/repositories/proving'), join(workspace.root, 'os/proving'), { recursive: true });
    workspace.write('os/proving/repository.yaml', 'name: proving\nsource: { folder: . }\n');
  });

  afterAll(() => {
    workspace.dispose();
    rmSync(elsewhere, { recursive: true });
  });

  it(
    'are those that no repository has',
    () => {
      write('missing', 'app-misc/no-such-program');
      const lines = complaint('missing:plan');
      expect(lines[0]).toBe('error: os/missing/layer.yaml:5: no repository has app-misc/no-such-program');
      expect(lines.join('\n')).toContain('there are no ebuilds to satisfy "app-misc/no-such-program"');
      expect(lines.at(-1)).toBe('hint: correct the atom, or name the repository that has it');
    },
    2 * minutes,
  );

  it(
    'are those that need a tool which the toolchain does not have',
    () => {
      ebuild('needy', 'BDEPEND="app-text/doxygen"');
      write('needing', 'app-misc/needy');
      const lines = complaint('needing:plan');
      expect(lines[0]).toBe('error: os/needing/layer.yaml:5: no repository has app-text/doxygen');
      expect(lines.at(-1)).toBe(
        'hint: name the repository that has it, or, where it is needed to build, add doxygen to the toolchain',
      );
    },
    2 * minutes,
  );

  it(
    'are those that need a tool which would have to be built first',
    () => {
      ebuild('tool');
      ebuild('needier', 'BDEPEND="app-misc/tool"');
      write('building-tools', 'app-misc/needier');
      const lines = complaint('building-tools:plan');
      expect(lines[0]).toBe(
        'error: os/building-tools/layer.yaml:5: app-misc/tool-1 is needed to build, and the toolchain does not have it',
      );
      expect(lines.at(-1)).toMatch(/^hint: none of Debian's packages stands for it/);
    },
    2 * minutes,
  );

  it(
    'have flags that exclude each other, in Portage’s words',
    () => {
      write('clashing', 'app-misc/reader', 'portageConfig: etc-portage\n');
      workspace.write('os/clashing/etc-portage/package.use', 'app-misc/reader braille speech\n');
      const lines = complaint('clashing:plan');
      expect(lines[0]).toBe('error: os/clashing/layer.yaml:5: Portage finds USE flags that do not fit');
      expect(lines.join('\n')).toContain('at-most-one-of ( braille speech )');
      expect(lines.at(-1)).toContain('package.use');
    },
    2 * minutes,
  );

  it(
    'have flags that another package does not allow, in Portage’s words',
    () => {
      write('disagreeing', 'app-misc/counter', 'portageConfig: etc-portage\n');
      workspace.write('os/disagreeing/etc-portage/package.use', 'dev-libs/numbers -extra\n');
      const lines = complaint('disagreeing:plan');
      expect(lines[0]).toBe('error: os/disagreeing/layer.yaml:5: Portage finds USE flags that do not fit');
      expect(lines.join('\n')).toMatch(/dev-libs\/numbers.*extra/);
      expect(lines.at(-1)).toContain('package.use');
    },
    2 * minutes,
  );

  it(
    'have a distfile whose content is not what their Manifest says',
    () => {
      const file = join(elsewhere, 'fetched-1.tar');
      writeFileSync(file, 'something else');
      const promised = Buffer.from('what upstream made');
      const hash = (algorithm: string): string => createHash(algorithm).update(promised).digest('hex');
      ebuild('fetched', `SRC_URI="file://${file}"`);
      workspace.write(
        'os/proving/app-misc/fetched/Manifest',
        `DIST fetched-1.tar 18 BLAKE2B ${hash('blake2b512')} SHA512 ${hash('sha512')}\n`,
      );
      write('fetching', 'app-misc/fetched');
      const lines = complaint('fetching:fetch');
      expect(lines[0]).toBe('error: fetched-1.tar is not the file that the Manifest of app-misc/fetched-1 describes');
      expect(lines[1]).toBe(`  | file://${file}: 14 bytes instead of 18`);
      expect(lines.at(-1)).toMatch(/^hint: upstream changed the file, or a mirror is wrong/);
      expect(existsSync(join(workspace.root, 'dist/os/fetching/strata/fetch.json'))).toBe(false);
    },
    2 * minutes,
  );

  it(
    'have no Manifest for a distfile',
    () => {
      ebuild('unlisted', 'SRC_URI="https://example.org/unlisted-1.tar"');
      write('unlisting', 'app-misc/unlisted');
      const lines = complaint('unlisting:plan');
      expect(lines[0]).toBe(
        'error: os/unlisting/layer.yaml:5: the Manifest of app-misc/unlisted does not have unlisted-1.tar',
      );
      expect(lines.at(-1)).toBe('hint: write it: ebuild unlisted-1.ebuild manifest');
    },
    2 * minutes,
  );

  it(
    'do not compile',
    () => {
      ebuild(
        'uncompiled',
        'DEPEND="virtual/libc"',
        'S="${WORKDIR}"',
        'src_compile() {',
        '  printf "int main(void) { return forgotten; }\\n" > uncompiled.c || die',
        '  emake CC="${CHOST}-gcc" uncompiled',
        '}',
      );
      write('compiling', 'virtual/libc, app-misc/uncompiled');
      const lines = complaint('compiling:build');
      expect(lines[0]).toMatch(/^error: compiling:\S+: app-misc\/uncompiled-1 failed in its compile phase$/);
      expect(lines.join('\n')).toMatch(/^ {2}\| uncompiled\.c:1:\d+: error: .*forgotten/m);
      const log = /^hint: .*\(the full log is (\/\S+)\)$/.exec(lines.at(-1) ?? '')?.[1] ?? '';
      expect(readFileSync(log, 'utf8')).toContain('forgotten');
      expect(existsSync(join(workspace.root, 'dist/os/compiling/strata/build.json'))).toBe(false);
    },
    4 * minutes,
  );
});
