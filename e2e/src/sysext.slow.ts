import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Workspace, type Outcome } from './rig.js';

const minutes = 60_000;

const definition = (name: string, more: string): string => `name: ${name}
version: "1.0"
from: { tree: tree }
${more}
publish: { url: "https://example.org/", verify: false }
test:
  on: [debian-12, debian-13]
  steps:
    - { run: hello-${name}, output: hello }
`;

/** Boots five machines, and makes two systems where the store has none: run by `npm test -- --testMatch '**\/*.slow.js'`. */
describe('extensions in a workspace', () => {
  let workspace: Workspace;
  const systems = [12, 13].flatMap((version) => [`debian-${version}`, `debian-${version}-root`]);
  const test = (...projects: string[]): Outcome =>
    workspace.nx(['run-many', '--targets=test', `--projects=${projects.join(',')}`, '--outputStyle=static']);

  beforeAll(() => {
    workspace = new Workspace('shared', {
      projects: ['toolchain', 'vm-toolchain', 'kernel', 'debian-initramfs', ...systems],
      files: {
        'os/one/sysext.yaml': definition('one', 'base: debian-12-root'),
        'os/one/tree/usr/bin/hello-one': '#!/bin/sh\necho hello\n',
        'os/two/sysext.yaml': definition(
          'two',
          'verity: { key: key.pem, certificate: certificate.pem }\nformat: erofs',
        ),
        'os/two/tree/usr/bin/hello-two': '#!/bin/sh\necho hello\n',
      },
    });
    for (const name of ['one', 'two']) {
      execFileSync('chmod', ['755', join(workspace.root, `os/${name}/tree/usr/bin/hello-${name}`)]);
    }
    for (const name of ['', 'other-']) {
      const files = ['-keyout', `${name}key.pem`, '-out', `${name}certificate.pem`];
      execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=test', ...files], {
        cwd: join(workspace.root, 'os/two'),
        stdio: 'ignore',
      });
    }
  });

  afterAll(() => {
    workspace.dispose();
  });

  it(
    'are tried on each system, by a task of its own; what does not change is not tried again',
    () => {
      const { status, output, ran } = test('one', 'two');
      expect([status, output]).toEqual([0, expect.anything()]);
      expect(ran.filter((label) => /^(one|two):/.test(label)).sort()).toEqual(
        ['one', 'two'].flatMap((name) => [
          `${name}:build`,
          ...(name === 'two' ? ['two:signature'] : []),
          `${name}:test-debian-12`,
          `${name}:test-debian-13`,
          `${name}:tree`,
        ]),
      );
      expect(test('one', 'two')).toMatchObject({ status: 0, ran: [] });
      workspace.write('os/one/sysext.yaml', workspace.read('os/one/sysext.yaml').replace('debian-12, ', ''));
      expect(test('one', 'two')).toMatchObject({ status: 0, ran: [] });
    },
    20 * minutes,
  );

  it(
    'are refused with the words of the system, and why they would run is told for each',
    () => {
      workspace.append('os/one/sysext.yaml', 'id: debian\nversionId: "12"\n');
      expect(workspace.strata('why', 'one:test').output).toContain('os/one/sysext.yaml: id was nothing, is "debian"');
      const { status, output } = test('one');
      expect(status).not.toBe(0);
      expect(output).toContain('error: one:test-debian-13: debian-13 refuses the extension one\n');
      expect(output).toContain("  | Extension 'one' is for OS '12', but deployed on top of '13'.\n");
      expect(output).toContain('hint: see its words above, and `id:`');
    },
    10 * minutes,
  );

  it(
    'are not signed by a key that does not fit',
    () => {
      workspace.write('os/two/sysext.yaml', workspace.read('os/two/sysext.yaml').replace('key: key', 'key: other-key'));
      const { status, output } = workspace.nx(['run', 'two:build', '--outputStyle=static']);
      expect(status).not.toBe(0);
      expect(output).toMatch(
        /error: os\/two\/sysext\.yaml:\d+: the key does not fit its certificate\nhint: name the two/,
      );
      workspace.write('os/two/sysext.yaml', workspace.read('os/two/sysext.yaml').replace('other-key', 'no-key'));
      expect(workspace.nx(['run', 'two:build', '--outputStyle=static']).output).toMatch(
        /error: os\/two\/sysext\.yaml:\d+: os\/two\/no-key\.pem is not there, or you may not read it\n/,
      );
    },
    5 * minutes,
  );

  it(
    'are exported with what an update server needs, and nothing that an earlier definition left',
    () => {
      const [rootHash, transfer] = ['dist/os/one/one.roothash', 'dist/os/one/sysupdate.one.d/20-one-roothash.conf'];
      workspace.write(rootHash, 'of another file\n');
      workspace.write(transfer, '[Transfer]\n');
      expect(workspace.nx(['run', 'one:export', '--outputStyle=static']).status).toBe(0);
      const folder = join(workspace.root, 'dist/os/one');
      execFileSync('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: join(folder, 'update') });
      expect(existsSync(join(folder, 'update/one-1.0-x86-64.raw'))).toBe(true);
      expect(readFileSync(join(folder, 'sysupdate.one.d/10-one-raw.conf'), 'utf8')).toContain('Verify=no\n');
      expect([rootHash, transfer].filter((file) => existsSync(join(workspace.root, file)))).toEqual([]);
    },
    5 * minutes,
  );
});
