import { openRemotes, remoteAddresses, type RemoteUse, type Store } from '@strata/store';
import type { PluginOptions } from '../model.js';
import type { Reporter } from '../reporter.js';

/** Set for tasks where the command that they belong to says itself, in its end, what was wrong with remotes. */
export const noticesVariable = 'STRATA_REMOTE_NOTICES';

/** How a task uses the remotes. */
export function taskRemotes(options: PluginOptions, reporter: Reporter, label: string): RemoteUse {
  return {
    addresses: remoteAddresses(process.env, options.remotes),
    offers: true,
    onTransfer: ({ artifact, done, total }) => {
      const subject = artifact.annotations?.['dev.strata.title'] ?? artifact.digest.slice(7, 19);
      reporter.progress(label, { phase: 'download', subject, done, total, unit: 'bytes' });
    },
  };
}

/**
 * Says what was wrong with remotes so far, where the command itself cannot: with Nx's daemon, only what tasks print
 * reaches a terminal. Nx keeps that, and may show it again, so a command that can does it instead.
 */
export async function sayNotices(store: Store, options: PluginOptions, reporter: Reporter): Promise<void> {
  if (process.env[noticesVariable] === 'true') {
    return;
  }
  const remotes = openRemotes(store.root, { addresses: remoteAddresses(process.env, options.remotes) });
  remotes.takeNotices().forEach((line) => {
    reporter.line(line);
  });
  await remotes.close();
}
