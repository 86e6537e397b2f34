import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import xxhash from 'xxhash-wasm';
import {
  absolutePath,
  compareTrees,
  digestOf,
  digestOfJson,
  scanTree,
  type AbsolutePath,
  type Digest,
} from './index.js';

// longer than a file's time may be in doubt
const age = 2100;
const trees = 24;
const wrong = 'ff'.repeat(32);

describe('the index of a tree', () => {
  let base: AbsolutePath;
  let indexFolder: AbsolutePath;
  let folder: AbsolutePath;
  let used = 0;

  // their files have to be old enough to be remembered for certain, and no program can set a ctime
  beforeAll(async () => {
    base = absolutePath(mkdtempSync('/var/tmp/strata-index-'));
    for (let tree = 0; tree < trees; tree++) {
      const root = join(base, `tree-${tree}`);
      mkdirSync(join(root, 'many'), { recursive: true });
      mkdirSync(join(root, 'empty/below'), { recursive: true });
      for (let file = 0; file < 120; file++) {
        writeFileSync(join(root, 'many', `file-${file}`), `content ${String(file).padStart(3, '0')}\n`);
      }
      symlinkSync('many/file-1', join(root, 'link'));
    }
    await sleep(age);
  });

  afterAll(() => {
    rmSync(base, { recursive: true });
  });

  beforeEach(() => {
    folder = absolutePath(join(base, `tree-${used++}`));
    indexFolder = absolutePath(join(folder, '../index'));
    rmSync(indexFolder, { recursive: true, force: true });
  });

  const path = (...names: string[]): string => join(folder, ...names);
  const scan = (root = folder): ReturnType<typeof scanTree> => scanTree(root, { gitIgnored: 'include', indexFolder });
  const indexFile = (): string => {
    const [name = '', ...more] = readdirSync(indexFolder);
    expect(more).toEqual([]);
    return join(indexFolder, name);
  };
  const digestIn = async (name: string): Promise<Digest | undefined> => {
    const entry = (await scan()).manifest.entries.find((candidate) => candidate.path === name);
    return entry?.type === 'file' ? entry.digest : undefined;
  };

  /** Writes a digest that no file has into the index, for every file, so that one can see who is taken from there. */
  async function poison(): Promise<void> {
    const bytes = readFileSync(indexFile());
    const rows = Number(bytes.readBigUInt64LE(56));
    bytes.write(wrong.repeat(rows), 144 + rows * 48, 'hex');
    // no manifest is taken for the tree's as a whole
    bytes.fill(0, 64, 72);
    bytes.writeBigUInt64LE((await xxhash()).h64Raw(bytes.subarray(16)), 8);
    writeFileSync(indexFile(), bytes);
  }

  /** That a scan with the index says what a scan without it says. */
  async function expectTruth(): Promise<void> {
    const known = await scan();
    const truth = await scanTree(folder, { gitIgnored: 'include' });
    expect(compareTrees(truth.manifest, known.manifest)).toEqual([]);
    expect(known.manifest.digest).toBe(truth.manifest.digest);
    expect(known.manifest.digest).toBe(digestOfJson(truth.manifest.entries.map((entry) => ({ ...entry }))));
    expect(known.token).toBe(truth.token);
  }

  it('spares reading what is as it was, and nothing else', async () => {
    await scan();
    await poison();
    writeFileSync(path('many/file-7'), 'CONTENT 007\n');
    expect(await digestIn('many/file-7')).toBe(digestOf('CONTENT 007\n'));
    expect(await digestIn('many/file-8')).toBe(`sha256:${wrong}`);
  });

  it('gives the digest of the whole tree where nothing changed', async () => {
    const { manifest } = await scan();
    const written = lstatSync(indexFile());
    const again = await scan();
    expect(again.manifest.digest).toBe(manifest.digest);
    expect(again.manifest.entries).toEqual(manifest.entries);
    expect(lstatSync(indexFile()).ino).toBe(written.ino);
  });

  it.each<[string, () => void]>([
    [
      'an edit of the same size whose mtime is put back',
      () => {
        const { atime, mtime } = lstatSync(path('many/file-1'));
        writeFileSync(path('many/file-1'), 'CONTENT 001\n');
        utimesSync(path('many/file-1'), atime, mtime);
      },
    ],
    [
      'a mode',
      () => {
        chmodSync(path('many/file-1'), 0o755);
      },
    ],
    [
      'the target of a link',
      () => {
        unlinkSync(path('link'));
        symlinkSync('many/file-2', path('link'));
      },
    ],
    [
      'two files that change places',
      () => {
        renameSync(path('many/file-1'), path('aside'));
        renameSync(path('many/file-2'), path('many/file-1'));
        renameSync(path('aside'), path('many/file-2'));
      },
    ],
    [
      'a file that goes and one that comes',
      () => {
        unlinkSync(path('many/file-1'));
        writeFileSync(path('many/file-1a'), 'new');
      },
    ],
    [
      'a file in a folder that was empty',
      () => {
        writeFileSync(path('empty/below/file'), '');
      },
    ],
    [
      'a file beside all the others',
      () => {
        writeFileSync(path('new'), '');
      },
    ],
    [
      'a folder that goes',
      () => {
        rmSync(path('many'), { recursive: true });
      },
    ],
    [
      'a folder in place of a file',
      () => {
        unlinkSync(path('many/file-1'));
        mkdirSync(path('many/file-1'));
        writeFileSync(path('many/file-1/file'), '');
      },
    ],
    [
      'a folder that changes places with another',
      () => {
        mkdirSync(path('other'));
        writeFileSync(path('other/file-1'), 'content 00X\n');
        renameSync(path('many'), path('aside'));
        renameSync(path('other'), path('many'));
      },
    ],
  ])('notices %s', async (_what, change) => {
    const before = await scan();
    change();
    await expectTruth();
    await expectTruth();
    expect((await scan()).manifest.digest).not.toBe(before.manifest.digest);
  });

  it('notices edits right after it was written, however short the time', async () => {
    for (let edit = 0; edit < 60; edit++) {
      const content = `content ${String(edit).padStart(3, '0')}\n`;
      writeFileSync(path('many/file-1'), content);
      expect(await digestIn('many/file-1')).toBe(digestOf(content));
      writeFileSync(path('many/file-1'), content.toUpperCase());
      expect(await digestIn('many/file-1')).toBe(digestOf(content.toUpperCase()));
    }
  });

  it('reads again what was written shortly before it was read, and remembers it later', async () => {
    writeFileSync(path('many/file-1'), 'fresh');
    await scan();
    await poison();
    expect(await digestIn('many/file-1')).toBe(digestOf('fresh'));
    await sleep(age);
    rmSync(indexFile());
    await scan();
    await poison();
    expect(await digestIn('many/file-1')).toBe(`sha256:${wrong}`);
  });

  it('is ignored and made anew where it is damaged', async () => {
    const { manifest } = await scan();
    const whole = readFileSync(indexFile());
    const expectRebuilt = async (): Promise<void> => {
      expect((await scan()).manifest.digest).toBe(manifest.digest);
      // all but the times are the same
      expect(readFileSync(indexFile()).subarray(64)).toEqual(whole.subarray(64));
    };
    await poison();
    const poisoned = readFileSync(indexFile());
    for (const at of [0, 7, 8, 15, 16, 40, 48, 56, 60, 63, 70, 80, 104, 140, 200, whole.length - 1]) {
      const damaged = Buffer.from(poisoned);
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      writeFileSync(indexFile(), damaged);
      await expectRebuilt();
    }
    for (const length of [0, 1, 8, 16, 143, 144, 145, 5000, whole.length - 1]) {
      writeFileSync(indexFile(), poisoned);
      truncateSync(indexFile(), length);
      await expectRebuilt();
    }
    writeFileSync(indexFile(), Buffer.concat([poisoned, Buffer.from('more')]));
    await expectRebuilt();
    writeFileSync(indexFile(), '{"not": "an index"}'.repeat(100));
    await expectRebuilt();
  });

  it('is ignored where its row count lies, even with a right checksum', async () => {
    await scan();
    const whole = readFileSync(indexFile());
    for (const rows of [0n, 1n, 1n << 31n, (1n << 64n) - 1n]) {
      const bytes = Buffer.from(whole);
      bytes.writeBigUInt64LE(rows, 56);
      bytes.writeBigUInt64LE((await xxhash()).h64Raw(bytes.subarray(16)), 8);
      writeFileSync(indexFile(), bytes);
      await expectTruth();
    }
  });

  it('does without where it can be neither read nor written', async () => {
    await scan();
    const file = indexFile();
    rmSync(file);
    mkdirSync(file);
    await expectTruth();
    rmSync(indexFolder, { recursive: true });
    writeFileSync(indexFolder, 'a file');
    await expectTruth();
    rmSync(indexFolder);
  });

  it('is not taken for that of another tree', async () => {
    await scan();
    await poison();
    const own = indexFile();
    const aside = join(base, 'aside');
    renameSync(own, aside);
    const other = absolutePath(join(base, `tree-${trees - 1}`));
    await scan(other);
    copyFileSync(aside, indexFile());
    const { manifest } = await scan(other);
    expect(manifest.digest).toBe((await scanTree(other, { gitIgnored: 'include' })).manifest.digest);
  });

  it('is right whoever writes it at the same time', async () => {
    const script = `
      import { absolutePath, scanTree } from ${JSON.stringify(new URL('index.js', import.meta.url).href)};
      const [folder, indexFolder] = process.argv.slice(1).map(absolutePath);
      for (let run = 0; run < 40; run++) {
        await scanTree(folder, { gitIgnored: 'include', indexFolder });
      }`;
    const started = [1, 2, 3].map(() =>
      spawn(process.execPath, ['--input-type=module', '--eval', script, folder, indexFolder], { stdio: 'inherit' }),
    );
    const ended = started.map(async (child): Promise<unknown> => (await once(child, 'exit'))[0] as unknown);
    let running = true;
    const done = Promise.all(ended).finally(() => {
      running = false;
    });
    for (let edit = 0; running as boolean; edit++) {
      // in place: a file that is replaced may be gone for a moment
      writeFileSync(path(`many/file-${edit % 100}`), `CONTENT ${String(edit % 1000).padStart(3, '0')}\n`, {
        flag: 'r+',
      });
      await sleep(2);
    }
    expect(await done).toEqual([0, 0, 0]);
    await expectTruth();
    expect(readdirSync(indexFolder)).toHaveLength(1);
  });

  it('deletes what others left that were killed, and what nobody uses', async () => {
    mkdirSync(indexFolder);
    const old = (days: number): Date => new Date(Date.now() - days * 24 * 3600 * 1000);
    for (const [name, days] of Object.entries({ 'aaaa.part': 2, 'bbbb.part': 0, cccc: 31, dddd: 29 })) {
      writeFileSync(join(indexFolder, name), '');
      utimesSync(join(indexFolder, name), old(days), old(days));
    }
    await scan();
    expect(readdirSync(indexFolder).filter((name) => name.length < 32)).toEqual(['bbbb.part', 'dddd']);
  });

  it('notices that git ignores something else, also where no file of the tree tells', async () => {
    execFileSync('git', ['init', '--quiet', folder]);
    writeFileSync(path('.git/info/exclude'), 'file-1\n');
    await sleep(age);
    const count = async (): Promise<number> => {
      const { manifest } = await scanTree(folder, { gitIgnored: 'exclude', indexFolder });
      const truth = await scanTree(folder, { gitIgnored: 'exclude' });
      expect(manifest.digest).toBe(truth.manifest.digest);
      return manifest.entries.length;
    };
    expect(await count()).toBe(121);
    expect(await count()).toBe(121);
    writeFileSync(path('.git/info/exclude'), 'file-1?\n');
    expect(await count()).toBe(112);
    writeFileSync(path('.git/info/exclude'), '');
    expect(await count()).toBe(122);
    // what is in git counts, whatever it ignores
    writeFileSync(path('.git/info/exclude'), 'many\n');
    expect(await count()).toBe(1);
    execFileSync('git', ['-C', folder, 'add', '--force', 'many/file-5']);
    expect(await count()).toBe(3);
  });

  it('notices what changes in the rules of a repository below', async () => {
    execFileSync('git', ['init', '--quiet', folder]);
    execFileSync('git', ['init', '--quiet', path('many')]);
    await sleep(age);
    const paths = async (): Promise<string[]> =>
      (await scanTree(folder, { gitIgnored: 'exclude', indexFolder })).manifest.entries.map((entry) => entry.path);
    expect(await paths()).toHaveLength(122);
    expect(await paths()).toHaveLength(122);
    writeFileSync(path('many/.git/info/exclude'), 'file-1\n');
    expect(await paths()).toHaveLength(121);
  });

  it('copes with names of any characters', async () => {
    for (const name of ['line\nbreak', 'ta\tb', '\u{1f600}', '\uff5e', ' ', '-n', 'back\\slash', '"quoted"']) {
      writeFileSync(path(name), name);
    }
    await sleep(age);
    await scan();
    await expectTruth();
    await poison();
    expect(await digestIn('line\nbreak')).toBe(`sha256:${wrong}`);
  });
});
