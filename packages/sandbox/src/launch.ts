import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { UserError } from '@strata/definitions';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import { execa, type ExecaError } from 'execa';
import { z } from 'zod';
import type { ErrorReport } from './errors.js';

/** A script that runs on the host side of the sandbox, by the machine's own Python. */
export function hostScript(name: string): AbsolutePath {
  return absolutePath(fileURLToPath(new URL(`../host/${name}`, import.meta.url)));
}

/** What `host/launch.py` reads; without `mounts`, only the user namespace is entered. */
export interface LaunchSpec {
  readonly argv: readonly string[];
  /** An empty folder on which the temporary file systems are mounted. */
  readonly mounts?: AbsolutePath;
  /** The folder that `toolchain` and `rootfs.lower` may be relative to. */
  readonly trees?: AbsolutePath;
  /** Lower directories from the bottom to the top. */
  readonly toolchain?: readonly string[];
  readonly rootfs?: { readonly lower: readonly string[]; readonly upper: AbsolutePath; readonly work: AbsolutePath };
  /** Options of bubblewrap. */
  readonly bwrap?: readonly string[];
}

/** How the command line of a launch reads. */
export async function launchCommand(
  spec: LaunchSpec,
  folder: AbsolutePath,
): Promise<readonly [string, readonly string[]]> {
  const file = `${folder}/launch.json`;
  await mkdir(folder, { recursive: true });
  await writeFile(file, JSON.stringify(spec));
  return ['python3', ['-I', hostScript('launch.py'), file, String(process.pid)]];
}

const reportSchema = z.object({
  message: z.string(),
  hint: z.string().optional(),
  details: z.array(z.string()).optional(),
});

const reportPrefix = '::strata-error:: ';

/** Reads a line `::strata-error:: {json}`; undefined for every other line. */
export function parseErrorReport(line: string): ErrorReport | undefined {
  if (!line.startsWith(reportPrefix)) {
    return undefined;
  }
  try {
    return reportSchema.parse(JSON.parse(line.slice(reportPrefix.length)));
  } catch {
    return { message: line.slice(reportPrefix.length) };
  }
}

/** The exit status of `launch.py` where the machine itself cannot run a sandbox. */
export const machineTrouble = 125;

/** The error for a command of the machine that is not there. */
export function missingTool(error: unknown): unknown {
  const { code, message } = error as { code?: string; message: string };
  return code === 'ENOENT' && message.includes('spawn python3')
    ? new UserError('python3 is missing on this machine', { hint: 'install the Debian package python3', cause: error })
    : error;
}

/** What a host tool in the user namespace may be given. */
export interface NamespaceOptions {
  readonly scratch: AbsolutePath;
  readonly signal?: AbortSignal | undefined;
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * Runs a tool of the machine as root of the user namespace in which actions run, so that it can read, own and remove
 * files of all 65,536 ids. Gives back what it printed; throws where it fails.
 */
export async function inUserNamespace(argv: readonly string[], options: NamespaceOptions): Promise<string> {
  const [command, words] = await launchCommand({ argv }, options.scratch);
  try {
    const { stdout } = await execa(command, words, {
      stdin: 'ignore',
      killSignal: 'SIGKILL',
      ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
      ...(options.environment === undefined ? {} : { env: options.environment }),
    });
    return stdout;
  } catch (error) {
    const { exitCode, stdout, stderr } = error as ExecaError & { stdout?: string; stderr?: string };
    const report = (stdout ?? '')
      .split('\n')
      .map(parseErrorReport)
      .find((line) => line !== undefined);
    if (report !== undefined) {
      throw new UserError(report.message, { hint: report.hint ?? 'see the message', cause: error });
    }
    if (exitCode !== undefined && stderr !== undefined) {
      throw new Error(`${argv[0] ?? ''} failed with status ${exitCode}: ${stderr.split('\n').slice(-5).join('\n')}`, {
        cause: error,
      });
    }
    throw missingTool(error);
  }
}
