import { spawn, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import type { Descriptor, Store } from '@strata/store';
import { execa } from 'execa';
import { z } from 'zod';
import {
  layerMediaType,
  openUserStore,
  packScript,
  runAction,
  scriptInput,
  type Action,
  type ActionOutcome,
  type LayerDescriptor,
  type LayerStack,
  type RunOptions,
} from '../index.js';
import type { RunShellParameters } from './run-shell.js';
import { makeTestToolchain } from './toolchain.js';

const repository = fileURLToPath(new URL('../../../..', import.meta.url));
const runShell = fileURLToPath(new URL('run-shell.js', import.meta.url));

const outcomeSchema = z.object({
  ran: z.boolean().optional(),
  key: z.string().optional(),
  layer: z.object({ digest: z.string() }).optional(),
  owners: z.array(z.number()).optional(),
  left: z.array(z.string()).optional(),
  error: z.union([z.string(), z.array(z.string())]).optional(),
  undeclared: z.unknown().optional(),
});

/** Who runs a process, and what it finds on the machine. */
export interface Circumstances {
  /** An ordinary user with as many subordinate ids, where the tests run as root. */
  readonly subordinateIds?: number;
  readonly umask?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Whether the packed layer is unpacked, and the store of that process cleared, in the end. */
  readonly clears?: boolean;
  /** Whether the kernel allows no user namespaces. */
  readonly forbidsNamespaces?: boolean;
}

/** A store of its own with a small toolchain, and what tests do with it. */
export class Rig {
  private constructor(
    readonly folder: AbsolutePath,
    readonly store: Store,
    readonly toolchain: LayerStack,
  ) {}

  static async make(): Promise<Rig> {
    const folder = absolutePath(mkdtempSync('/var/tmp/strata-sandbox-'));
    chmodSync(folder, 0o755);
    const store = await openUserStore({ STRATA_STORE: join(folder, 'store, of: it\\self') });
    return new Rig(folder, store, await makeTestToolchain(store));
  }

  async dispose(): Promise<void> {
    await this.store.clear();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** An action that is a shell script. */
  shell(script: string, more: Partial<Action> = {}): Action {
    return {
      label: 'test:action',
      toolchain: this.toolchain,
      inputs: [],
      argv: ['sh', '-euc', script],
      outputs: {},
      ...more,
    };
  }

  run(action: Action, options: RunOptions = {}): Promise<ActionOutcome> {
    return runAction(this.store, action, options);
  }

  /** What a script prints, inside. */
  async lines(script: string, more: Partial<Action> = {}): Promise<string[]> {
    const printed: string[] = [];
    await this.run(this.shell(script, more), {
      force: true,
      onEvent: (event) => event.type === 'line' && printed.push(event.line),
    });
    return printed;
  }

  /** The layer of what a script changes in a root file system. */
  async pack(lower: LayerStack, script: string): Promise<LayerDescriptor> {
    const action = this.shell(
      `cd /strata/root\n${script}\npython3 /strata/in/bin/pack.py delta --upper /strata/upper`,
      {
        rootfs: { lower },
        inputs: [scriptInput('pack.py', packScript)],
        outputs: { 'layer.tar.zst': layerMediaType },
      },
    );
    const { result } = await this.run(action, { force: true });
    return asLayer(result.outputs['layer.tar.zst']);
  }

  /** A folder with exactly the named programs of this machine, for PATH. */
  async programs(...names: string[]): Promise<string> {
    const folder = mkdtempSync(join(this.folder, 'programs-'));
    chmodSync(folder, 0o755);
    for (const name of names) {
      const { stdout } = await execa('sh', ['-c', `PATH=/usr/bin:/bin:$PATH command -v ${name}`]);
      writeFileSync(join(folder, name), `#!/bin/sh\nexec ${stdout} "$@"\n`, { mode: 0o755 });
    }
    return folder;
  }

  /** Starts a script as an action of a process of its own. */
  async start(script: string, packs: boolean, circumstances: Circumstances = {}): Promise<ChildProcess> {
    const [layer] = this.toolchain;
    if (layer === undefined) {
      throw new Error('there is no toolchain');
    }
    const file = join(this.folder, 'toolchain.tar.zst');
    copyFileSync(await this.store.path(layer), file);
    const { digest, annotations } = layer;
    const { environment = {}, umask = '022', subordinateIds, clears = false } = circumstances;
    const parameters: RunShellParameters = { toolchain: { file, digest, annotations }, script, packs, clears };
    const own = { STRATA_STORE: this.store.root, ...environment };
    if (subordinateIds === undefined) {
      const forbidding = 'echo 0 > /proc/sys/user/max_user_namespaces;';
      const namespace = circumstances.forbidsNamespaces === true ? ['unshare', '--user', '--map-root-user'] : [];
      const shell = `${namespace.length > 0 ? forbidding : ''} umask ${umask}; exec "$0" "$@"`;
      const [command, ...words] = [...namespace, '/bin/sh', '-c', shell, process.execPath, runShell];
      return spawn(command, [...words, JSON.stringify(parameters)], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, ...own },
      });
    }
    const [command, ...words] = this.#asUser(subordinateIds, umask, [runShell, JSON.stringify(parameters)]);
    return spawn(command, words, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        PATH: '/usr/local/bin:/usr/bin:/bin:/sbin:/usr/sbin',
        ...own,
        STRATA_STORE: join(this.folder, 'home', 'store'),
      },
    });
  }

  /** Runs a script as an action of a process of its own, and gives its outcome. */
  async outcome(
    script: string,
    packs: boolean,
    circumstances: Circumstances = {},
  ): Promise<z.infer<typeof outcomeSchema>> {
    const child = await this.start(script, packs, circumstances);
    return outcomeSchema.parse(JSON.parse((await allLines(child)).at(-1) ?? ''));
  }

  /**
   * A command line that root runs Node by as a user whom this machine does not know: in a mount namespace where the
   * files that name users are others, and where that user can read this repository and Node.
   */
  #asUser(subordinateIds: number, umask: string, words: readonly string[]): [string, ...string[]] {
    const [id, name] = ['54321', 'strata-test-user'];
    const folder = mkdtempSync(join(this.folder, 'user-'));
    chmodSync(folder, 0o755);
    const subordinate = subordinateIds === 0 ? '' : `${name}:200000:${subordinateIds}\n`;
    writeFileSync(join(folder, 'passwd'), `${readFileSync('/etc/passwd', 'utf8')}${name}:x:${id}:${id}::/:/bin/sh\n`);
    writeFileSync(join(folder, 'subuid'), subordinate);
    writeFileSync(join(folder, 'subgid'), subordinate);
    mkdirSync(join(folder, 'repository'));
    writeFileSync(join(folder, 'node'), '');
    const script = `
      for file in passwd subuid subgid; do mount --bind "$1/$file" "/etc/$file"; done
      mount --bind "$2" "$1/repository"
      mount --bind "$3" "$1/node"
      mkdir -p "$4"; chown ${id}:${id} "$4"
      umask ${umask}; node=$1/node; cd /; shift 4
      exec setpriv --reuid=${id} --regid=${id} --clear-groups "$node" "$@"`;
    const inside = words.map((word) => word.replace(repository, join(folder, 'repository/')));
    const four = [folder, repository, process.execPath, join(this.folder, 'home')];
    return ['unshare', '--mount', '--propagation=private', 'sh', '-euc', script, 'sh', ...four, ...inside];
  }
}

/** An output that is a layer. */
export function asLayer(output: Descriptor | undefined): LayerDescriptor {
  if (output?.annotations === undefined) {
    throw new Error('nothing was packed');
  }
  return { ...output, annotations: output.annotations };
}

/** Everything that a process prints, once it ends. */
export async function allLines(child: ChildProcess): Promise<string[]> {
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => (text += part));
  await new Promise((resolve) => child.once('close', resolve));
  return text.trimEnd().split('\n');
}

/** How many processes of this machine have a word in their command line. */
function processesWith(word: string): number {
  return readdirSync('/proc').filter((id) => {
    try {
      return /^\d+$/.test(id) && readFileSync(`/proc/${id}/cmdline`, 'utf8').split('\0').includes(word);
    } catch {
      return false;
    }
  }).length;
}

/** Waits until as many processes have a word in their command line; gives how many there are in the end. */
export async function waitForProcesses(word: string, count: number): Promise<number> {
  for (let tries = 0; tries < 100 && processesWith(word) !== count; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return processesWith(word);
}
