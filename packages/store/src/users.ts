import { mkdirSync, readFileSync, readlinkSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AbsolutePath } from '@strata/fingerprint';

/** Milliseconds after which a process that cannot be seen from here counts as gone. */
const longestUnseen = 24 * 3600_000;

/** The notes of this process. */
const own = new Set<string>();

/** When a process began, in ticks since the machine did (proc(5)): with its id, this names it for ever. */
function beginOf(id: string): string | undefined {
  try {
    const text = readFileSync(`/proc/${id}/stat`, 'utf8');
    // the name of the program, in brackets, may hold anything
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

/** The namespace in which ids of processes count: containers that share a store do not see each other's. */
function namespace(): string {
  return readlinkSync('/proc/self/ns/pid');
}

/** Notes that this process uses a store from now on, until it ends. */
export function noteUser(root: AbsolutePath): void {
  const folder = join(root, 'users');
  const file = join(folder, `${process.pid}-${beginOf('self') ?? ''}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(file, namespace());
  if (own.size === 0) {
    process.once('exit', () => {
      own.forEach((one) => {
        rmSync(one, { force: true });
      });
    });
  }
  own.add(file);
}

/** Since when others have been using a store without a break, in milliseconds since the epoch; undefined where nobody does. */
export function usedSince(root: AbsolutePath): number | undefined {
  const folder = join(root, 'users');
  const times = readdirSync(folder).flatMap((name) => {
    const file = join(folder, name);
    const [id = '', begin] = name.split('-');
    try {
      const { mtimeMs } = statSync(file);
      const isHere = readFileSync(file, 'utf8') === namespace();
      if (isHere ? beginOf(id) !== begin : Date.now() - mtimeMs > longestUnseen) {
        rmSync(file, { force: true });
        return [];
      }
      return Number(id) === process.pid && isHere ? [] : [mtimeMs];
    } catch {
      // it has ended meanwhile
      return [];
    }
  });
  return times.length === 0 ? undefined : Math.min(...times);
}
