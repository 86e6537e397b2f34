import type { AbsolutePath } from '@strata/fingerprint';
import { execa } from 'execa';
import { ActionFailed, type ErrorReport } from './errors.js';
import { machineError } from './launch.js';
import { LogFile } from './log-file.js';
import { parseErrorReport, parseProgress } from './report.js';
import type { ActionEvent } from './types.js';

/** What the last lines of a failed action are good for is to be read at one glance. */
const lastLineCount = 25;

/** A command that runs an action, and who wants to know about it. */
export interface LaunchedAction {
  readonly label: string;
  readonly command: readonly [string, readonly string[]];
  readonly log: AbsolutePath;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: ActionEvent) => void) | undefined;
}

/** Takes the lines of an action, one after the other. */
class Listener {
  readonly lastLines: string[] = [];
  report: ErrorReport | undefined;

  constructor(
    private readonly action: LaunchedAction,
    private readonly file: LogFile,
  ) {}

  async take(line: string): Promise<void> {
    const { label, onEvent } = this.action;
    const progress = parseProgress(line);
    if (progress !== undefined) {
      onEvent?.({ type: 'progress', label, progress });
      return;
    }
    await this.file.write(line);
    const report = parseErrorReport(line);
    if (report !== undefined) {
      this.report = report;
      return;
    }
    this.lastLines.push(line);
    if (this.lastLines.length > lastLineCount) {
      this.lastLines.shift();
    }
    onEvent?.({ type: 'line', label, line });
  }
}

/**
 * Runs a launched action to its end. Throws {@link ActionFailed} where the command fails, a `UserError` where the machine
 * cannot run it, what a listener threw, the reason of the signal where that stopped it, and what kept the log from being
 * written.
 */
export async function launchAction(action: LaunchedAction): Promise<void> {
  const { label, command, log, signal } = action;
  const file = new LogFile(log);
  const listener = new Listener(action, file);
  const subprocess = execa(command[0], command[1], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    all: true,
    buffer: { stdout: false, stderr: false, all: false, fd3: true },
    reject: false,
    killSignal: 'SIGKILL',
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  let thrown: { readonly error: unknown } | undefined;
  const listen = async (): Promise<void> => {
    for await (const line of subprocess.iterable({ from: 'all' })) {
      try {
        await listener.take(line);
      } catch (error) {
        thrown = { error };
        subprocess.kill('SIGKILL');
        return;
      }
    }
  };
  // the iterable throws what the subprocess failed with, whose outcome is looked at below
  await listen().catch(() => undefined);
  const result = await subprocess;
  await file.close();
  if (thrown !== undefined) {
    throw thrown.error;
  }
  if (result.failed) {
    signal?.throwIfAborted();
    const outcome =
      result.exitCode === undefined ? `killed by ${result.signal ?? 'a signal'}` : `status ${result.exitCode}`;
    throw machineError(result) ?? new ActionFailed(label, outcome, listener.lastLines, log, listener.report);
  }
  if (file.failure !== undefined) {
    throw file.failure;
  }
}
