import { compareTrees, digestOf, digestOfJson, type TreeEntry, type TreeManifest } from './index.js';

const tree = (...entries: TreeEntry[]): TreeManifest => ({
  entries,
  digest: digestOfJson(entries.map((entry) => ({ ...entry }))),
});
const file = (path: string, content: string, executable = false): TreeEntry => ({
  type: 'file',
  path,
  executable,
  size: content.length,
  digest: digestOf(content),
});

describe('two trees', () => {
  it('differ in nothing when they are equal', () => {
    expect(compareTrees(tree(file('a', 'x')), tree(file('a', 'x')))).toEqual([]);
  });

  it('differ in what came, went and changed, by path', () => {
    const before = tree(file('b', 'x'), file('c', 'x'), { type: 'symlink', path: 'd', target: 'b' }, file('e', 'x'));
    const after = tree(
      file('a', 'x'),
      file('b', 'x', true),
      { type: 'directory', path: 'd' },
      file('d/f', 'x'),
      file('e', 'x'),
    );
    expect(compareTrees(before, after).map(({ change, path }) => `${change} ${path}`)).toEqual([
      'added a',
      'changed b',
      'removed c',
      'changed d',
      'added d/f',
    ]);
  });
});
