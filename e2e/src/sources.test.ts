import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot, Workspace } from './rig.js';

const minutes = 60_000;

describe('sources that do not lie in the workspace', () => {
  let workspace: Workspace;
  let elsewhere: string;

  beforeAll(() => {
    workspace = new Workspace();
    elsewhere = mkdtempSync('/var/tmp/strata-elsewhere-');
  });

  afterAll(() => {
    workspace.dispose();
    rmSync(elsewhere, { recursive: true });
  });

  it(
    'are a tarball, whose files keep owners and modes',
    () => {
      const script =
        'mkdir -p stage/bin && echo tool > stage/bin/tool && chmod 4755 stage/bin/tool && ln -s tool stage/bin/link';
      execFileSync(
        'sh',
        ['-ec', `${script} && tar --create --gzip --owner=33 --group=42 --directory=stage --file=stage.tar.gz .`],
        {
          cwd: elsewhere,
        },
      );
      const tarball = join(elsewhere, 'stage.tar.gz');
      const digest = createHash('sha256').update(readFileSync(tarball)).digest('hex');
      const definition = (hex: string): string =>
        `name: stage\ntoolchain: vm-toolchain\nfrom: { tarball: "file://${tarball}", digest: "sha256:${hex}" }\n`;
      workspace.write('os/stage/layer.yaml', definition(digest));
      workspace.write('os/stage-image/image.yaml', 'name: stage-image\nlayers: [stage]\n');
      const { status, output } = workspace.nx(['run', 'stage-image:build', '--outputStyle=static']);
      expect([status, output.slice(-2000)]).toEqual([0, expect.stringContaining('/bin/tool')]);
      workspace.write('os/stage/layer.yaml', definition('0'.repeat(64)));
      const wrong = workspace.nx(['run', 'stage:fetch', '--outputStyle=static']);
      expect(wrong.status).not.toBe(0);
      expect(wrong.output).toMatch(/error: .*stage\.tar\.gz has the digest sha256:.*\nhint: /);
    },
    3 * minutes,
  );

  it(
    'are a commit of an ebuild repository',
    () => {
      const repository = join(elsewhere, 'repository');
      mkdirSync(repository);
      cpSync(join(repositoryRoot, 'examples/ram-os/repository'), repository, { recursive: true });
      const git = (...words: string[]): string =>
        execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@localhost', ...words], {
          cwd: repository,
          encoding: 'utf8',
        });
      git('init', '--quiet');
      git('add', '--all');
      git('commit', '--quiet', '--message', 'ebuilds');
      const commit = git('rev-parse', 'HEAD').trim();
      workspace.write(
        'os/remote/repository.yaml',
        `name: remote\nsource: { git: "file://${repository}", commit: ${commit} }\n`,
      );
      workspace.write(
        'os/small/layer.yaml',
        'name: small\nfrom: scratch\nrepositories: [remote]\nprofile: remote:base\npackages: [sys-apps/baselayout]\n',
      );
      const { status, output } = workspace.nx(['run', 'small:build', '--outputStyle=static']);
      expect([status, output.slice(-2000)]).toEqual([0, expect.stringContaining('small:merge  done')]);
    },
    5 * minutes,
  );
});
