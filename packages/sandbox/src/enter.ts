import type { Store } from '@strata/store';
import { execa } from 'execa';
import { launchCommand } from './launch.js';
import { prepare, type Runnable } from './prepare.js';

/** Runs a command in the sandbox with the terminal of the user, caching nothing. Gives back its exit status. */
export async function enter(
  store: Store,
  action: Runnable,
  options: { readonly network?: boolean; readonly signal?: AbortSignal } = {},
): Promise<number> {
  const scratch = await store.scratch();
  try {
    const { spec } = await prepare(store, action, scratch.path, { ...options, terminal: true });
    const [command, words] = await launchCommand(spec, scratch.path);
    const { exitCode } = await execa(command, words, {
      stdio: 'inherit',
      reject: false,
      killSignal: 'SIGKILL',
      ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    });
    return exitCode ?? 1;
  } finally {
    await scratch.dispose();
  }
}
