import { closeSync, constants, existsSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { absolutePath } from '@strata/fingerprint';
import { openStore, type Store } from '@strata/store';
import { rm } from 'node:fs/promises';
import { JobPool } from './job-pool.js';

/** A client of a pool, which takes tokens and keeps them, as a make with many targets does. */
class Client {
  tokens = 0;

  private constructor(private readonly descriptor: number) {}

  static async of(pool: JobPool): Promise<Client> {
    return new Client(openSync(await pool.fifo(), constants.O_RDWR | constants.O_NONBLOCK));
  }

  /** Takes tokens as they come, for a while or until there are as many. */
  async take(wanted: number, milliseconds: number): Promise<number> {
    for (let waited = 0; waited < milliseconds && this.tokens < wanted; waited += 20) {
      try {
        this.tokens += readSync(this.descriptor, Buffer.alloc(1));
      } catch {
        await sleep(20);
      }
    }
    return this.tokens;
  }

  giveBack(): void {
    for (; this.tokens > 0; this.tokens -= 1) {
      writeSync(this.descriptor, '+');
    }
    closeSync(this.descriptor);
  }
}

describe('the pool of job tokens', () => {
  const cores = availableParallelism();
  let folder: string;
  let store: Store;

  beforeEach(async () => {
    folder = mkdtempSync('/var/tmp/strata-jobs-');
    store = await openStore({
      root: absolutePath(join(folder, 'store')),
      remove: (path) => rm(path, { recursive: true, force: true }),
    });
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('has one token for each core, however many ask', async () => {
    const pool = new JobPool(store);
    const client = await Client.of(pool);
    expect(await client.take(cores, 20_000)).toBe(cores);
    expect(await client.take(cores + 1, 1_500)).toBe(cores);
    client.giveBack();
    await pool.close();
  });

  it('makes nothing before somebody asks', async () => {
    const pool = new JobPool(store);
    await pool.close();
    expect(existsSync(join(store.root, 'jobs'))).toBe(false);
  });

  it('shares them between all that build, and gets back what one of them held', async () => {
    const [first, second] = [new JobPool(store), new JobPool(store)];
    const [busy, waiting] = [await Client.of(first), await Client.of(second)];
    // the second may have been quick enough to hold one before anybody asked
    await waiting.take(1, 1_000);
    const rest = cores - waiting.tokens;
    expect(await busy.take(rest, 20_000)).toBe(rest);
    expect(await busy.take(rest + 1, 1_000)).toBe(rest);
    busy.giveBack();
    await first.close();
    expect(await waiting.take(cores, 20_000)).toBe(cores);
    waiting.giveBack();
    await second.close();
  });

  it('takes back all that lies idle, so that nobody waits for who waits for him', async () => {
    const [idle, second] = [new JobPool(store), new JobPool(store)];
    const before = await Client.of(idle);
    await before.take(cores, 3_000);
    before.giveBack();
    const client = await Client.of(second);
    expect(await client.take(cores, 20_000)).toBe(cores);
    client.giveBack();
    await idle.close();
    await second.close();
  });
});
