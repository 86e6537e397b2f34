import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { LayerStack } from '@strata/sandbox';
import { installPacked } from './packed.js';
import { copyExample, repositoryRoot } from './repository.js';
import { Running } from './running.js';

export { repositoryRoot };

/** The layers of one of the example's toolchains, as `npm test` has just built them. */
export function toolchain(name: 'toolchain' | 'vm-toolchain'): LayerStack {
  const file = process.env['STRATA_TEST_TOOLCHAINS'];
  if (file === undefined) {
    throw new Error('STRATA_TEST_TOOLCHAINS is not set: `npm test` makes the toolchains and sets it');
  }
  return (JSON.parse(readFileSync(file, 'utf8')) as Record<typeof name, LayerStack>)[name];
}

/** Nx's words for building, booting and testing both images. */
export const testBoth = ['run-many', '--targets=test', '--projects=ram-os,rescue', '--outputStyle=static'];

/** What became of a command. */
export interface Outcome {
  readonly status: number | null;
  /** Everything that it printed. */
  readonly output: string;
  /** Labels of the actions that were run, not served, in order. */
  readonly ran: readonly string[];
}

function outcome(status: number | null, output: string): Outcome {
  // for a task that it serves from its cache, Nx prints what the task printed then; it marks those: [local cache]
  const sections = output.split(/^> nx run /m).filter((section) => !/^\S+ +\[/.test(section));
  const ran = sections
    .flatMap((section) => section.split('\n'))
    .filter((line) => line.includes('  runs, log in '))
    .map((line) => /(\S+:\S+) {2}runs, log in/.exec(line)?.[1] ?? line);
  return { status, output, ran };
}

/** How a workspace is made. */
export interface WorkspaceOptions {
  /** Projects of the example that it has, in `os/`. Default: all but prefixes and what is made of them. */
  readonly projects?: readonly string[];
  /** How it comes to Strata's packages and Nx: by a link to this repository's, or as npm installs what users get. */
  readonly packages?: 'linked' | 'packed';
  /** Further files, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** Variables of all its commands. */
  readonly environment?: NodeJS.ProcessEnv;
}

/** An Nx workspace of its own, with the example OS in it. */
export class Workspace {
  readonly root: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #store: string | undefined;

  /**
   * @param store whether it uses the store of all tests, one of its own that knows only what that one knows now, or one
   *   that knows nothing, as on another machine
   */
  constructor(
    store: 'shared' | 'own' | 'empty' = 'shared',
    { projects, packages, files = {}, environment = {} }: WorkspaceOptions = {},
  ) {
    this.root = mkdtempSync('/var/tmp/strata-e2e-');
    for (const part of projects ?? ['.']) {
      copyExample(join(this.root, 'os'), part);
    }
    for (const file of ['nx.json', '.gitignore']) {
      cpSync(join(repositoryRoot, file), join(this.root, file));
    }
    this.write('package.json', '{ "name": "workspace", "private": true }\n');
    for (const [name, text] of Object.entries(files)) {
      this.write(name, text);
    }
    if (packages === 'packed') {
      installPacked(this.root);
    } else {
      symlinkSync(join(repositoryRoot, 'node_modules'), join(this.root, 'node_modules'));
    }
    appendFileSync(join(this.root, '.gitignore'), 'node_modules\n');
    this.#environment = {
      ...process.env,
      NX_DAEMON: 'false',
      NX_TUI: 'false',
      NX_CACHE_DIRECTORY: join(this.root, '.nx-cache'),
      ...environment,
    };
    appendFileSync(join(this.root, '.gitignore'), '.nx-cache\n');
    if (store !== 'shared') {
      this.#store = `${this.root}-store`;
      this.#environment['STRATA_STORE'] = this.#store;
      this.strata('store', 'status');
      for (const part of store === 'own' ? ['blobs', 'actions'] : []) {
        cpSync(join(process.env['STRATA_STORE'] ?? '', part), join(this.#store, part), { recursive: true });
      }
    }
    this.git('init', '--quiet');
    this.commit('start');
  }

  /** The folder of the store that it uses. */
  get store(): string {
    return this.#environment['STRATA_STORE'] ?? '';
  }

  git(...words: string[]): string {
    return execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@localhost', ...words], {
      cwd: this.root,
      encoding: 'utf8',
    });
  }

  commit(subject: string): void {
    this.git('add', '--all');
    this.git('commit', '--quiet', '--message', subject);
  }

  read(file: string): string {
    return readFileSync(join(this.root, file), 'utf8');
  }

  write(file: string, text: string): void {
    mkdirSync(dirname(join(this.root, file)), { recursive: true });
    writeFileSync(join(this.root, file), text);
  }

  append(file: string, text: string): void {
    appendFileSync(join(this.root, file), text);
  }

  remove(file: string): void {
    rmSync(join(this.root, file), { recursive: true, force: true });
  }

  /** Runs Nx. */
  nx(words: readonly string[], environment: NodeJS.ProcessEnv = {}): Outcome {
    return this.#run(join(this.root, 'node_modules/.bin/nx'), words, environment);
  }

  /** Runs Nx with an empty store on a file system of its own, which has little room and is gone afterwards. */
  nxOnSmallDisk(words: readonly string[], size: string): Outcome {
    const store = join(this.root, '.nx-cache', 'small-disk');
    mkdirSync(store, { recursive: true });
    const script = 'mount -t tmpfs -o "size=$0,mode=0700" none "$STRATA_STORE"; exec "$@"';
    const namespace = ['--user', '--map-root-user', '--mount', 'sh', '-euc', script, size];
    return this.#run('unshare', [...namespace, join(this.root, 'node_modules/.bin/nx'), ...words], {
      STRATA_STORE: store,
    });
  }

  /** Runs Nx where there is no network: in a network namespace that has nothing but a loopback device that is down. */
  nxOffline(words: readonly string[]): Outcome {
    const { uid, gid } = userInfo();
    const offline = ['unshare', '--net', '--'];
    const command =
      uid === 0
        ? offline
        : ['sudo', '--preserve-env', ...offline, 'setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--init-groups', '--'];
    return this.#run('env', [...command, join(this.root, 'node_modules/.bin/nx'), ...words], {});
  }

  /** Starts Nx, and does not wait for its end. */
  start(words: readonly string[], environment: NodeJS.ProcessEnv = {}): Running {
    return new Running(join(this.root, 'node_modules/.bin/nx'), words, this.root, {
      ...this.#environment,
      ...environment,
    });
  }

  /** Runs Nx, while this process does other things: serves it, say. */
  async nxAside(words: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Outcome> {
    const running = this.start(words, environment);
    const status = await running.end();
    return outcome(status, running.output);
  }

  /** Builds, boots and tests both images. */
  test(environment: NodeJS.ProcessEnv = {}): Outcome {
    return this.nx(testBoth, environment);
  }

  /** Runs Strata's own command. */
  strata(...words: string[]): Outcome {
    return this.#run(process.execPath, [join(this.root, 'node_modules/nx-strata/dist/cli.js'), ...words], {});
  }

  /** An environment in which every program that starts a sandbox fails. */
  withoutSandbox(): NodeJS.ProcessEnv {
    const folder = join(this.root, '.nx-cache', 'failing');
    mkdirSync(folder, { recursive: true });
    for (const name of ['bwrap', 'python3', 'zstd', 'mmdebstrap']) {
      writeFileSync(join(folder, name), '#!/bin/sh\necho "$0 was started" >&2\nexit 99\n', { mode: 0o755 });
    }
    return { PATH: `${folder}:${process.env['PATH'] ?? ''}` };
  }

  dispose(): void {
    if (this.#store !== undefined) {
      this.strata('store', 'clear');
      rmSync(this.#store, { recursive: true, force: true });
    }
    rmSync(this.root, { recursive: true, force: true });
  }

  #run(command: string, words: readonly string[], environment: NodeJS.ProcessEnv): Outcome {
    const { status, stdout, stderr } = spawnSync(command, words, {
      cwd: this.root,
      env: { ...this.#environment, ...environment },
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    // Nx prints colours into pipes too where it believes itself in CI
    return outcome(status, stripVTControlCharacters(`${stdout}${stderr}`));
  }
}
