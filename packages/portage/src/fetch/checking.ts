import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { Writable } from 'node:stream';
import type { Distfile } from '../plan.js';

const algorithms: Readonly<Record<string, string>> = { BLAKE2B: 'blake2b512', SHA512: 'sha512', SHA256: 'sha256' };

/** How a file differs from what its Manifest says; undefined where it does not. */
export async function mismatch(file: string, expected: Pick<Distfile, 'size' | 'hashes'>): Promise<string | undefined> {
  const { size } = await stat(file);
  if (size !== expected.size) {
    return `${size} bytes instead of ${expected.size}`;
  }
  const known = Object.entries(expected.hashes).filter(([name]) => name in algorithms);
  if (known.length === 0) {
    throw new Error(`no hash of the Manifest can be checked: ${Object.keys(expected.hashes).join(', ')}`);
  }
  const hashes = known.map(([name]) => createHash(algorithms[name] ?? name));
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const hash of hashes) {
        hash.update(chunk);
      }
      done();
    },
  });
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), sink);
  for (const [index, [name, value]] of known.entries()) {
    const actual = hashes[index]?.digest('hex');
    if (actual !== value) {
      return `${name} ${actual?.slice(0, 16) ?? ''}… instead of ${value.slice(0, 16)}…`;
    }
  }
  return undefined;
}
