import { encodeActionResult } from '@strata/store';
import { digestOf } from '@strata/fingerprint';
import { chooseVictims } from './eviction.js';
import { Inventory, type Artifact, type Entry } from './inventory.js';
import { freshBytes, hexOf, team, TestServer } from './testing/rig.js';

/** The same numbers in every run: below `limit`. */
function numbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return (state >> 8) % limit;
  };
}

function artifact(hex: string, size: number, used: number): Artifact {
  return { type: 'artifact', hex, size, used, scopes: new Set(['main']) };
}

function entry(name: string, used: number, ...needs: readonly string[]): Entry {
  const body = { file: name, hex: name, size: 1 };
  return {
    ...{ type: 'entry', kind: 'ac', scope: 'main', name, body, size: 1, used },
    needs: needs.map((hex) => ({ hex, size: 1 })),
  };
}

describe('what has to go', () => {
  const names = (inventory: Inventory, excess: number): string[] =>
    chooseVictims(inventory, excess).map((victim) => (victim.type === 'entry' ? victim.name : victim.hex));

  it('is what was not used for the longest time, and no more than needed', () => {
    const inventory = new Inventory();
    [3, 1, 2].forEach((used) => {
      inventory.addArtifact(artifact(`artifact${used}`, 10, used));
    });
    inventory.addPartial({ type: 'partial', hex: 'partial', scope: 'main', size: 10, used: 1.5 });
    expect(names(inventory, 0)).toEqual([]);
    // each takes a block of the disk, however small
    expect(names(inventory, 4097)).toEqual(['artifact1', 'partial']);
    expect(names(inventory, 100_000)).toEqual(['artifact1', 'partial', 'artifact2', 'artifact3']);
  });

  it('is no artifact that an entry needs which stays', () => {
    const inventory = new Inventory();
    inventory.addArtifact(artifact('shared', 10, 1));
    inventory.addArtifact(artifact('own', 10, 2));
    inventory.addArtifact(artifact('nobodys', 10, 7));
    inventory.addEntry(entry('old', 5, 'shared', 'own'));
    inventory.addEntry(entry('new', 9, 'shared'));
    expect(names(inventory, 100_000)).toEqual(['old', 'own', 'nobodys', 'new', 'shared']);
  });

  it('leaves every entry that stays whole, whatever is there', () => {
    const next = numbers(42);
    for (let round = 0; round < 100; round++) {
      const inventory = new Inventory();
      for (let index = 0; index < 30; index++) {
        inventory.addArtifact(artifact(String(index), next(100), next(50)));
      }
      for (let index = 0; index < 20; index++) {
        const needs = Array.from({ length: next(5) }, () => String(next(30)));
        inventory.addEntry(entry(`entry${index}`, next(50), ...needs));
      }
      const gone = new Set(chooseVictims(inventory, next(250_000)));
      const artifacts = [...inventory.artifacts.values()].filter((one) => !gone.has(one)).map(({ hex }) => hex);
      for (const kept of inventory.entries) {
        if (!gone.has(kept)) {
          expect(artifacts).toEqual(expect.arrayContaining(kept.needs.map(({ hex }) => hex)));
        }
      }
    }
  });
});

describe('a server that is full', () => {
  const server = new TestServer();
  const { file, tokens } = team();
  beforeAll(() => server.start({ tokens: file, words: ['--size', '1MB'] }));
  afterAll(() => server.dispose());

  async function used(): Promise<number> {
    const { text } = await server.get('/metrics', tokens.ci);
    return Number(/^strata_cache_used_bytes (\d+)$/m.exec(text)?.[1]);
  }

  async function putAction(content: Buffer, token: string): Promise<string> {
    const hex = await server.putArtifact(content, token);
    const outputs = { log: { mediaType: 'text/plain', digest: digestOf(content), size: content.length } };
    expect(await server.put(`/ac/${hex}`, Buffer.from(encodeActionResult({ outputs })), token)).toMatchObject({
      status: 200,
    });
    return hex;
  }

  it('keeps what is used, with all that it needs', async () => {
    const favourite = await putAction(freshBytes(100_000), tokens.ci);
    const forgotten = await putAction(freshBytes(100_000), tokens.ci);
    for (let index = 0; index < 12; index++) {
      await putAction(freshBytes(100_000), tokens.ci);
      expect(await server.get(`/ac/${favourite}`, tokens.laptop)).toMatchObject({ status: 200 });
      expect(await used()).toBeLessThanOrEqual(1_000_000);
    }
    expect(await server.get(`/cas/${favourite}`, tokens.ci)).toMatchObject({ status: 200 });
    for (const shelf of ['ac', 'cas']) {
      expect(await server.get(`/${shelf}/${forgotten}`, tokens.ci)).toMatchObject({ status: 404 });
    }
  });

  it('keeps what somebody was told is here, for the entry that needs it', async () => {
    const content = freshBytes(100_000);
    const hex = await server.putArtifact(content, tokens.ci);
    for (let index = 0; index < 12; index++) {
      await putAction(freshBytes(100_000), tokens.ci);
      expect(await server.ask('HEAD', `/cas/${hex}`, { token: tokens.ci })).toMatchObject({ status: 200 });
    }
  });

  it('is not emptied by who is not trusted', async () => {
    const ours = await Promise.all([1, 2, 3].map(() => putAction(freshBytes(100_000), tokens.ci)));
    const theirs: string[] = [];
    for (let index = 0; index < 20; index++) {
      theirs.push(await putAction(freshBytes(50_000), index % 2 === 0 ? tokens.pull : tokens.fork));
    }
    for (const hex of ours) {
      expect(await server.get(`/ac/${hex}`, tokens.ci)).toMatchObject({ status: 200 });
    }
    const statuses = await Promise.all(
      theirs.map(
        async (hex, index) => (await server.get(`/ac/${hex}`, index % 2 === 0 ? tokens.pull : tokens.fork)).status,
      ),
    );
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(4);
    expect(statuses.at(-1)).toBe(200);
    const large = freshBytes(250_000);
    expect(await server.put(`/cas/${hexOf(large)}`, large, tokens.pull)).toMatchObject({ status: 413 });
    expect(await server.put(`/cas/${hexOf(large)}`, large, tokens.ci)).toMatchObject({ status: 200 });
  });
});
