import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from '@strata/definitions';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import { execa } from 'execa';
import { parseReport } from './report.js';

/** A script that runs on the host side of the sandbox, by the machine's own Python. */
export function hostScript(name: string): AbsolutePath {
  return absolutePath(fileURLToPath(new URL(`../host/${name}`, import.meta.url)));
}

/** The machine's Python: without its user's settings, and with UTF-8 whatever the locale is. */
export const hostPython = ['python3', '-I', '-B', '-X', 'utf8'] as const;

/** A sandbox, as `host/launch.py` makes it. */
export interface SandboxSpec {
  readonly argv: readonly string[];
  /** An empty folder on which the temporary file systems are mounted. */
  readonly mounts: AbsolutePath;
  /** The folder that `toolchain` and `rootfs.lower` may be relative to. */
  readonly trees: AbsolutePath;
  /** Lower directories from the bottom to the top. */
  readonly toolchain: readonly string[];
  readonly rootfs?: { readonly lower: readonly string[]; readonly upper: AbsolutePath; readonly work: AbsolutePath };
  /** Folders of which a part is seen only, mounted at `<mounts>/<name>`; `hidden` as {@link undeclaredPaths} gives it. */
  readonly parts: readonly {
    readonly name: string;
    readonly folder: AbsolutePath;
    readonly hidden: readonly string[];
  }[];
  /** Files below /etc, by name. */
  readonly etc: Readonly<Record<string, string>>;
  /** Whether the groups of the user go along, which may be needed to open a device. */
  readonly keepGroups: boolean;
  /** Whether the network is one of its own, with nothing in it. */
  readonly ownNetwork: boolean;
  /** The file that takes the host names which were asked for there, one a line, as `host/network.py` notes them. */
  readonly refusedNames: AbsolutePath;
  /** The file that takes the paths which are looked up in vain, as `host/calls.py` notes them: slow, for a second look. */
  readonly missedPaths?: AbsolutePath;
  /** Options of bubblewrap. */
  readonly bwrap: readonly string[];
}

/** A tool of the machine that runs in the user namespace only. */
export interface ToolSpec {
  readonly argv: readonly string[];
  readonly keepGroups: false;
}

/** How the command line of a launch reads. It reports on its file descriptor 3: see {@link machineError}. */
export async function launchCommand(
  spec: SandboxSpec | ToolSpec,
  folder: AbsolutePath,
): Promise<readonly [string, readonly string[]]> {
  const file = join(folder, 'launch.json');
  await mkdir(folder, { recursive: true });
  await writeFile(file, JSON.stringify(spec));
  const [python, ...options] = hostPython;
  return [python, [...options, hostScript('launch.py'), file, String(process.pid)]];
}

/** What is known of a launch that failed. */
export interface FailedLaunch {
  /** Node's word for why Python could not be started. */
  readonly code?: string | undefined;
  /** What was written to file descriptor 3. */
  readonly report: unknown;
}

/** The error of a launch that this machine, and not the command itself, made fail; undefined where it was the command. */
export function machineError({ code, report: text }: FailedLaunch): UserError | undefined {
  if (code === 'ENOENT') {
    return new UserError('python3 is missing on this machine', { hint: 'install the Debian package python3' });
  }
  if (typeof text !== 'string' || text === '') {
    return undefined;
  }
  const report = parseReport(text);
  return new UserError(report.message, { hint: report.hint ?? 'see the message' });
}

/** What a host tool in the user namespace may be given. */
export interface NamespaceOptions {
  readonly scratch: AbsolutePath;
  readonly signal?: AbortSignal | undefined;
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * Runs a tool of the machine as root of the user namespace in which actions run, so that it can read, own and remove
 * files of all 65,536 ids. Gives back what it printed. Throws where it fails; a {@link UserError} where this machine
 * makes it fail.
 */
export async function inUserNamespace(argv: readonly string[], options: NamespaceOptions): Promise<string> {
  const { signal, environment } = options;
  signal?.throwIfAborted();
  const [command, words] = await launchCommand({ argv, keepGroups: false }, options.scratch);
  const result = await execa(command, words, {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    reject: false,
    killSignal: 'SIGKILL',
    ...(signal === undefined ? {} : { cancelSignal: signal }),
    ...(environment === undefined ? {} : { env: environment }),
  });
  if (!result.failed) {
    return result.stdout;
  }
  signal?.throwIfAborted();
  const outcome = result.exitCode === undefined ? (result.signal ?? result.shortMessage) : `status ${result.exitCode}`;
  throw (
    machineError({ code: result.code, report: result.stdio[3] }) ??
    new Error(`${argv.join(' ')} failed (${outcome}): ${result.stderr.split('\n').slice(-8).join('\n')}`)
  );
}
