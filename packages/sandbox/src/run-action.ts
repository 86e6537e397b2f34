import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { absolutePath, hexOf, type AbsolutePath } from '@strata/fingerprint';
import type { ActionKey, ActionResult, Descriptor, Store } from '@strata/store';
import { actionKey, isSeed } from './action-key.js';
import { InputChanged } from './errors.js';
import { explainFullDisk } from './full-disk.js';
import { InputWatch } from './input-watch.js';
import { launchAction } from './launch-action.js';
import { launchCommand } from './launch.js';
import { diffIdOf } from './layers.js';
import { collectOutputs } from './outputs.js';
import { prepare } from './prepare.js';
import { withSecondLook } from './second-look.js';
import type { Action, ActionEvent, ActionOutcome, LayerDescriptor } from './types.js';
import { UndeclaredReads, type Surroundings } from './undeclared.js';

/** How an action is asked for. */
export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: ActionEvent) => void) | undefined;
  /** Runs the command even if its result is known: to see whether it makes the same bytes again. */
  readonly force?: boolean;
  /** What the action lies in, for {@link ActionFailed.undeclared}. Without it, no paths of a workspace are among that. */
  readonly surroundings?: Surroundings | undefined;
}

/** All layers that an action sees something of: its toolchain, its root, its inputs. */
export function layersOfAction({ toolchain, rootfs, inputs }: Action): LayerDescriptor[] {
  return [
    ...(isSeed(toolchain) ? [] : toolchain),
    ...(rootfs?.lower ?? []),
    ...inputs.flatMap((input) => ('layer' in input ? [input.layer] : [])),
  ];
}

/** The bytes that an action needs on this machine: of layers that lie unpacked here, none. */
async function neededArtifacts(store: Store, action: Action): Promise<Descriptor[]> {
  const needed = action.inputs.flatMap((input) => (input.kind === 'artifact' ? [input.artifact] : []));
  for (const layer of layersOfAction(action)) {
    if (!(await store.hasTree(diffIdOf(layer)))) {
      needed.push(layer);
    }
  }
  return needed;
}

async function logFile(store: Store, label: string, key: ActionKey): Promise<AbsolutePath> {
  const folder = join(store.root, 'logs');
  await mkdir(folder, { recursive: true });
  return absolutePath(join(folder, `${label.replace(/[^A-Za-z0-9._-]+/g, '-')}-${hexOf(key).slice(0, 12)}.log`));
}

async function requireUnchanged(watch: InputWatch, label: string): Promise<void> {
  const changed = await watch.changed();
  if (changed !== undefined) {
    throw new InputChanged(label, changed);
  }
}

async function execute(store: Store, action: Action, key: ActionKey, options: RunOptions): Promise<ActionResult> {
  const { label } = action;
  const { signal, onEvent } = options;
  await store.bring(await neededArtifacts(store, action), signal);
  const watch = await InputWatch.begin(action);
  if ((await actionKey(action)).key !== key) {
    throw new InputChanged(label, 'a script of its own');
  }
  const scratch = await store.scratch();
  try {
    const { spec, out, refusedNames } = await prepare(store, action, scratch.path, { signal });
    // a wait for the lock, or for layers to be unpacked, may have been long
    await requireUnchanged(watch, label);
    signal?.throwIfAborted();
    const log = await logFile(store, label, key);
    onEvent?.({ type: 'started', label, key, log });
    const start = performance.now();
    const command = await launchCommand(spec, scratch.path);
    const reads = new UndeclaredReads(action, options.surroundings);
    try {
      await launchAction({ label, command, log, scratch: scratch.path, reads, refusedNames, signal, onEvent });
    } catch (error) {
      throw await withSecondLook(error, performance.now() - start, { store, action, reads, signal });
    }
    await requireUnchanged(watch, label);
    const outputs = await collectOutputs(store, action, out);
    const seconds = Math.round((performance.now() - start) / 10) / 100;
    const result: ActionResult = { outputs, facts: { label, seconds } };
    // who interrupts may have ended a part of the command only, which went on without it
    signal?.throwIfAborted();
    await store.record(key, result);
    onEvent?.({ type: 'finished', label, key, seconds });
    return result;
  } catch (error) {
    throw explainFullDisk(error, store.root);
  } finally {
    await scratch.dispose();
  }
}

/**
 * Gives the result of an action: from the store where its key is known, without starting anything; else by running it
 * in the sandbox, once, whoever else on this machine asks for it at the same time.
 *
 * Throws {@link ActionFailed} where the command fails, {@link InputChanged} where something that it read was written to
 * meanwhile, {@link MissingArtifact} where the bytes of an input are not here, a {@link UserError} where the machine
 * cannot run a sandbox, and the reason of `signal` where that is aborted, also while it waits.
 */
export async function runAction(store: Store, action: Action, options: RunOptions = {}): Promise<ActionOutcome> {
  const { label } = action;
  const { signal, onEvent, force } = options;
  const { key } = await actionKey(action);
  const known = async (): Promise<ActionOutcome | undefined> => {
    const result = force === true ? undefined : await store.lookup(key);
    if (result !== undefined) {
      onEvent?.({ type: 'hit', label, key });
    }
    return result === undefined ? undefined : { key, result, ran: false };
  };
  const hit = await known();
  if (hit !== undefined) {
    return hit;
  }
  return store.withLock(
    `action-${hexOf(key).slice(0, 32)}`,
    async () => (await known()) ?? { key, result: await execute(store, action, key, options), ran: true },
    () => onEvent?.({ type: 'waiting', label, key }),
    signal,
  );
}
