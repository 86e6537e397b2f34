import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { once } from 'node:events';
import { UserError } from '@strata/definitions';
import { absolutePath, changeToken, hexOf, type AbsolutePath } from '@strata/fingerprint';
import { MissingArtifact, type ActionKey, type ActionResult, type Descriptor, type Store } from '@strata/store';
import { execa } from 'execa';
import { z } from 'zod';
import { actionKey, isSeed } from './action-key.js';
import { ActionFailed, InputChanged, type ErrorReport } from './errors.js';
import { launchCommand, machineTrouble, missingTool, parseErrorReport } from './launch.js';
import { prepare } from './prepare.js';
import type { Action, ActionEvent, ActionOutcome, Progress } from './types.js';

/** How an action is asked for. */
export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: ActionEvent) => void) | undefined;
  /** Runs the command even if its result is known: to see whether it makes the same bytes again. */
  readonly force?: boolean;
}

const lastLineCount = 25;
const progressPrefix = '::strata:: ';

const progressSchema = z.object({
  phase: z.string(),
  subject: z.string().optional(),
  done: z.number().optional(),
  total: z.number().optional(),
  unit: z.enum(['packages', 'bytes', 'files', 'steps']).optional(),
});

function parseProgress(line: string): Progress | undefined {
  if (!line.startsWith(progressPrefix)) {
    return undefined;
  }
  try {
    return progressSchema.parse(JSON.parse(line.slice(progressPrefix.length))) as Progress;
  } catch {
    return undefined;
  }
}

function artifactsOf(action: Action): Descriptor[] {
  const artifacts: Descriptor[] = [
    ...(isSeed(action.toolchain) ? [] : action.toolchain),
    ...(action.rootfs?.lower ?? []),
  ];
  for (const input of action.inputs) {
    if (input.kind === 'artifact') {
      artifacts.push(input.artifact);
    } else if (input.kind === 'layer') {
      artifacts.push(input.layer);
    }
  }
  return artifacts;
}

/** What was written to, of all that an action reads from this machine's disk, since it was read for the key. */
async function changedInput(action: Action, scripts: ReadonlyMap<AbsolutePath, string>): Promise<string | undefined> {
  for (const input of action.inputs) {
    if (input.kind === 'tree') {
      const { root, manifest, token } = input.tree;
      if (
        (await changeToken(
          root,
          manifest.entries.map(({ path }) => path),
        )) !== token
      ) {
        return root;
      }
    }
  }
  for (const [path, token] of scripts) {
    if ((await changeToken(path, [])) !== token) {
      return path;
    }
  }
  return undefined;
}

async function collectOutputs(store: Store, action: Action, out: AbsolutePath): Promise<Record<string, Descriptor>> {
  const outputs: Record<string, Descriptor> = {};
  for (const [name, mediaType] of Object.entries(action.outputs)) {
    const file = absolutePath(join(out, name));
    if (!existsSync(file)) {
      throw new Error(`${action.label} did not write its output ${name}`);
    }
    const notes = await readFile(`${file}.annotations.json`, 'utf8').catch(() => undefined);
    const annotations = notes === undefined ? undefined : z.record(z.string(), z.string()).parse(JSON.parse(notes));
    outputs[name] = await store.adopt(file, { mediaType, ...(annotations === undefined ? {} : { annotations }) });
  }
  return outputs;
}

async function execute(store: Store, action: Action, key: ActionKey, options: RunOptions): Promise<ActionResult> {
  for (const artifact of artifactsOf(action)) {
    if (!(await store.has(artifact.digest))) {
      throw new MissingArtifact(artifact);
    }
  }
  const { label } = action;
  const log = absolutePath(
    join(store.root, 'logs', `${label.replace(/[^A-Za-z0-9._-]+/g, '-')}-${hexOf(key).slice(0, 12)}.log`),
  );
  await mkdir(join(store.root, 'logs'), { recursive: true });
  const scripts = new Map<AbsolutePath, string>();
  for (const input of action.inputs) {
    if (input.kind === 'file') {
      scripts.set(input.path, await changeToken(input.path, []));
    }
  }
  if ((await actionKey(action)).key !== key) {
    throw new InputChanged(label, 'a script of its own');
  }
  const scratch = await store.scratch();
  try {
    const { spec, out } = await prepare(store, action, scratch.path, { signal: options.signal });
    options.onEvent?.({ type: 'started', label, key, log });
    const start = performance.now();
    await launch(action, await launchCommand(spec, scratch.path), log, options);
    const changed = await changedInput(action, scripts);
    if (changed !== undefined) {
      throw new InputChanged(label, changed);
    }
    const outputs = await collectOutputs(store, action, out);
    const seconds = Math.round((performance.now() - start) / 10) / 100;
    const result: ActionResult = { outputs, facts: { label, seconds } };
    await store.record(key, result);
    options.onEvent?.({ type: 'finished', label, key, seconds });
    return result;
  } finally {
    await scratch.dispose();
  }
}

async function launch(
  { label }: Action,
  [command, words]: readonly [string, readonly string[]],
  log: AbsolutePath,
  { signal, onEvent }: RunOptions,
): Promise<void> {
  const file = createWriteStream(log);
  const lastLines: string[] = [];
  let report: ErrorReport | undefined;
  const subprocess = execa(command, words, {
    all: true,
    buffer: false,
    reject: false,
    stdin: 'ignore',
    killSignal: 'SIGKILL',
    env: {},
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  try {
    for await (const line of subprocess.iterable({ from: 'all' })) {
      const progress = parseProgress(line);
      if (progress !== undefined) {
        onEvent?.({ type: 'progress', label, progress });
        continue;
      }
      file.write(`${line}\n`);
      const said = parseErrorReport(line);
      if (said !== undefined) {
        report = said;
        continue;
      }
      lastLines.push(line);
      if (lastLines.length > lastLineCount) {
        lastLines.shift();
      }
      onEvent?.({ type: 'line', label, line });
    }
  } catch (error) {
    // the iterable throws what the subprocess failed with; its outcome is looked at below
    if (!(error instanceof Error)) {
      throw error;
    }
  } finally {
    file.end();
    await once(file, 'close');
  }
  const result = await subprocess;
  if (result.isCanceled) {
    signal?.throwIfAborted();
  }
  if (!result.failed) {
    return;
  }
  if (result.exitCode === undefined && result.signal === undefined) {
    throw missingTool(result);
  }
  if (result.exitCode === machineTrouble && report !== undefined) {
    throw new UserError(report.message, { hint: report.hint ?? `see ${log}` });
  }
  const outcome =
    result.exitCode === undefined ? `killed by ${result.signal ?? 'a signal'}` : `status ${result.exitCode}`;
  throw new ActionFailed(label, outcome, lastLines, log, report);
}

/**
 * Gives the result of an action: from the store where its key is known, without starting anything; else by running it
 * in the sandbox, once, whoever else on this machine asks for it at the same time.
 *
 * Throws {@link ActionFailed} where the command fails, {@link InputChanged} where something that it read was written to
 * meanwhile, {@link MissingArtifact} where the bytes of an input are not here, and a {@link UserError} where the machine
 * cannot run a sandbox.
 */
export async function runAction(store: Store, action: Action, options: RunOptions = {}): Promise<ActionOutcome> {
  const { label } = action;
  const { key } = await actionKey(action);
  const known = async (): Promise<ActionOutcome | undefined> => {
    const result = options.force === true ? undefined : await store.lookup(key);
    if (result !== undefined) {
      options.onEvent?.({ type: 'hit', label, key });
    }
    return result === undefined ? undefined : { key, result, ran: false };
  };
  return (
    (await known()) ??
    (await store.withLock(
      `action-${hexOf(key).slice(0, 32)}`,
      async () => (await known()) ?? { key, result: await execute(store, action, key, options), ran: true },
      () => options.onEvent?.({ type: 'waiting', label, key }),
    ))
  );
}
