import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { absolutePath, changeToken, compareTrees, scanTree, type AbsolutePath } from './index.js';

describe('a tree', () => {
  let folder: AbsolutePath;

  beforeEach(() => {
    folder = absolutePath(mkdtempSync('/var/tmp/strata-tree-'));
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'bin/tool'), '#!/bin/sh\n', { mode: 0o755 });
    writeFileSync(join(folder, 'notes'), 'one\n');
    symlinkSync('bin/tool', join(folder, 'link'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const scan = async (): Promise<Awaited<ReturnType<typeof scanTree>>> => scanTree(folder, { gitIgnored: 'exclude' });

  it('has entries sorted by the bytes of their paths, with git’s modes', async () => {
    const { manifest } = await scan();
    expect(manifest.entries.map(({ type, path }) => `${type} ${path}`)).toEqual([
      'directory bin',
      'file bin/tool',
      'symlink link',
      'file notes',
    ]);
    expect(manifest.entries[1]).toMatchObject({ executable: true, size: 10 });
  });

  it('has the same digest wherever it lies and whatever its folders’ modes are', async () => {
    const { manifest } = await scan();
    const copy = absolutePath(`${folder}-copy`);
    execFileSync('cp', ['-r', '--no-dereference', folder, copy]);
    chmodSync(join(copy, 'bin'), 0o700);
    mkdirSync(join(copy, 'empty'));
    expect((await scanTree(copy, { gitIgnored: 'exclude' })).manifest.digest).toBe(manifest.digest);
    rmSync(copy, { recursive: true });
  });

  it.each([
    [
      'a file becomes executable',
      () => {
        chmodSync(join(folder, 'notes'), 0o755);
      },
      'notes',
    ],
    [
      'a link gets another target',
      () => {
        rmSync(join(folder, 'link'));
        symlinkSync('notes', join(folder, 'link'));
      },
      'link',
    ],
    [
      'a content changes',
      () => {
        writeFileSync(join(folder, 'notes'), 'two\n');
      },
      'notes',
    ],
  ])('tells that %s', async (_what, change, path) => {
    const before = await scan();
    change();
    const after = await scan();
    expect(after.manifest.digest).not.toBe(before.manifest.digest);
    expect(compareTrees(before.manifest, after.manifest).map((entry) => `${entry.change} ${entry.path}`)).toEqual([
      `changed ${path}`,
    ]);
  });

  it('notices a file that was written to and put back', async () => {
    const { token, manifest } = await scan();
    const paths = manifest.entries.map(({ path }) => path);
    expect(await changeToken(folder, paths)).toBe(token);
    writeFileSync(join(folder, 'notes'), 'two\n');
    writeFileSync(join(folder, 'notes'), 'one\n');
    expect((await scan()).manifest.digest).toBe(manifest.digest);
    expect(await changeToken(folder, paths)).not.toBe(token);
  });

  it('notices an entry that came or went, also below a symlink that is the root', async () => {
    const link = absolutePath(`${folder}-link`);
    symlinkSync(folder, link);
    try {
      for (const root of [folder, link]) {
        const { token, manifest } = await scanTree(root, { gitIgnored: 'exclude' });
        const paths = manifest.entries.map(({ path }) => path);
        expect(await changeToken(root, paths)).toBe(token);
        writeFileSync(join(folder, 'new'), '');
        const afterwards = await changeToken(root, paths);
        expect(afterwards).not.toBe(token);
        unlinkSync(join(folder, 'new'));
        expect([token, afterwards]).not.toContain(await changeToken(root, paths));
      }
    } finally {
      unlinkSync(link);
    }
  });

  it('leaves out what globs say, with all that is below', async () => {
    mkdirSync(join(folder, 'docs/deep'), { recursive: true });
    writeFileSync(join(folder, 'docs/deep/page'), '');
    execFileSync('mkfifo', [join(folder, 'docs/pipe')]);
    const { manifest } = await scanTree(folder, { gitIgnored: 'exclude', exclude: ['docs', '**/n[a-o]tes'] });
    expect(manifest.entries.map(({ path }) => path)).toEqual(['bin', 'bin/tool', 'link']);
  });

  it('sorts by bytes, where UTF-16 has another order', async () => {
    for (const name of ['\u{1F600}', '\uFF5E', '\uFFFD', 'z']) {
      writeFileSync(join(folder, name), '');
    }
    expect((await scan()).manifest.entries.map(({ path }) => path).slice(-4)).toEqual([
      'z',
      '\uFF5E',
      '\uFFFD',
      '\u{1F600}',
    ]);
  });

  it('leaves out what git ignores, unless it is another task’s output', async () => {
    execFileSync('git', ['init', '--quiet', folder]);
    writeFileSync(join(folder, '.gitignore'), 'notes\n');
    const paths = (await scan()).manifest.entries.map(({ path }) => path);
    expect(paths).not.toContain('notes');
    expect(paths).not.toContain('.git');
    const all = await scanTree(folder, { gitIgnored: 'include' });
    expect(all.manifest.entries.map(({ path }) => path)).toContain('notes');
  });

  it('asks git for real: tracked files count, submodules ignore for themselves, hooks do not mislead it', async () => {
    const git = (...words: string[]): Buffer => execFileSync('git', ['-C', folder, ...words]);
    git('init', '--quiet');
    writeFileSync(join(folder, '.gitignore'), 'made\n');
    mkdirSync(join(folder, 'made'));
    writeFileSync(join(folder, 'made/tracked'), '');
    writeFileSync(join(folder, 'made/\u00e9'), '');
    git('add', '--force', 'made/tracked');
    mkdirSync(join(folder, 'part'));
    git('init', '--quiet', '--separate-git-dir', join(folder, '.git/part'), join(folder, 'part'));
    for (const [name, text] of Object.entries({ '.gitignore': 'own\n', own: '', kept: '' })) {
      writeFileSync(join(folder, 'part', name), text);
    }
    const expected = ['made', 'made/tracked', 'part', 'part/.gitignore', 'part/kept'];
    const found = async (): Promise<string[]> =>
      (await scan()).manifest.entries.map(({ path }) => path).filter((path) => /^(made|part)/.test(path));
    expect(await found()).toEqual(expected);
    process.env['GIT_DIR'] = join(folder, '.git/part');
    try {
      expect(await found()).toEqual(expected);
    } finally {
      delete process.env['GIT_DIR'];
    }
  });

  it('never guesses what git would have ignored', async () => {
    execFileSync('git', ['init', '--quiet', folder]);
    writeFileSync(join(folder, '.gitignore'), 'bin\n');
    mkdirSync(join(folder, 'bin/deep'));
    for (const ignored of ['bin', 'bin/deep']) {
      const root = absolutePath(join(folder, ignored));
      await expect(scanTree(root, { gitIgnored: 'exclude' })).rejects.toThrow(`git ignores the folder ${root}`);
    }
    writeFileSync(join(folder, '.git/config'), '[core');
    await expect(scan()).rejects.toThrow('git cannot tell what it ignores');
    const { PATH } = process.env;
    process.env['PATH'] = folder;
    try {
      await expect(scan()).rejects.toThrow('git cannot be started');
      rmSync(join(folder, '.git'), { recursive: true });
      expect((await scan()).manifest.entries).toHaveLength(5);
    } finally {
      process.env['PATH'] = PATH;
    }
  });

  it('refuses names and link targets that are not UTF-8', async () => {
    const bytes = (text: string): Buffer => Buffer.concat([Buffer.from(text), Buffer.from([0xff])]);
    symlinkSync(bytes('target'), join(folder, 'odd'));
    await expect(scan()).rejects.toThrow(`the target of the symlink ${folder}/odd is not UTF-8`);
    unlinkSync(join(folder, 'odd'));
    writeFileSync(bytes(join(folder, 'name')), '');
    await expect(scan()).rejects.toThrow(/the name of .*name.* is not UTF-8/);
  });

  it('says which file goes away while it is read', async () => {
    const reading = Array.from({ length: 300 }, (_, index) => join(folder, `file-${index}`));
    reading.forEach((file) => {
      writeFileSync(file, 'x');
    });
    const scanning = scan();
    reading.forEach(unlinkSync);
    await scanning.then(
      // all were gone before the folder was listed
      ({ manifest }) => {
        expect(manifest.entries).toHaveLength(4);
      },
      (error: unknown) => {
        expect((error as Error).message).toMatch(/file-\d+ was replaced or removed while it was being read$/);
      },
    );
  });

  it('refuses what is neither file, folder nor symlink, and a folder that is not there', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    await expect(scan()).rejects.toThrow(`${folder}/pipe is neither a file, a folder nor a symlink`);
    await expect(scanTree(absolutePath('/nowhere'), { gitIgnored: 'include' })).rejects.toThrow(
      'there is no folder /nowhere',
    );
  });
});
