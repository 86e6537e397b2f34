import { chmodSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { Workspace, type Outcome } from './rig.js';

const minutes = 60_000;

const descriptorsSchema = z.object({ outputs: z.record(z.string(), z.object({ digest: z.string() })) });

describe('what lies around damaged', () => {
  let workspace: Workspace;

  beforeAll(() => {
    const options = { toolchain: 'vm-toolchain' };
    workspace = new Workspace('shared', {
      projects: ['vm-toolchain'],
      files: {
        'nx.json': JSON.stringify({ plugins: [{ plugin: 'nx-strata', options }] }),
        '.gitignore': '.nx\ndist/\n',
        'os/small/layer.yaml': 'name: small\nfrom: scratch\ntrees: [{ source: tree, target: / }]\n',
        // the store outlives a run of this test: what it builds has to be new each time
        'os/small/tree/etc/motd': `damaged ${process.pid}-${Date.now()}\n`,
        'os/picture/image.yaml': 'name: picture\nlayers: [small]\n',
      },
    });
    succeed(run('picture:export'));
  }, 3 * minutes);

  afterAll(() => {
    workspace.dispose();
  });

  const run = (task: string, ...options: string[]): Outcome =>
    workspace.nx(['run', task, '--outputStyle=static', ...options]);

  const succeed = (result: Outcome): Outcome => {
    expect([result.status, result.output.slice(-3000)]).toEqual([0, expect.anything()]);
    return result;
  };

  const left = (project: string): string => `dist/os/${project}/strata/build.json`;

  const hexOf = (project: string, name: string): string => {
    const { outputs } = descriptorsSchema.parse(JSON.parse(workspace.read(left(project))));
    return outputs[name]?.digest.replace('sha256:', '') ?? '';
  };

  const image = (): string => {
    const content = readFileSync(join(workspace.root, 'dist/os/picture/root.squashfs'));
    return createHash('sha256').update(content).digest('hex');
  };

  it(
    'is a miss where it is the record of an action',
    () => {
      const digest = hexOf('small', 'layer.tar.zst');
      const actions = join(workspace.store, 'actions');
      const record = readdirSync(actions).find((name) => readFileSync(join(actions, name), 'utf8').includes(digest));
      writeFileSync(join(actions, record ?? ''), '{"outp');
      expect(succeed(run('small:build', '--skipNxCache')).ran).toEqual(['small:build']);
      expect(hexOf('small', 'layer.tar.zst')).toBe(digest);
    },
    minutes,
  );

  it.each([
    ['changed', (content: Buffer): Buffer => Buffer.concat([Buffer.from('X'), content.subarray(1)]), true],
    ['cut off', (content: Buffer): Buffer => content.subarray(0, 100), false],
  ])(
    'is made again where it is an artifact that was %s, and is in no image',
    (_, damage, isTold) => {
      const hex = hexOf('picture', 'root.squashfs');
      const blob = join(workspace.store, 'blobs/sha256', hex);
      chmodSync(blob, 0o644);
      writeFileSync(blob, damage(readFileSync(blob)));
      workspace.remove('dist/os/picture/root.squashfs');
      const { output, ran } = succeed(run('picture:export', '--skipNxCache'));
      expect(ran).toEqual(['picture:build']);
      expect(output.includes(`warning: ${blob} is damaged, and dropped`)).toBe(isTold);
      expect(image()).toBe(hex);
    },
    minutes,
  );

  it(
    'is put back by Nx where it is a descriptor',
    () => {
      const whole = workspace.read(left('small'));
      workspace.write(left('small'), whole.slice(0, 40));
      succeed(run('picture:export'));
      expect(workspace.read(left('small'))).toBe(whole);
    },
    minutes,
  );

  it('is no record of a run', () => {
    const records = join(workspace.store, 'records');
    const names = readdirSync(records, { recursive: true, encoding: 'utf8' });
    for (const name of names) {
      const file = join(records, name);
      if (statSync(file).isFile() && readFileSync(file, 'utf8').includes('small:build')) {
        writeFileSync(file, '{"label": "small:build", ');
      }
    }
    expect(succeed(workspace.strata('why', 'small:build')).output).toContain('small:build');
    expect(workspace.strata('runs', 'small:build').output).toBe(
      'error: no run of small:build is remembered\nhint: strata runs lists all that are\n',
    );
  }, 60_000);
});
