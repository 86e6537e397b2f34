import { checkWorkspace, definitionText, readDefinition, type PlacedDefinition, type UserError } from './index.js';

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
      'error: os/tools/layer.yaml:5: `trees[0].mode` has to be a text, and is a number\nhint: quote it: "0755"',
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
      '3: `test.on[1]`: debian is there twice',
    ],
    [
      'a key without its certificate',
      'from: { tree: tree }\nverity: { key: key.pem }\n',
      '2: `verity.certificate` is missing',
    ],
    ['a name with a slash', 'from: { tree: tree }\nextension: a/b\n', '2: `extension`: the name of an extension has'],
  ])('of an extension refuses %s', (_, text, message) => {
    expect(problems('os/jq/sysext.yaml', text)[0]).toContain(`error: os/jq/sysext.yaml:${message}`);
  });

  it.each([
    ['an empty file', '', 'the definition is empty'],
    ['a list', '- a\n', 'a definition is a map of fields'],
    ['broken YAML', 'from: [base\n', 'os/tools/layer.yaml:2'],
    ['a field twice', 'from: base\nfrom: other\n', '`from` is there twice'],
    ['a wrong type', 'from: base\npackages: 3\n', '`packages`'],
    ['a relative target', 'from: base\ntrees: [{ source: a, target: b }]\n', 'a path in a layer starts with /'],
    ['a field that is missing', 'packages: [a/b]\n', '`from`'],
  ])('refuses %s', (_what, text, message) => {
    const [first] = problems('os/tools/layer.yaml', text);
    expect(first).toContain(message);
    expect(first?.split('\n')).toHaveLength(2);
  });

  it.each([
    ['a version', 'packages: [1.10]', '`packages[0]`: an atom is written category/name', '`packages`: Atoms to merge'],
    ['a number for a name', 'name: 1.10', '`name` has to be a text, and is a number', 'quote it: "1.10"'],
    ['true for a tag', 'tags: [true]', '`tags[0]` has to be a text, and is `true`', 'quote it: "true"'],
    ['one for a list', 'scripts: a.sh', '`scripts` has to be a list, and is a text', 'write it as a list: [a.sh]'],
    ['nothing', 'packages:', '`packages` has no value', '`packages`: Atoms to merge'],
    ['one thing twice', 'packages: [a/b, a/b]', '`packages[1]`: a/b is there twice', '`packages`: Atoms to merge'],
    ['a tab', 'trees:\n\t- source: a', 'a tab indents this line', 'YAML indents with spaces'],
    ['no anchor', 'tags: *none', 'there is no anchor &none before the alias *none', 'correct its name, or quote'],
    ['a list for a name', '? [a, b]\n: c', 'the name of a field has to be a text', 'write the field as `name: value`'],
    [
      'two documents',
      '---\nfrom: b',
      'the file has more than one document',
      'give each definition a folder of its own',
    ],
    [
      'a tag of a language',
      'description: !!js/function "x"',
      'Unresolved tag: tag:yaml.org,2002:js/function',
      'correct',
    ],
    [
      'an absolute path',
      'scripts: [/a.sh]',
      '`scripts[0]`: a path is relative to the folder of the def',
      '`scripts`: S',
    ],
    [
      'a device that is none',
      'devices: [{ path: /dev/a, type: char, minor: 1 }]',
      '`devices[0].major`: a char device h',
      '',
    ],
  ])('refuses %s', (_what, text, message, hint) => {
    const [first, ...others] = problems('os/tools/layer.yaml', `from: base\n${text}\n`);
    expect(first).toMatch(/^error: os\/tools\/layer\.yaml:[23]: /);
    expect(first).toContain(`: ${message}`);
    expect(first).toContain(`\nhint: ${hint}`);
    expect(others).toEqual([]);
  });

  it.each([
    ['{ tarbal: a, digest: b }', 'unknown field `tarbal` in `from`', 'did you mean `tarball`?'],
    ['{ debian: trixie }', '`from.debian` has to be a map, and is a text', '`from.debian`: Packages of a Debian'],
    ['12', '`from` has to be a map, `scratch` or a text, and is a number', 'quote it: "12"'],
    ['[a]', '`from` has to be a map, `scratch` or a text, and is a list', '`from`: `scratch`, the name of the parent'],
  ])('of all forms that a field may have means the likely one: from: %s', (value, message, hint) => {
    const found = problems('os/tools/layer.yaml', `from: ${value}\n`);
    expect(found.some((one) => one.startsWith(`error: os/tools/layer.yaml:1: ${message}\nhint: ${hint}`))).toBe(true);
    expect(found.join()).not.toContain('`from.tarball` is missing');
  });

  it.each([
    ['{ rnu: ls }', 'unknown field `rnu` in `test.steps[0]`\nhint: did you mean `run`?'],
    ['{ expect: a, run: b }', '`run` cannot be beside `expect` in `test.steps[0]`\nhint: `test.steps`: '],
    ['{ run: jq, output: 1.10 }', '`test.steps[0].output` has to be a text, and is a number\nhint: quote it: "1.10"'],
  ])('says one thing about the step %s', (step, message) => {
    const found = problems('os/x/image.yaml', `layers: [a]\ntest: { steps: [${step}] }\n`);
    expect(found).toEqual([expect.stringContaining(message)]);
  });

  it('takes what editors of other systems leave, and paths as people write them', () => {
    const text = definitionText('a', Buffer.from('\uFEFFfrom: base\r\ntrees: [{ source: ./a//b/, target: / }]\r\n'));
    expect(readDefinition('os/x/layer.yaml', text)).toMatchObject({
      definition: { from: 'base', trees: [{ source: 'a/b' }] },
    });
  });

  it.each([
    [
      'another encoding',
      Buffer.from('from: a\ndescription: caf\xe9\n', 'latin1'),
      'os/x/layer.yaml:2: the file is not a',
    ],
    [
      'two bytes a character',
      Buffer.from('from: a\n', 'utf16le'),
      'os/x/layer.yaml:1: the file is not a text in UTF-8',
    ],
    ['a whole tree of data', Buffer.alloc(2 << 20, 'a'), 'os/x/layer.yaml: the file has 2097152 bytes'],
  ])('is no file in %s', (_what, bytes, message) => {
    let lines: readonly string[] = [];
    try {
      definitionText('os/x/layer.yaml', bytes);
    } catch (error) {
      ({ lines } = error as UserError);
    }
    expect(lines).toEqual([expect.stringContaining(message), expect.stringContaining('hint: ')]);
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
    expect(check(place('os/tools/layer.yaml', 'from: web\n'))).toEqual([
      "error: os/tools/layer.yaml:1: web (apps/web) is no project of Strata's, and a layer is needed here\nhint: name a project with a layer.yaml",
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

  it('name nothing outside of the workspace', () => {
    const tree = (source: string): string => `from: scratch\ntrees: [{ source: ${source}, target: / }]\n`;
    expect(check(place('os/a/layer.yaml', tree('../../..')), place('os/b/layer.yaml', tree('../shared')))).toEqual([
      'error: os/a/layer.yaml:2: ../../.. lies outside of the workspace\nhint: copy it into the workspace',
    ]);
  });

  it('with packages need a repository and a profile', () => {
    const found = check(place('os/a/layer.yaml', 'from: scratch\npackages: [app-misc/jq]\n'));
    expect(found.join('\n')).toContain('neither it nor a parent names a repository');
    expect(found.join('\n')).toContain('neither it nor a parent has a profile');
  });
});
