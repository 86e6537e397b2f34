import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { UserError } from '@strata/definitions';
import { absolutePath, changeToken, scanTree, type AbsolutePath } from './index.js';

describe('a tree with what nobody expects', () => {
  let base: AbsolutePath;
  let folder: AbsolutePath;

  beforeEach(() => {
    base = absolutePath(mkdtempSync('/var/tmp/strata-odd-'));
    folder = absolutePath(join(base, 'tree'));
    mkdirSync(folder);
    writeFileSync(join(folder, 'file'), 'x');
  });

  afterEach(() => {
    rmSync(base, { recursive: true });
  });

  const indexFolder = (): AbsolutePath => absolutePath(join(base, 'index'));
  const scan = (root = folder): ReturnType<typeof scanTree> =>
    scanTree(root, { gitIgnored: 'include', indexFolder: indexFolder() });
  const expectTold = async (scanning: Promise<unknown>, message: string): Promise<void> => {
    const error: unknown = await scanning.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).lines).toEqual([
      `error: ${message}`,
      expect.stringMatching(/^hint: [^\n]+$/) as unknown,
    ]);
  };

  it('tells of a socket', async () => {
    const server = createServer().listen(join(folder, 'socket'));
    await once(server, 'listening');
    await expectTold(scan(), `${folder}/socket is neither a file, a folder nor a symlink`);
    server.close();
  });

  it('tells of a FIFO, also where a known file became one', async () => {
    for (let file = 0; file < 100; file++) {
      writeFileSync(join(folder, `file-${file}`), 'x');
    }
    await scan();
    unlinkSync(join(folder, 'file-7'));
    execFileSync('mkfifo', [join(folder, 'file-7')]);
    await expectTold(scan(), `${folder}/file-7 is neither a file, a folder nor a symlink`);
  });

  it.each([
    ['file', 'file', 0o000],
    ['folder', 'closed', 0o000],
    ['file of a folder that may only be listed', 'closed/file', 0o400],
  ])('tells of a %s that may not be read', (_what, path, mode) => {
    mkdirSync(join(folder, 'closed'));
    writeFileSync(join(folder, 'closed/file'), '');
    const closed = path === 'file' ? path : 'closed';
    chmodSync(join(folder, closed), mode);
    const script = `
      import { absolutePath, scanTree } from ${JSON.stringify(new URL('index.js', import.meta.url).href)};
      await scanTree(absolutePath(process.argv[1]), { gitIgnored: 'include' }).catch(({ lines }) => console.log(lines.join('\\n')));`;
    // root may read everything, unless it gave up that right
    const rights = process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search'] : [];
    const words = [...rights, process.execPath, '--input-type=module', '--eval', script, folder];
    const { stdout, stderr } = spawnSync('env', words, { encoding: 'utf8' });
    chmodSync(join(folder, closed), 0o755);
    expect(stderr).toBe('');
    expect(stdout.split('\n')).toEqual([
      `error: ${folder}/${path} may not be read`,
      'hint: give yourself the right to read it, or leave it out of the tree',
      '',
    ]);
  });

  it('reads the target of links that lead in circles, and follows none', async () => {
    symlinkSync('b', join(folder, 'a'));
    symlinkSync('a', join(folder, 'b'));
    symlinkSync('.', join(folder, 'self'));
    symlinkSync('../..', join(folder, 'up'));
    const { manifest } = await scan();
    expect(
      manifest.entries.map((entry) => (entry.type === 'symlink' ? `${entry.path} ${entry.target}` : entry.path)),
    ).toEqual(['a b', 'b a', 'file', 'self .', 'up ../..']);
    await expectTold(scan(absolutePath(join(folder, 'a'))), `there is no folder ${folder}/a`);
  });

  it('tells that a file is no folder', async () => {
    await expectTold(scan(absolutePath(join(folder, 'file'))), `there is no folder ${folder}/file`);
    await expectTold(scan(absolutePath(join(folder, 'file/below'))), `there is no folder ${folder}/file/below`);
  });

  it('sorts what lies in a folder behind its siblings that sort before the slash', async () => {
    for (const path of ['a/x', 'a/y/z', 'a-b/x', 'a.c', 'a0', 'a b/x', 'empty/empty']) {
      mkdirSync(join(folder, path), { recursive: true });
    }
    for (const path of ['a/x/1', 'a/y/z/1', 'a-b/x/1', 'a.c/1', 'a0/1', 'a b/x/1']) {
      writeFileSync(join(folder, path), '');
    }
    const paths = (await scan()).manifest.entries.map(({ path }) => path);
    expect(paths).toEqual([...paths].sort());
    expect(paths.filter((path) => !path.includes('/'))).toEqual(['a', 'a b', 'a-b', 'a.c', 'a0', 'file']);
    expect(paths).toHaveLength(17);
  });

  it('holds 100,000 files in one folder', async () => {
    for (let file = 0; file < 100_000; file++) {
      writeFileSync(join(folder, `file-${file}`), '');
    }
    const first = await scan();
    const again = await scan();
    expect(again.manifest.digest).toBe(first.manifest.digest);
    expect(again.manifest.entries).toHaveLength(100_001);
    const paths = again.manifest.entries.map(({ path }) => path);
    expect(await changeToken(folder, paths)).toBe(again.token);
    unlinkSync(join(folder, 'file-4711'));
    expect((await scan()).manifest.entries).toHaveLength(100_000);
  });

  it('goes as deep as paths can be', async () => {
    const deep = Array.from({ length: 1000 }, () => 'd').join('/');
    mkdirSync(join(folder, deep), { recursive: true });
    writeFileSync(join(folder, deep, 'file'), 'x');
    expect((await scan()).manifest.entries).toHaveLength(1002);
  });
});
