import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { Workspace, type Outcome } from './rig.js';

const minutes = 60_000;

// the store outlives a run of this test: what it builds has to be new each time
const unique = `${process.pid}-${Date.now()}`;

const left = 'dist/os/small/strata/build.json';

const descriptorsSchema = z.object({
  stack: z.array(z.object({ digest: z.string(), annotations: z.record(z.string(), z.string()) })),
});

const differenceSchema = z.object({
  before: z.object({ name: z.string(), layers: z.array(z.string()), squashfs: z.string().nullable() }),
  after: z.object({ name: z.string(), layers: z.array(z.string()), squashfs: z.string().nullable() }),
  packages: z.array(z.unknown()),
  files: z.array(z.object({ path: z.string(), change: z.string(), aspects: z.array(z.string()) })),
  bytes: z.int(),
});

describe('strata diff', () => {
  let workspace: Workspace;

  const diff = (...words: string[]): string[] => {
    const { status, output } = workspace.strata('diff', ...words);
    expect([status, output]).toEqual([0, expect.anything()]);
    // what takes its time is told too, on the other stream
    return output.split('\n').filter((line) => line !== '' && !line.startsWith('reads '));
  };

  const refused = (...words: string[]): string[] => {
    const { status, output } = workspace.strata('diff', ...words);
    expect(status).toBe(1);
    return output.trimEnd().split('\n');
  };

  const build = (): Outcome => {
    const outcome = workspace.nx(['run', 'picture:build', '--outputStyle=static']);
    expect([outcome.status, outcome.output.slice(-3000)]).toEqual([0, expect.anything()]);
    return outcome;
  };

  beforeAll(() => {
    const options = { toolchain: 'vm-toolchain' };
    const tree = 'trees: [{ source: tree, target: / }]\n';
    workspace = new Workspace('shared', {
      projects: ['vm-toolchain'],
      files: {
        'nx.json': JSON.stringify({ plugins: [{ plugin: 'nx-strata', options }] }),
        '.gitignore': '.nx\ndist/\n',
        'os/small/layer.yaml': `name: small\nfrom: scratch\n${tree}`,
        'os/small/tree/etc/motd': `one ${unique}\n`,
        'os/large/layer.yaml': `name: large\nfrom: small\n${tree}`,
        'os/large/tree/etc/large': 'large\n',
        'os/picture/image.yaml': 'name: picture\nlayers: [large]\nexclude: [/etc/large]\n',
      },
    });
  });

  afterAll(() => {
    workspace.dispose();
  });

  it('says what it cannot compare, and what to do', () => {
    expect(refused('small')).toEqual([
      ...['error: strata diff compares two layers or images', 'hint: strata diff A B'],
    ]);
    expect(refused('smal', 'large')).toEqual([
      ...['error: there is no layer or image smal, and no such file or digest', 'hint: did you mean small?'],
    ]);
    expect(refused('small', 'large')).toEqual([
      ...['error: small has not been built yet', 'hint: npx nx run small:build'],
    ]);
    expect(refused('package.json', 'large')).toEqual([
      'error: package.json does not say what the build of a layer or an image left',
      'hint: name a copy of dist/PROJECT/strata/build.json',
    ]);
  });

  it(
    'compares layers and images of the workspace',
    () => {
      build();
      expect(diff('small', 'large')).toEqual([
        'small → large: +6 B',
        ...['  packages: the same', '  files: 1 added'],
        ...['files of no package, or of packages on both sides', '  + /etc/large  file of 6 B'],
      ]);
      expect(diff('large', 'large')).toEqual(['large and large hold the same']);
      // the image is what it holds, and not what it is made of
      expect(diff('small', 'picture')).toEqual(['small and picture hold the same']);
      expect(refused('small', 'small@before')[0]).toBe(
        'error: no other build of small is remembered, with its layers still in the store',
      );
    },
    5 * minutes,
  );

  it('and strata why agree on what is the same, and why tells the way from a cause to what follows', () => {
    const answer = (...words: string[]): string[] => {
      const { status, output } = workspace.strata('why', ...words);
      expect([status, output]).toEqual([0, expect.anything()]);
      return output.trimEnd().split('\n');
    };
    for (const task of ['small:build', 'large:build', 'picture:build']) {
      const [key = ''] = workspace.strata('runs', task).output.trimEnd().split('\n').at(-1)?.split(' ') ?? [];
      expect(answer(task, '--against', key)).toEqual([`${task} is the same there and here: nothing differs`]);
    }
    workspace.write('os/small/tree/etc/motd', `other ${unique}\n`);
    workspace.write('os/picture/image.yaml', 'name: picture\nlayers: [large]\nexclude: [/etc/large, /etc/more]\n');
    expect(answer('picture:build')).toEqual([
      'os/picture/image.yaml: exclude +/etc/more',
      ...['os/small/tree/etc/motd changed', `    - one ${unique}`, `    + other ${unique}`],
      expect.stringMatching(/^so picture:build would run now; it last ran /),
      '  from small:build, which makes another layer',
      '  from large:build, which makes another layer',
    ]);
    workspace.git('checkout', '--', '.');
  }, 60_000);

  it(
    'compares builds of one project',
    () => {
      cpSync(join(workspace.root, left), join(workspace.root, 'old.json'));
      workspace.write('os/small/tree/etc/motd', `second ${unique}\n`);
      workspace.write('os/small/tree/etc/new', 'new\n');
      build();
      const changes = [
        ...['  packages: the same', '  files: 1 added, 1 changed'],
        'files of no package, or of packages on both sides',
        ...['  ~ /etc/motd  content (+3 B)', '  + /etc/new  file of 4 B'],
      ];
      expect(diff('small@before', 'small')).toEqual(['small@before → small: +7 B', ...changes]);
      expect(diff('old.json', 'small')).toEqual(['old.json → small: +7 B', ...changes]);
      expect(diff('picture@before', 'picture')).toEqual(['picture@before → picture: +7 B', ...changes]);
      const [layer] = descriptorsSchema.parse(JSON.parse(workspace.read('old.json'))).stack;
      const diffId = layer?.annotations['dev.strata.diff-id'] ?? '';
      for (const word of [diffId, diffId.slice(7, 27), layer?.digest.slice(0, 27) ?? '']) {
        expect(diff(word, 'small')).toEqual([`${word} → small: +7 B`, ...changes]);
      }
      const told = differenceSchema.parse(JSON.parse(diff('old.json', 'picture', '--json').join('\n')));
      expect(told).toMatchObject({
        before: { name: 'old.json', layers: [diffId], squashfs: null },
        after: { name: 'picture', squashfs: expect.stringMatching(/^sha256:/) as unknown },
        files: [
          { path: 'etc/motd', change: 'changed', aspects: ['content'] },
          { path: 'etc/new', change: 'added', aspects: [] },
        ],
        bytes: 7,
      });
    },
    5 * minutes,
  );

  it('names what is gone, and the toolchain where it is not built', () => {
    const [layer] = descriptorsSchema.parse(JSON.parse(workspace.read('old.json'))).stack;
    const gone = `sha256:${'0'.repeat(64)}`;
    workspace.write('gone.json', workspace.read('old.json').replaceAll(layer?.digest ?? '', gone));
    expect(refused('gone.json', 'large')).toEqual([
      'error: a part of gone.json is gone from the store: sha256:000000000000',
      'hint: build that state of the workspace again, then compare',
    ]);
    workspace.remove('dist/os/vm-toolchain');
    expect(refused('small', 'large')).toEqual([
      'error: the toolchain vm-toolchain, which reads layers, has not been built yet',
      'hint: npx nx run vm-toolchain:build',
    ]);
  });
});
