import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mkdtemp, rm } from 'node:fs/promises';
import { absolutePath } from '@strata/fingerprint';
import { openStore, storeRoot, type RemoteUse, type Remover, type Store } from '@strata/store';
import { inUserNamespace } from './launch.js';

/** Removes a folder that may hold files of mapped ids, by `rm` in the user namespace where a plain one is not allowed to. */
export const removeInNamespace: Remover = async (folder) => {
  try {
    await rm(folder, { recursive: true, force: true });
  } catch {
    const scratch = absolutePath(await mkdtemp(join(tmpdir(), 'strata-remove-')));
    try {
      await inUserNamespace(['rm', '--recursive', '--force', folder], { scratch });
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }
  if (existsSync(folder)) {
    throw new Error(`${folder} could not be removed`);
  }
};

/**
 * Opens the store of this user, as the environment says where it is.
 *
 * @param remotes the remotes that it shares with; none where they are not given
 */
export function openUserStore(environment: NodeJS.ProcessEnv = process.env, remotes?: RemoteUse): Promise<Store> {
  return openStore({
    root: storeRoot(environment),
    remove: removeInNamespace,
    remotes,
    onDamaged: (file) => {
      console.error(`warning: ${file} is damaged, and dropped: what needs it makes it again`);
    },
  });
}
