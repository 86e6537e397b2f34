import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { testBoth, Workspace, type Outcome } from './rig.js';

const minutes = 60_000;

const stackSchema = z.object({
  stack: z.array(z.object({ digest: z.string(), annotations: z.record(z.string(), z.string()) })),
});

describe('the example OS, from definitions to a booted image', () => {
  let workspace: Workspace;

  beforeAll(() => {
    workspace = new Workspace('own');
  }, 2 * minutes);

  afterAll(() => {
    workspace.dispose();
  });

  /** What `strata why` names as the root cause, with the lines that changed. */
  const why = (task: string): string[] => {
    const lines = succeed(workspace.strata('why', task)).output.trimEnd().split('\n');
    return lines.slice(
      0,
      lines.findIndex((line) => line.startsWith('so ')),
    );
  };

  const succeed = (result: Outcome): Outcome => {
    if (result.status !== 0) {
      throw new Error(result.output.slice(-6000));
    }
    return result;
  };

  it(
    'is planned and fetched, every layer of it, and nothing but toolchains is built for that',
    () => {
      const { ran } = succeed(workspace.nx(['run-many', '--targets=fetch', '--outputStyle=static']));
      expect([...ran].sort()).toEqual(['base:plan', 'tools:plan']);
    },
    4 * minutes,
  );

  it(
    'is then built, packed, booted from RAM and tested with the network off',
    () => {
      const { ran } = succeed(workspace.nxOffline(testBoth));
      for (const task of [
        'base:merge',
        'tools:app-misc/jq-1.7.1',
        'tools:merge',
        'tools:build',
        'ram-os:build',
        'ram-os:test',
        'rescue:test',
      ]) {
        expect(ran).toContain(task);
      }
    },
    12 * minutes,
  );

  it(
    'is served from the cache the second time: nothing that could start a sandbox is started',
    () => {
      const { output, ran } = succeed(workspace.test(workspace.withoutSandbox()));
      expect(ran).toEqual([]);
      expect(output).not.toContain('was started');
    },
    2 * minutes,
  );

  it(
    'starts nothing either when Nx’s own hashes change and the actions do not',
    () => {
      workspace.append('.gitignore', '# a comment\n');
      workspace.write('nx.json', workspace.read('nx.json').replace('{', '{ "parallel": 2,'));
      const { output, ran } = succeed(workspace.test(workspace.withoutSandbox()));
      expect(output).toContain('ram-os:build  unchanged');
      expect(ran).toEqual([]);
    },
    2 * minutes,
  );

  it(
    'goes on from a tarball with a database of packages, as a stage3 is one',
    () => {
      const { stack } = stackSchema.parse(JSON.parse(workspace.read('dist/os/base/strata/build.json')));
      const packages = stack.find(({ annotations }) => annotations['dev.strata.title'] === 'base (packages)');
      const hex = packages?.digest.replace('sha256:', '') ?? '';
      mkdirSync(join(workspace.root, 'os/staged'));
      cpSync(join(workspace.store, 'blobs/sha256', hex), join(workspace.root, 'os/staged/stage3.tar.zst'));
      const from = `from: { tarball: stage3.tar.zst, digest: "sha256:${hex}" }`;
      workspace.write(
        'os/staged/layer.yaml',
        `${from}\nrepositories: [main]\nprofile: main:base\npackages: [app-misc/stamp, sys-apps/busybox]\n`,
      );
      workspace.write(
        'os/repository/app-misc/stamp/stamp-1.ebuild',
        'EAPI=8\nDESCRIPTION="A stamp"\nSLOT="0"\nKEYWORDS="amd64"\nRDEPEND="sys-apps/busybox"\n' +
          'S="${WORKDIR}"\nsrc_install() { echo stamp > stamp || die; insinto /usr/share; doins stamp; }\n',
      );
      const { ran } = succeed(workspace.nx(['run', 'staged:build', '--outputStyle=static']));
      expect(ran).toEqual(['staged:origin', 'staged:plan', 'staged:app-misc/stamp-1', 'staged:merge']);
      const differences = succeed(workspace.strata('diff', 'base', 'staged')).output;
      expect(differences).toContain('packages: 1 added\n');
      expect(differences).toContain('+ app-misc/stamp-1');
      workspace.remove('os/staged');
      workspace.remove('os/repository/app-misc/stamp');
    },
    4 * minutes,
  );

  it(
    'runs no emerge when a file of a tree changes',
    () => {
      workspace.append('os/tools/tree/etc/motd', 'And this was added.\n');
      expect(why('tools:build')).toEqual(['os/tools/tree/etc/motd changed', '    + And this was added.']);
      const { ran, output } = succeed(workspace.test());
      expect(ran).toEqual(['tools:build', 'ram-os:build', 'ram-os:test']);
      expect(output).toContain('tools:build  because os/tools/tree/etc/motd changed');
      expect(why('ram-os:test')).toEqual(['os/tools/tree/etc/motd changed', '    + And this was added.']);
    },
    4 * minutes,
  );

  it(
    'notices an executable bit',
    () => {
      chmodSync(join(workspace.root, 'os/tools/tree/etc/motd'), 0o755);
      expect(why('tools:build')).toEqual(['os/tools/tree/etc/motd changed its mode from 0644 to 0755']);
      expect(succeed(workspace.test()).ran).toEqual(['tools:build', 'ram-os:build', 'ram-os:test']);
    },
    4 * minutes,
  );

  it(
    'does nothing after the plan when a comment is added to an ebuild',
    () => {
      workspace.append('os/repository/app-misc/jq/jq-1.7.1.ebuild', '\n# nobody needs to know\n');
      expect([...succeed(workspace.test()).ran].sort()).toEqual(['base:plan', 'tools:plan']);
    },
    4 * minutes,
  );

  it(
    'rebuilds a patched package’s layer and what follows from it, and nothing of the others',
    () => {
      const ebuild = 'os/repository/app-misc/jq/jq-1.7.1.ebuild';
      workspace.write(
        'os/repository/app-misc/jq/files/jq-1.7.1-hello.patch',
        'Say hello.\n\n--- /dev/null\n+++ b/HELLO\n@@ -0,0 +1 @@\n+hello\n',
      );
      workspace.write(
        ebuild,
        workspace.read(ebuild).replace('PATCHES=( ', 'PATCHES=( "${FILESDIR}/${P}-hello.patch" '),
      );
      const { ran } = succeed(workspace.test());
      expect([...ran].sort()).toEqual([
        'base:plan',
        'ram-os:build',
        'ram-os:test',
        'tools:app-misc/jq-1.7.1',
        'tools:build',
        'tools:merge',
        'tools:plan',
      ]);
      expect(why('tools:build')).toEqual(why('ram-os:test'));
      expect(why('ram-os:test')).toContain('os/repository/app-misc/jq/files/jq-1.7.1-hello.patch was added');
    },
    6 * minutes,
  );

  it(
    'says why something would run, whatever changed',
    () => {
      const causeOf = (file: string, change: (text: string) => string, task = 'tools:merge'): string[] => {
        const text = workspace.read(file);
        workspace.write(file, change(text));
        try {
          return why(task);
        } finally {
          workspace.write(file, text);
        }
      };
      const use = 'os/tools/etc-portage/package.use';
      expect(causeOf(use, (text) => `${text}app-arch/lz4 static-libs\n`)).toEqual([
        `${use} changed`,
        '    + app-arch/lz4 static-libs',
      ]);
      workspace.write('os/tools/etc-portage/make.conf', 'CFLAGS="-O1"\n');
      expect(why('ram-os:test')[0]).toBe('os/tools/etc-portage/make.conf was added');
      workspace.remove('os/tools/etc-portage/make.conf');
      expect(
        causeOf('os/toolchain/layer.lock.yaml', (text) =>
          text.replace(/(name: "zstd".*sha256: ")[0-9a-f]{64}/, `$1${'0'.repeat(64)}`),
        )[0],
      ).toMatch(
        /^zstd_.*\.deb was sha256:[0-9a-f]{12}, is not there$|^zstd_.*\.deb was sha256:[0-9a-f]{12}, is sha256:0{12}$/,
      );
      expect(
        causeOf('os/tools/layer.yaml', (text) => text.replace("mode: '0755'", "mode: '0700'"), 'tools:build'),
      ).toEqual(['os/tools/layer.yaml: trees[0].rules[0].mode was "0755", is "0700"']);
    },
    6 * minutes,
  );

  it(
    'is named by `nx affected` where a commit reaches it',
    () => {
      workspace.commit('before');
      workspace.append('os/tools/tree/etc/motd', 'One more line.\n');
      workspace.commit('after');
      const { output } = succeed(
        workspace.nx(['show', 'projects', '--affected', '--base=HEAD~1', '--head=HEAD', '--withTarget=build']),
      );
      const names = output.split('\n').filter((line) => /^[\w-]+$/.test(line));
      expect(names).toEqual(expect.arrayContaining(['tools', 'ram-os']));
      expect(names).not.toContain('rescue');
    },
    2 * minutes,
  );

  it(
    'is built again where only descriptors are left, and exported as files that QEMU boots',
    () => {
      succeed(workspace.test());
      succeed(workspace.strata('store', 'clear'));
      const { output, ran } = succeed(workspace.nx(['run', 'rescue:export', '--outputStyle=static']));
      expect(ran).toContain('base:merge');
      expect(output).toMatch(/qemu-system-x86_64 .*-kernel dist\/os\/rescue\/vmlinuz/);
      const file = join(workspace.root, 'dist/os/rescue/root.squashfs');
      expect(existsSync(file)).toBe(true);
      expect(readFileSync(file).subarray(0, 4).toString()).toBe('hsqs');
    },
    12 * minutes,
  );
});

describe('a mistake in a definition', () => {
  let workspace: Workspace;

  beforeAll(() => {
    workspace = new Workspace();
    workspace.write(
      'libs/other/project.json',
      '{ "name": "other", "targets": { "build": { "command": "echo built" } } }\n',
    );
  });

  afterAll(() => {
    workspace.dispose();
  });

  it(
    'is told in one line with a place and one with a hint, and stops nobody else',
    () => {
      workspace.write('os/tools/layer.yaml', workspace.read('os/tools/layer.yaml').replace('packages:', 'packges:'));
      const broken = workspace.nx(['run', 'tools:build', '--outputStyle=static']);
      expect(broken.status).not.toBe(0);
      expect(broken.output).toMatch(
        /error: os\/tools\/layer\.yaml:\d+: unknown field `packges`\nhint: did you mean `packages`\?/,
      );
      expect(broken.output).not.toMatch(/^\s+at /m);
      expect(workspace.nx(['run', 'other:build', '--outputStyle=static']).status).toBe(0);
    },
    2 * minutes,
  );

  it(
    'is an atom that no repository has',
    () => {
      workspace.write(
        'os/tools/layer.yaml',
        workspace.read('os/tools/layer.yaml').replace('packges:', 'packages:').replace('dev-lang/lua', 'dev-lang/lau'),
      );
      const { status, output } = workspace.nx(['run', 'tools:plan', '--outputStyle=static']);
      expect(status).not.toBe(0);
      expect(output).toMatch(/error: os\/tools\/layer\.yaml:\d+: no repository has dev-lang\/lau/);
      expect(output).toContain('there are no ebuilds to satisfy "dev-lang/lau"');
    },
    6 * minutes,
  );
});
