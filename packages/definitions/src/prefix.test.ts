import { checkWorkspace, readDefinition, type PlacedDefinition } from './index.js';

const rest = 'repositories: [main]\nprofile: main:base\npackages: [app-misc/jq]\n';

function placed(name: string, text: string): PlacedDefinition {
  const file = `os/${name}/prefix.yaml`;
  const read = readDefinition(file, text);
  if (!read.ok) {
    throw new Error(read.problems.map(({ lines }) => lines.join('\n')).join('\n'));
  }
  return { file, root: `os/${name}`, name, ...read };
}

describe('a prefix', () => {
  it('is for amd64 and has a C library of its own, unless it says otherwise', () => {
    expect(placed('jq', `path: /opt/jq\n${rest}`).definition).toMatchObject({
      kind: 'prefix',
      board: 'amd64-usr',
      libc: 'bundled',
      masks: [],
    });
  });

  it.each([
    [
      'a relative path',
      'path: opt/jq',
      'starts with /: it is where the programs lie when they run\nhint: write /opt/jq',
    ],
    ['the whole root', 'path: /', 'a prefix cannot be the whole root'],
    ['a path that is neither below /opt nor below /usr', 'path: /srv/jq', 'a prefix lies below /opt or /usr'],
    ['the folder of all prefixes', 'path: /opt', 'a prefix lies below /opt or /usr'],
    ['a folder of the system', 'path: /usr/lib64', '/usr/lib64 belongs to the system'],
    ['a way up', 'path: /opt/jq/../../etc', 'a path of a prefix has letters'],
    ['a slash at the end', 'path: /opt/jq/', 'a path of a prefix has letters'],
    ['a space', 'path: /opt/j q', 'a path of a prefix has letters'],
    ['an unknown board', 'path: /opt/jq\nboard: riscv64-usr', '`board`'],
    [
      'a name that a command would take as an option',
      'path: /opt/jq\nname: -jq',
      'a project name begins with a letter',
    ],
    ['a mask with a space', 'path: /opt/jq\nmasks: ["/usr/share/my doc"]', 'a mask has no spaces'],
  ])('does not take %s', (_what, text, message) => {
    const read = readDefinition('os/jq/prefix.yaml', `${text}\n${rest}`);
    const lines = read.ok ? [] : read.problems.map((problem) => problem.lines);
    expect(lines).toHaveLength(1);
    expect(lines[0]?.join('\n')).toContain(message);
    expect(lines[0]).toHaveLength(2);
  });

  it('shares its path with no other prefix of its board, and lies in none', () => {
    const repository = readDefinition('os/main/repository.yaml', '{}\n');
    if (!repository.ok) {
      throw new Error('the repository is not read');
    }
    const problems = checkWorkspace(
      [
        { file: 'os/main/repository.yaml', root: 'os/main', name: 'main', ...repository },
        placed('jq', `path: /opt/jq\n${rest}`),
        placed('twin', `path: /opt/jq\n${rest}`),
        placed('inner', `path: /opt/jq/inner\n${rest}`),
        placed('beside', `path: /opt/jq-beside\n${rest}`),
        placed('double', `path: /opt/double\n${rest.replace('[main]', '[main, { name: main, priority: 3 }]')}`),
        placed('other-board', `path: /opt/jq\nboard: arm64-usr\n${rest}`),
      ],
      new Map(),
    );
    expect([...problems].map(([file, found]) => [file, found.map(({ message }) => message)])).toEqual([
      ['os/jq/prefix.yaml', ['twin (os/twin/prefix.yaml) uses /opt/jq too']],
      ['os/twin/prefix.yaml', ['jq (os/jq/prefix.yaml) uses /opt/jq too']],
      [
        'os/inner/prefix.yaml',
        [
          '/opt/jq/inner lies in /opt/jq, which is the path of jq (os/jq/prefix.yaml)',
          '/opt/jq/inner lies in /opt/jq, which is the path of twin (os/twin/prefix.yaml)',
        ],
      ],
      ['os/double/prefix.yaml', ['the repository main is named twice']],
    ]);
  });
});
