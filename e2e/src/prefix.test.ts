import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Workspace, type Outcome } from './rig.js';

const minutes = 60_000;

const common = 'repositories: [main, prefixes, tests]\nprofile: prefixes:prefix\n';

function ebuild(name: string, ...lines: readonly string[]): Record<string, string> {
  const text = ['EAPI=8', 'DESCRIPTION="test"', 'SLOT="0"', 'LICENSE="MIT"', 'KEYWORDS="amd64"', 'S="${WORKDIR}"'];
  return { [`os/tests/app-misc/${name}/${name}-1.ebuild`]: [...text, ...lines, ''].join('\n') };
}

const files = {
  'os/tests/repository.yaml': 'name: tests\nsource: { folder: . }\n',
  'os/tests/metadata/layout.conf': 'masters = main\nthin-manifests = true\nsign-manifests = false\n',
  'os/tests/profiles/repo_name': 'tests\n',
  'os/tests/profiles/eapi': '8\n',

  // a Makefile that heeds no LDFLAGS, a library of its own, a script
  ...ebuild(
    'greet',
    'DEPEND="virtual/libc"',
    'RDEPEND="${DEPEND}"',
    'src_compile() {',
    '  printf "const char *greeting(void) { return \\"hello from %%s\\"; }\\n" > libgreeting.c || die',
    '  printf "#include <stdio.h>\\nconst char *greeting(void);\\n" > greet.c || die',
    '  printf "int main(int n, char **v) { printf(greeting(), v[0]); return n - 1; }\\n" >> greet.c || die',
    '  ${CHOST}-gcc -shared -fPIC -Wl,-soname,libgreeting.so -o libgreeting.so libgreeting.c || die',
    '  gcc -o greet greet.c ./libgreeting.so || die',
    '}',
    'src_install() {',
    '  dobin greet',
    '  dolib.so libgreeting.so',
    '  insinto /usr/share/greet',
    '  newins greet.c source',
    '}',
  ),
  'os/greet/prefix.yaml': `path: /opt/greet\n${common}packages: [app-misc/greet]
masks: [/usr/share/greet]
test: [{ run: [greet], output: hello from /opt/greet/usr/bin/greet }, { run: [greet, more], status: 1 }]
`,

  // all that a prefix may not have, at once
  ...ebuild(
    'flawed',
    'src_compile() {',
    '  printf "int missing(void) { return 1; }\\n" > missing.c || die',
    '  printf "int missing(void);\\nint found(void) { return missing(); }\\n" > found.c || die',
    '  ${CHOST}-gcc -nostdlib -shared -fPIC -Wl,-soname,libmissing.so.1 -o libmissing.so missing.c || die',
    '  ${CHOST}-gcc -nostdlib -shared -fPIC -Wl,-rpath,/opt/flaw -o libfound.so found.c libmissing.so || die',
    '}',
    'src_install() {',
    '  dolib.so libfound.so',
    '  dobin /usr/bin/true',
    '  fperms 4755 /usr/bin/true',
    '  ln -s /etc/passwd "${ED}/usr/bin/users" || die',
    '}',
  ),
  'os/flawed/prefix.yaml': `path: /opt/flawed\n${common}packages: [app-misc/flawed]\n`,

  ...ebuild(
    'outside',
    'src_install() {',
    '  mkdir -p "${D}/usr/bin" || die',
    '  cp /usr/bin/true "${D}/usr/bin/" || die',
    '}',
  ),
  'os/outside/prefix.yaml': `path: /opt/outside\n${common}packages: [app-misc/outside]\n`,

  // a program of the toolchain needs nothing but the C library
  ...ebuild('plain', 'src_install() {', '  dobin /usr/bin/echo', '}'),
  'os/host/prefix.yaml': `path: /usr/host-libc\nlibc: host\n${common}packages: [app-misc/plain]
test: [{ run: [echo, yes], output: "yes" }]
`,
};

describe('prefixes', () => {
  let workspace: Workspace;
  let built: Outcome;

  const json = (file: string): unknown => JSON.parse(readFileSync(join(workspace.root, file), 'utf8'));

  /** What a task says of its mistake: from the line `error:` to the line `hint:`. */
  const complaint = (label: string): string[] => {
    const lines = built.output.split('\n').map((line) => line.replace(/^\S+: /, ''));
    const start = lines.findIndex((line) => line.startsWith(`error: ${label}`));
    return start < 0
      ? []
      : lines.slice(start, lines.findIndex((line, at) => at > start && line.startsWith('hint: ')) + 1);
  };

  beforeAll(() => {
    workspace = new Workspace('shared', { projects: ['toolchain', 'repository', 'prefix-repository'], files });
    const names = 'greet,flawed,outside,host';
    built = workspace.nx(['run-many', '--targets=build,test,export', `--projects=${names}`, '--outputStyle=stream']);
  }, 10 * minutes);

  afterAll(() => {
    workspace.dispose();
  });

  it('hold programs that run where there is nothing else, by the command that an export prints', () => {
    const command = /bwrap --unshare-all .*\/opt\/greet\/usr\/bin\/greet/.exec(built.output)?.[0] ?? '';
    expect(command).toContain('--ro-bind dist/os/greet/tree/opt/greet /opt/greet');
    expect(command.match(/bind/g)).toHaveLength(1);
    expect(execFileSync('sh', ['-euc', command], { cwd: workspace.root, encoding: 'utf8' })).toBe(
      'hello from /opt/greet/usr/bin/greet',
    );
  });

  it('have no file that is only needed to build, none that is masked, and none outside of their path', () => {
    const tree = join(workspace.root, 'dist/os/greet/tree');
    expect(readdirSync(tree)).toEqual(['opt']);
    expect(readdirSync(join(tree, 'opt'))).toEqual(['greet']);
    const installed = readdirSync(join(tree, 'opt/greet/var/db/pkg/sys-libs'));
    expect(installed).toEqual(['prefix-gcc-runtime-1', 'prefix-libc-1']);
    expect(existsSync(join(tree, 'opt/greet/usr/include'))).toBe(false);
    expect(existsSync(join(tree, 'opt/greet/usr/share/greet'))).toBe(false);
  });

  it('name loader and libraries below their path in every ELF file, as readelf sees it', () => {
    const script = 'find dist/os/greet/tree -type f -exec readelf -ld {} + 2>/dev/null';
    const headers = execFileSync('sh', ['-c', `${script} || true`], { cwd: workspace.root, encoding: 'utf8' });
    const loaders = [...headers.matchAll(/program interpreter: (\S+)\]/g)].map(([, path]) => path);
    expect(loaders).toEqual(['/opt/greet/usr/lib64/ld-linux-x86-64.so.2']);
    const paths = [...headers.matchAll(/R(?:UN)?PATH.*\[(.*)\]/g)].map(([, path]) => path);
    expect(new Set(paths)).toEqual(new Set(['/opt/greet/usr/lib64']));
    const there = readdirSync(join(workspace.root, 'dist/os/greet/tree/opt/greet/usr/lib64'));
    const needed = [...headers.matchAll(/NEEDED.*\[(.*)\]/g)].map(([, name]) => name);
    expect(needed).toContain('libgreeting.so');
    expect(there).toEqual(expect.arrayContaining(needed));
  });

  it('are layers, which other projects take in', () => {
    expect(json('dist/os/greet/strata/build.json')).toMatchObject({
      stack: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd' }],
    });
  });

  it('are refused with all that is wrong with them', () => {
    const lines = complaint('flawed:build');
    expect(lines[0]).toBe(
      'error: flawed:build: symlinks lead out of /opt/flawed; files in /opt/flawed are set-uid or set-gid; /opt/flawed is not self-contained',
    );
    expect(lines.slice(1, -1).sort()).toEqual([
      '  | /opt/flawed/usr/bin/true (4755)',
      '  | /opt/flawed/usr/bin/true: its library libc.so.6 is not in any folder that it names',
      '  | /opt/flawed/usr/bin/true: its loader /lib64/ld-linux-x86-64.so.2 is not in /opt/flawed',
      '  | /opt/flawed/usr/bin/users -> /etc/passwd',
      '  | /opt/flawed/usr/lib64/libfound.so: its RPATH has /opt/flaw, which is not in /opt/flawed',
      expect.stringMatching(/libfound\.so: its library libmissing\.so\.1 is not in /),
    ]);
    expect(existsSync(join(workspace.root, 'dist/os/flawed/strata/build.json'))).toBe(false);
  });

  it('are refused where a package does not honour EPREFIX, with the files that it installs elsewhere', () => {
    const lines = complaint('outside:');
    expect(lines[0]).toContain('app-misc/outside-1 does not honour EPREFIX: it installs outside of /opt/outside');
    expect(lines).toContain('  | /usr/bin/true');
  });

  it('use the C library of the system where they say so', () => {
    // not run here: this machine's C library may be older than the one that the toolchain links with
    expect(built.output).toMatch(/bwrap .*--symlink usr\/lib64 \/lib64 .*\/usr\/host-libc\/usr\/bin\/echo yes/);
    expect(existsSync(join(workspace.root, 'dist/os/host/strata/test.json'))).toBe(true);
    expect(existsSync(join(workspace.root, 'dist/os/host/tree/usr/host-libc/usr/lib64'))).toBe(false);
  });

  it(
    'are looked into by Portage’s tools, which change nothing that is built',
    () => {
      const emerge = workspace.strata('prefix', 'emerge', 'greet', '-pq', '--nodeps', 'app-misc/greet');
      expect(emerge.output).toContain('app-misc/greet-1');
      const script = 'portageq envvar EPREFIX CHOST && rm -r "$EROOT/usr/bin" && ls "$EROOT/usr"';
      const first = workspace.strata('prefix', 'shell', 'greet', '-c', script).output.trim().split('\n');
      expect(first.slice(0, 2)).toEqual(['/opt/greet', 'x86_64-pc-linux-gnu']);
      expect(first).not.toContain('bin');
      // what the first one took away is there
      expect(workspace.strata('prefix', 'shell', 'greet', '-c', 'ls /opt/greet/usr/bin').output).toBe('greet\n');
      const equery = workspace.strata('prefix', 'equery', 'greet', 'list', '*');
      expect([equery.status, equery.output]).toEqual([
        1,
        expect.stringContaining(
          'error: the toolchain of the prefix has no equery\nhint: give the prefix a `toolchain:`',
        ),
      ]);
      const nobody = workspace.strata('prefix', 'shell', 'gret');
      expect([nobody.status, nobody.output]).toEqual([
        1,
        'error: there is no prefix named gret\nhint: did you mean greet?\n',
      ]);
    },
    5 * minutes,
  );
});
