import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, normalize, relative } from 'node:path';
import type { AbsolutePath } from '@strata/fingerprint';
import { missingHosts, missingPaths } from './complaints.js';
import { baseEnvironment } from './environment.js';
import type { Action, Input } from './types.js';

/** Whose a path is that an action asked for in vain. */
export type Place = 'workspace' | 'home' | 'etc';

/** A path that an action asked for and did not get. */
export interface UndeclaredPath {
  readonly place: Place;
  /** Relative to the workspace; `~/…`; `/etc/…`. */
  readonly path: string;
}

/**
 * What an action asked for, and did not get since it did not declare it. It is what could be noticed:
 *
 * - Paths are read from what its programs print when they do not find one, in words that are known. What asks silently
 *   (`test -e`, `2> /dev/null`), or says it in other words, another language, or into a file of its own, is noticed by a
 *   second look only ({@link Action.secondLook}), which sees the system calls, of short actions; there, paths count that
 *   this machine has. Calls of every action are not watched, since that was measured to make one of many small programs
 *   between two and five times slower; nothing else sees a look-up of what is not there.
 * - Relative paths count where the workspace has them, seen from the project's folder or the workspace's.
 * - Hosts are those that nobody answered for, whatever asked and whether or not it said so, where it asks the resolver of
 *   127.0.0.1; besides those that programs complain about: addresses, what a `resolv.conf` of another root led elsewhere.
 *
 * So it may be empty although something was missing, and need not be why the action failed.
 */
export interface Undeclared {
  readonly paths: readonly UndeclaredPath[];
  readonly hosts: readonly string[];
}

/** The machine as the author of an action's scripts may think of it. It only helps to say what an action does not see. */
export interface Surroundings {
  readonly workspaceRoot: AbsolutePath;
  /** The project's folder, from which relative paths may be meant. */
  readonly folder: AbsolutePath;
}

/** More are no help, and a program that looks everywhere fills no screen. */
const most = 20;

/** What the C library looks up for every program, and does without. */
const ofLibrary = /^\/etc\/(?:ld\.so\.|nsswitch\.conf$|localtime$|host\.conf$|gai\.conf$|locale\.alias$)/;

const insidePrefix = '/strata/in/';
const local = /^(?:localhost|strata|127\..*|::1|0\.0\.0\.0|ip6-.*)$/;

function below(folder: string, path: string): string | undefined {
  const rest = relative(folder, path);
  return rest === '' || rest === '..' || rest.startsWith('../') || isAbsolute(rest) ? undefined : rest;
}

/** Where on this machine a path lies that starts from an input: `/strata/in/scripts/0/../x` is beside the script's folder. */
function besideInput(inputs: readonly Input[], path: string): AbsolutePath | undefined {
  for (const input of inputs) {
    const [inside, outside] =
      input.kind === 'tree'
        ? [input.name, input.tree.root]
        : input.kind === 'file'
          ? [dirname(input.name), dirname(input.path)]
          : [undefined, ''];
    if (inside !== undefined && path.startsWith(`${insidePrefix}${inside}/`)) {
      return join(outside, path.slice(insidePrefix.length + inside.length + 1)) as AbsolutePath;
    }
  }
  return undefined;
}

function isDeclared(inputs: readonly Input[], path: string): boolean {
  return inputs.some((input) => {
    if (input.kind === 'file') {
      return input.path === path;
    }
    const inTree = input.kind === 'tree' ? below(input.tree.root, path) : undefined;
    return input.kind === 'tree' && input.tree.manifest.entries.some((entry) => entry.path === inTree);
  });
}

/** Notices what an action asks for and does not get, line by line of what it prints. */
export class UndeclaredReads {
  readonly #paths = new Map<string, UndeclaredPath>();
  readonly #hosts = new Set<string>();
  readonly #home = homedir();
  readonly #insideHomes: readonly string[];

  constructor(
    private readonly action: Pick<Action, 'inputs' | 'environment' | 'homes' | 'otherMachine'>,
    private readonly surroundings: Surroundings | undefined,
  ) {
    const home = action.environment?.['HOME'] ?? baseEnvironment['HOME'];
    this.#insideHomes = [...(home === undefined ? [] : [home]), ...(action.homes ?? [])];
  }

  take(line: string): void {
    if (this.action.otherMachine === true) {
      return;
    }
    for (const candidate of missingPaths(line)) {
      const path = this.#placed(candidate);
      if (path !== undefined && this.#paths.size < most) {
        this.#paths.set(`${path.place} ${path.path}`, path);
        break;
      }
    }
    for (const host of missingHosts(line)) {
      this.#addHost(host);
    }
  }

  /** A path that was really looked up in vain: programs look for much, so that it counts where the machine has it. */
  takeMissed(path: string): void {
    const placed = path.includes('/__pycache__/') ? undefined : this.#placed(path);
    if (placed !== undefined && this.#paths.size < most && this.#isOnMachine(placed)) {
      this.#paths.set(`${placed.place} ${placed.path}`, placed);
    }
  }

  #isOnMachine({ place, path }: UndeclaredPath): boolean {
    switch (place) {
      case 'workspace':
        return existsSync(join(this.surroundings?.workspaceRoot ?? '', path));
      case 'etc':
        return !ofLibrary.test(path) && existsSync(path);
      case 'home':
        // folders are where programs look for settings of their own
        return statSync(join(this.#home, path.slice(2)), { throwIfNoEntry: false })?.isFile() === true;
    }
  }

  /** All that was noticed. */
  get noticed(): Undeclared {
    const order = (first: string, second: string): number => (first < second ? -1 : 1);
    return {
      paths: [...this.#paths.values()].sort((first, second) => order(first.path, second.path)),
      hosts: [...this.#hosts].sort(order),
    };
  }

  /** All that was noticed, with the hosts that the sandbox noted in a file. */
  async all(refusedNames: AbsolutePath): Promise<Undeclared> {
    const names = await readFile(refusedNames, 'utf8').catch(() => '');
    for (const name of names.split('\n')) {
      this.#addHost(name);
    }
    return this.noticed;
  }

  #addHost(host: string): void {
    if (host !== '' && !local.test(host) && this.#hosts.size < most) {
      this.#hosts.add(host);
    }
  }

  #placed(written: string): UndeclaredPath | undefined {
    const asked = written.startsWith('~/') ? join(this.#home, written.slice(2)) : written;
    if (!isAbsolute(asked)) {
      return this.#relative(asked);
    }
    const beside = besideInput(this.action.inputs, asked);
    if (beside !== undefined) {
      return isDeclared(this.action.inputs, beside) ? undefined : this.#absolute(beside);
    }
    return this.#inHome(normalize(asked)) ?? this.#absolute(normalize(asked));
  }

  #relative(asked: string): UndeclaredPath | undefined {
    const { workspaceRoot, folder } = this.surroundings ?? {};
    if (workspaceRoot === undefined || folder === undefined) {
      return undefined;
    }
    // one word alone is too often the name of something else that the workspace's root happens to have
    const starts = asked.includes('/') ? [folder, workspaceRoot] : [folder];
    const found = starts
      .map((start) => join(start, asked))
      .find((path) => below(workspaceRoot, path) !== undefined && existsSync(path));
    return found === undefined || isDeclared(this.action.inputs, found) ? undefined : this.#absolute(found);
  }

  /** A path below what is HOME inside, which the author may have meant as the home of this machine. */
  #inHome(asked: string): UndeclaredPath | undefined {
    for (const home of this.#insideHomes) {
      const rest = below(home, asked);
      // HOME is also the place of temporary files
      if (rest !== undefined && (rest.startsWith('.') || existsSync(join(this.#home, rest)))) {
        return { place: 'home', path: `~/${rest}` };
      }
    }
    return undefined;
  }

  #absolute(path: string): UndeclaredPath | undefined {
    const { workspaceRoot } = this.surroundings ?? {};
    const inWorkspace = workspaceRoot === undefined ? undefined : below(workspaceRoot, path);
    if (inWorkspace !== undefined) {
      return { place: 'workspace', path: inWorkspace };
    }
    const inEtc = below('/etc', path);
    if (inEtc !== undefined) {
      return { place: 'etc', path: `/etc/${inEtc}` };
    }
    const inHome = this.#home === '/' ? undefined : below(this.#home, path);
    return inHome === undefined ? undefined : { place: 'home', path: `~/${inHome}` };
  }
}
