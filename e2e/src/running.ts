import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';

/** A process of this machine. */
export interface ProcessOfMachine {
  readonly id: number;
  readonly parent: number;
  /** When it began, in ticks since the machine did: with the id, this names it for ever. */
  readonly start: string;
  readonly command: string;
}

/** Every process of this machine that can be seen. */
function allProcesses(): ProcessOfMachine[] {
  return readdirSync('/proc').flatMap((name): ProcessOfMachine[] => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      // the name of the program, in brackets, may hold anything
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      const [state, parent = '', start = ''] = [fields[0], fields[1], fields[19]];
      return state === 'Z' || !/^\d+$/.test(name) ? [] : [{ id: Number(name), parent: Number(parent), start, command }];
    } catch {
      // it has ended meanwhile
      return [];
    }
  });
}

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Those of some processes that have not ended after two seconds. */
export async function leftAfterTwoSeconds(processes: readonly ProcessOfMachine[]): Promise<string[]> {
  const left = (): ProcessOfMachine[] => {
    const now = allProcesses();
    return processes.filter(({ id, start }) => now.some((other) => other.id === id && other.start === start));
  };
  for (let tries = 0; tries < 40 && left().length > 0; tries++) {
    await sleep(50);
  }
  return left().map(({ command }) => command);
}

/** A command that runs in a process group of its own, as one does that a shell has started in a terminal. */
export class Running {
  output = '';
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;

  constructor(command: string, words: readonly string[], cwd: string, env: NodeJS.ProcessEnv) {
    this.#child = spawn(command, words, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += stripVTControlCharacters(text);
      });
    }
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', resolve);
    });
  }

  get id(): number {
    return this.#child.pid ?? 0;
  }

  /** It and everything below it. */
  processes(): ProcessOfMachine[] {
    const all = allProcesses();
    const found = all.filter(({ id }) => id === this.id);
    for (const { id } of found) {
      found.push(...all.filter(({ parent }) => parent === id));
    }
    return found;
  }

  /** Waits until a process below it has a word in its command line, and gives everything below it then. */
  async until(word: string): Promise<ProcessOfMachine[]> {
    for (let running = true; running; running = this.#child.exitCode === null) {
      const processes = this.processes();
      if (processes.some(({ command }) => command.includes(word))) {
        return processes;
      }
      await sleep(50);
    }
    throw new Error(`it ended, and nothing below it was ${word}:\n${this.output}`);
  }

  /** Waits until it has printed something. */
  async says(pattern: RegExp): Promise<ProcessOfMachine[]> {
    while (!pattern.test(this.output)) {
      if (this.#child.exitCode !== null) {
        throw new Error(`it ended without saying ${pattern.source}:\n${this.output}`);
      }
      await sleep(20);
    }
    return this.processes();
  }

  /** What Ctrl-C does in a terminal: everything in the foreground gets the signal at once. */
  interrupt(): void {
    process.kill(-this.id, 'SIGINT');
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Its exit status. */
  end(): Promise<number | null> {
    return this.#ended;
  }
}
