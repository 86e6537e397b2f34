import { spawn, type ChildProcess } from 'node:child_process';
import { rm } from 'node:fs/promises';
import type { AbsolutePath } from '@strata/fingerprint';
import type { Remover } from '../index.js';

const started = new Set<ChildProcess>();

/** Enough for stores that hold no files of mapped ids. */
export const remove: Remover = (folder) => rm(folder, { recursive: true, force: true });

/**
 * Starts a process that runs a script, an ES module in which `root` is a path, and `openStore`, `remove`, `digestOf` and
 * `open()` (the store at `root`) are known.
 *
 * @param under a command line that the process is to be started by
 */
export function startScript(root: AbsolutePath, script: string, under: readonly string[] = []): ChildProcess {
  const prelude = `
    import { digestOf } from ${JSON.stringify(import.meta.resolve('@strata/fingerprint'))};
    import { openStore } from ${JSON.stringify(import.meta.resolve('../index.js'))};
    import { remove } from ${JSON.stringify(import.meta.url)};
    const root = ${JSON.stringify(root)};
    const open = () => openStore({ root, remove });`;
  const words = [...under, process.execPath, '--input-type=module', '--eval', prelude + script];
  const child = spawn('env', words, { stdio: ['pipe', 'pipe', 'inherit'] });
  started.add(child);
  child.once('close', () => started.delete(child));
  return child;
}

/** Ends what a test that failed left running. */
export async function killStarted(): Promise<void> {
  await Promise.all([...started].map(kill));
}

/** Everything that a process prints, once it ends. Throws where it fails. */
export async function printed(child: ChildProcess): Promise<string> {
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => (text += part));
  const [status, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    child.once('close', (...how) => {
      resolve(how);
    }),
  );
  if (status !== 0) {
    throw new Error(`the process ended with ${signal ?? `status ${status}`}: ${text}`);
  }
  return text.trim();
}

/** The next that a process prints. Throws where it ends without a word. */
export function nextWords(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', (data: Buffer) => {
      resolve(data.toString().trim());
    });
    child.once('close', () => {
      reject(new Error('the process ended without a word'));
    });
  });
}

/** Kills a process with no chance to clean up, and waits for its end. */
export async function kill(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await ended;
}

/** Waits until something holds. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
