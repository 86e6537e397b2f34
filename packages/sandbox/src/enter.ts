import type { Store } from '@strata/store';
import { execa } from 'execa';
import { launchCommand, machineError } from './launch.js';
import { prepare, type Runnable } from './prepare.js';

/** Runs a command in the sandbox with the terminal of the user, caching nothing. Gives back its exit status. Throws a UserError where the machine cannot run it. */
export async function enter(
  store: Store,
  action: Runnable,
  options: { readonly network?: boolean; readonly signal?: AbortSignal } = {},
): Promise<number> {
  const scratch = await store.scratch();
  try {
    const { spec } = await prepare(store, action, scratch.path, { ...options, terminal: true });
    const [command, words] = await launchCommand(spec, scratch.path);
    const result = await execa(command, words, {
      stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
      reject: false,
      killSignal: 'SIGKILL',
      ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    });
    const error = result.failed ? machineError({ code: result.code, report: result.stdio[3] }) : undefined;
    if (error !== undefined) {
      throw error;
    }
    return result.exitCode ?? 1;
  } finally {
    await scratch.dispose();
  }
}
