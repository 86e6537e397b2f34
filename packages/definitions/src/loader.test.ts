import { checkWorkspace, readDefinition, type PlacedDefinition } from './index.js';

const problems = (file: string, text: string): string[] => {
  const read = readDefinition(file, text);
  return read.ok ? [] : read.problems.map(({ lines }) => lines.join('\n'));
};

describe('a definition', () => {
  it('is read with its defaults', () => {
    const read = readDefinition(
      'os/ram-os/image.yaml',
      'layers: [tools]\ntest: { steps: [{ run: jq --version, output: jq-1.7.1 }] }\n',
    );
    expect(read).toMatchObject({
      ok: true,
      definition: {
        kind: 'image',
        layers: ['tools'],
        vm: { memory: '256M', cpus: 1 },
        compression: { algorithm: 'zstd', level: 3 },
        test: { timeout: '60s', steps: [{ run: 'jq --version', output: 'jq-1.7.1', status: 0 }] },
      },
    });
  });

  it('says what a misspelt field was meant to be, and where it stands', () => {
    expect(problems('os/tools/layer.yaml', 'from: base\npackges: [app-misc/jq]\n')).toEqual([
      'error: os/tools/layer.yaml:2: unknown field `packges`\nhint: did you mean `packages`?',
    ]);
  });

  it('wants modes quoted, since YAML reads them as numbers', () => {
    const text = 'from: base\ntrees:\n  - source: tree\n    target: /\n    mode: 0755\n';
    expect(problems('os/tools/layer.yaml', text)).toEqual([
      'error: os/tools/layer.yaml:5: `trees[0].mode`: quote the mode: "0755"\nhint: see the reference of fields in the README',
    ]);
  });

  it.each([
    [
      'a version of any OS',
      "from: { tree: tree }\nversionId: '13'\n",
      '2: `versionId`: an extension for any OS has no version of one: give an `id`, or leave this out',
    ],
    [
      'a version and a level',
      "from: { tree: tree }\nid: flatcar\nversionId: '1'\nsysextLevel: '1'\n",
      '4: `sysextLevel`: systemd compares the level alone where there is one: leave out one of the two',
    ],
    [
      'an image twice',
      'from: { tree: tree }\ntest:\n  on: [debian, debian]\n',
      '3: `test.on[1]`: the image is named twice',
    ],
    [
      'a key without its certificate',
      'from: { tree: tree }\nverity: { key: key.pem }\n',
      '2: `verity.certificate`: expected string, received undefined',
    ],
    ['a name with a slash', 'from: { tree: tree }\nextension: a/b\n', '2: `extension`: the name of an extension has'],
  ])('of an extension refuses %s', (_, text, message) => {
    expect(problems('os/jq/sysext.yaml', text)[0]).toContain(`error: os/jq/sysext.yaml:${message}`);
  });

  it.each([
    ['an empty file', '', 'the definition is empty'],
    ['a list', '- a\n', 'a definition is a map of fields'],
    ['broken YAML', 'from: [base\n', 'os/tools/layer.yaml:2'],
    ['a field twice', 'from: base\nfrom: other\n', 'Map keys must be unique'],
    ['a wrong type', 'from: base\npackages: 3\n', '`packages`'],
    ['a relative target', 'from: base\ntrees: [{ source: a, target: b }]\n', 'a path in a layer starts with /'],
    ['a field that is missing', 'packages: [a/b]\n', '`from`'],
  ])('refuses %s', (_what, text, message) => {
    const [first] = problems('os/tools/layer.yaml', text);
    expect(first).toContain(message);
    expect(first?.split('\n')).toHaveLength(2);
  });

  it('keeps its name when it is broken', () => {
    expect(readDefinition('os/x/layer.yaml', 'name: tools\nform: base\n')).toMatchObject({ ok: false, name: 'tools' });
  });
});

describe('the definitions of a workspace', () => {
  const place = (file: string, text: string): PlacedDefinition => {
    const read = readDefinition(file, text);
    if (!read.ok) {
      throw new Error(read.problems.map(({ message }) => message).join());
    }
    const root = file.slice(0, file.lastIndexOf('/'));
    return {
      file,
      root,
      name: read.definition.name ?? root.slice(root.lastIndexOf('/') + 1),
      definition: read.definition,
      place: read.place,
    };
  };
  const check = (...definitions: PlacedDefinition[]): string[] =>
    [...checkWorkspace(definitions, new Map([['web', 'apps/web']])).values()]
      .flat()
      .map(({ lines }) => lines.join('\n'));

  it('have to be there, and of the right kind', () => {
    expect(check(place('os/base/layer.yaml', 'from: scratch\n'), place('os/tools/layer.yaml', 'from: bsae\n'))).toEqual(
      ['error: os/tools/layer.yaml:1: there is no layer named bsae\nhint: did you mean base?'],
    );
    expect(
      check(
        place('os/base/layer.yaml', 'from: scratch\n'),
        place('os/image/image.yaml', 'layers: [base]\nkernel: base\n'),
      ),
    ).toEqual([
      'error: os/image/image.yaml:2: base is a layer (os/base/layer.yaml), and a kernel is needed here\nhint: name a project with a kernel.yaml',
    ]);
  });

  it('may not stand on each other', () => {
    const found = check(place('os/a/layer.yaml', 'from: b\n'), place('os/b/layer.yaml', 'from: a\n'));
    expect(found[0]).toContain('the layers a → b → a stand on each other');
  });

  it('need a folder and a name each', () => {
    const both = check(place('os/a/layer.yaml', 'from: scratch\n'), place('os/a/image.yaml', 'name: i\nlayers: [a]\n'));
    expect(both[0]).toContain('os/a has two definitions');
    const names = check(
      place('os/a/layer.yaml', 'from: scratch\n'),
      place('os/b/layer.yaml', 'name: a\nfrom: scratch\n'),
    );
    expect(names.join()).toContain('is named a too');
    expect(check(place('os/w/layer.yaml', 'name: web\nfrom: scratch\n')).join()).toContain(
      'the project in apps/web is named web too',
    );
  });

  it('with packages need a repository and a profile', () => {
    const found = check(place('os/a/layer.yaml', 'from: scratch\npackages: [app-misc/jq]\n'));
    expect(found.join('\n')).toContain('neither it nor a parent names a repository');
    expect(found.join('\n')).toContain('neither it nor a parent has a profile');
  });
});
