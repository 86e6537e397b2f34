import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { absolutePath, digestOf, type AbsolutePath } from '@strata/fingerprint';
import { openStore, type ActionKey } from './index.js';
import { kill, killStarted, nextWords, printed, remove, startScript, until } from './testing/processes.js';

const mediaType = 'text/plain';
const wait = 'setInterval(() => {}, 1000);';

describe('a store that several processes use', () => {
  let root: AbsolutePath;
  const path = (...names: string[]): string => join(root, ...names);
  const scratchFiles = (): string[] =>
    readdirSync(path('scratch'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.lock'))
      .map((entry) => join(entry.parentPath, entry.name));

  beforeEach(() => {
    root = absolutePath(mkdtempSync('/var/tmp/strata-store-'));
  });

  afterEach(async () => {
    await killStarted();
    rmSync(root, { recursive: true });
  });

  it('shows nothing of what a process put that is killed meanwhile, and removes it at the next opening', async () => {
    const child = startScript(root, `await (await open()).put(process.stdin, { mediaType: '${mediaType}' });`);
    child.stdin?.write(Buffer.alloc(1 << 20));
    await until(() => existsSync(path('scratch')) && scratchFiles().some((file) => statSync(file).size === 1 << 20));
    await kill(child);
    expect(readdirSync(path('blobs/sha256'))).toEqual([]);
    expect(scratchFiles()).toHaveLength(1);
    await openStore({ root, remove });
    expect(readdirSync(path('scratch'))).toEqual([]);
  });

  it('removes what was left without a lock, and nothing of those who live', async () => {
    const store = await openStore({ root, remove });
    const child = startScript(root, `console.log((await (await open()).scratch()).path); ${wait}`);
    const living = await nextWords(child);
    const own = await store.scratch();
    mkdirSync(path('scratch', 'left', 'deep'), { recursive: true });
    writeFileSync(path('scratch', 'gone.lock'), '');
    await openStore({ root, remove });
    expect(existsSync(path('scratch', 'left'))).toBe(false);
    expect(existsSync(path('scratch', 'gone.lock'))).toBe(false);
    expect(existsSync(living)).toBe(true);
    expect(existsSync(own.path)).toBe(true);
    await kill(child);
  });

  it('takes the same content from several at once', async () => {
    const script = `
      const store = await open();
      const content = Buffer.alloc(1 << 20, 'same');
      for (let round = 0; round < 20; round++) {
        const artifact = await store.put(content, { mediaType: '${mediaType}' });
        if (digestOf(await store.readText(artifact)) !== artifact.digest) throw new Error('not the same');
      }`;
    await Promise.all([1, 2, 3].map(() => printed(startScript(root, script))));
    const store = await openStore({ root, remove });
    expect((await store.status()).artifacts).toEqual({ count: 1, bytes: 1 << 20 });
    expect(await store.find(digestOf(Buffer.alloc(1 << 20, 'same')), mediaType)).toBeDefined();
    expect(readdirSync(path('scratch'))).toEqual([]);
  });

  it('lets each action run once, whoever else asks for it', async () => {
    const script = `
      import { appendFileSync } from 'node:fs';
      const store = await open();
      for (let number = 0; number < 10; number++) {
        const key = digestOf('action ' + number);
        await store.withLock('action-' + number, async () => {
          if (await store.lookup(key) === undefined) {
            appendFileSync(root + '/logs/ran', number + '\\n');
            await store.record(key, { outputs: { out: await store.put('made ' + number, { mediaType: 'text/plain' }) } });
          }
        });
      }`;
    await Promise.all([1, 2, 3].map(() => printed(startScript(root, script))));
    const ran = readFileSync(path('logs', 'ran'), 'utf8').trim().split('\n');
    expect(ran.sort()).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    const store = await openStore({ root, remove });
    const { outputs } = (await store.lookup(digestOf('action 3') as ActionKey)) ?? { outputs: {} };
    expect(outputs['out']?.digest).toBe(digestOf('made 3'));
  });

  describe('while one of them holds a lock', () => {
    const script = `
      process.on('SIGINT', () => console.log('interrupted'));
      await (await open()).withLock('work', () => {
        console.log('held');
        return new Promise(() => setInterval(() => {}, 1000));
      });`;

    it('frees it when that one is killed', async () => {
      const store = await openStore({ root, remove });
      const child = startScript(root, script);
      await nextWords(child);
      const events: string[] = [];
      const waiting = store.withLock(
        'work',
        () => Promise.resolve(events.push('ran')),
        () => events.push('waits'),
      );
      await until(() => events.length > 0);
      await kill(child);
      await waiting;
      expect(events).toEqual(['waits', 'ran']);
    });

    it('leaves it to that one when an interrupt from the terminal reaches all that it started', async () => {
      const store = await openStore({ root, remove });
      const child = startScript(root, script, ['setsid']);
      await nextWords(child);
      process.kill(-(child.pid ?? 0), 'SIGINT');
      expect(await nextWords(child)).toBe('interrupted');
      const abort = new AbortController();
      const waiting = store.withLock(
        'work',
        () => Promise.resolve(),
        () => {
          abort.abort();
        },
        abort.signal,
      );
      await expect(waiting).rejects.toThrow(/abort/);
      await kill(child);
    });
  });

  it('ends its waiting for a lock when it is told to, and can take it later', async () => {
    const store = await openStore({ root, remove });
    const abort = new AbortController();
    await store.withLock('work', async () => {
      const waiting = store.withLock(
        'work',
        () => Promise.resolve('ran'),
        () => {
          abort.abort();
        },
        abort.signal,
      );
      await expect(waiting).rejects.toThrow(/abort/);
    });
    expect(await store.withLock('work', () => Promise.resolve('ran'))).toBe('ran');
  });
});
