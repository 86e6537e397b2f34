import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
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

  it('leaves out what git ignores, unless it is another task’s output', async () => {
    execFileSync('git', ['init', '--quiet', folder]);
    writeFileSync(join(folder, '.gitignore'), 'notes\n');
    const paths = (await scan()).manifest.entries.map(({ path }) => path);
    expect(paths).not.toContain('notes');
    expect(paths).not.toContain('.git');
    const all = await scanTree(folder, { gitIgnored: 'include' });
    expect(all.manifest.entries.map(({ path }) => path)).toContain('notes');
  });

  it('refuses what is neither file, folder nor symlink, and a folder that is not there', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    await expect(scan()).rejects.toThrow(`${folder}/pipe is neither a file, a folder nor a symlink`);
    await expect(scanTree(absolutePath('/nowhere'), { gitIgnored: 'include' })).rejects.toThrow(
      'there is no folder /nowhere',
    );
  });
});
