import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { AbsolutePath } from '@strata/fingerprint';
import { ActionFailed, type ErrorReport } from './errors.js';
import { machineError } from './launch.js';
import { LinePipe } from './line-pipe.js';
import { LogFile } from './log-file.js';
import { parseErrorReport, parseProgress } from './report.js';
import type { ActionEvent } from './types.js';
import type { UndeclaredReads } from './undeclared.js';

/** What the last lines of a failed action are good for is to be read at one glance. */
const lastLineCount = 25;

/** A command that runs an action, and who wants to know about it. */
export interface LaunchedAction {
  readonly label: string;
  readonly command: readonly [string, readonly string[]];
  readonly log: AbsolutePath;
  /** A folder of this run's own. */
  readonly scratch: AbsolutePath;
  /** Takes what the command prints. */
  readonly reads: UndeclaredReads;
  /** Where the sandbox notes the host names that were asked for in vain. */
  readonly refusedNames: AbsolutePath;
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
    this.action.reads.take(line);
    this.lastLines.push(line);
    if (this.lastLines.length > lastLineCount) {
      this.lastLines.shift();
    }
    onEvent?.({ type: 'line', label, line });
  }
}

interface End {
  readonly status: number | undefined;
  readonly killedBy: string | undefined;
  /** Node's word for why it could not be started. */
  readonly code: string | undefined;
  /** What it wrote to its file descriptor 3. */
  readonly report: string;
}

/** Starts a command whose stdout and stderr are one file descriptor, which execa has no option for. */
function start(
  [command, words]: LaunchedAction['command'],
  output: number,
  signal: AbortSignal | undefined,
): { readonly end: Promise<End>; kill(): void } {
  const child = spawn(command, words, { stdio: ['ignore', output, output, 'pipe'] });
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  signal?.addEventListener('abort', kill);
  if (signal?.aborted === true) {
    kill();
  }
  let report = '';
  (child.stdio[3] as Readable).setEncoding('utf8').on('data', (text: string) => {
    report += text;
  });
  let code: string | undefined;
  child.once('error', (error: NodeJS.ErrnoException) => {
    code = error.code;
  });
  const end = new Promise<End>((resolve) => {
    child.once('close', (status, killedBy) => {
      signal?.removeEventListener('abort', kill);
      resolve({
        status: code === undefined ? (status ?? undefined) : undefined,
        killedBy: killedBy ?? undefined,
        code,
        report,
      });
    });
  });
  return { end, kill };
}

/**
 * Runs a launched action to its end. Throws {@link ActionFailed} where the command fails, a `UserError` where the machine
 * cannot run it, what a listener threw, the reason of the signal where that stopped it, and what kept the log from being
 * written.
 */
export async function launchAction(action: LaunchedAction): Promise<void> {
  const { label, command, log, scratch, signal } = action;
  const file = new LogFile(log);
  const listener = new Listener(action, file);
  const pipe = await LinePipe.make(scratch);
  const process = start(command, pipe.writer, signal);
  await pipe.closeWriter();
  let thrown: { readonly error: unknown } | undefined;
  for await (const line of pipe.lines()) {
    try {
      await listener.take(line);
    } catch (error) {
      thrown = { error };
      process.kill();
      break;
    }
  }
  const end = await process.end;
  await file.close();
  if (thrown !== undefined) {
    throw thrown.error;
  }
  if (end.status !== 0) {
    signal?.throwIfAborted();
    const outcome = end.status === undefined ? `killed by ${end.killedBy ?? 'a signal'}` : `status ${end.status}`;
    const undeclared = await action.reads.all(action.refusedNames);
    throw machineError(end) ?? new ActionFailed(label, outcome, listener.lastLines, log, listener.report, undeclared);
  }
  if (file.failure !== undefined) {
    throw file.failure;
  }
}
