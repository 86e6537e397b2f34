import { UserError } from '@strata/definitions';
import { explainingFullDisk } from './full-disk.js';
import { LocalStore, type LocalStoreOptions } from './local-store.js';
import type { RemoteAddress } from './remotes/addresses.js';
import { HttpRemote, remoteName } from './remotes/http-remote.js';
import { Remotes, type OnFault } from './remotes/remotes.js';
import { SharedStore, type SharingOptions } from './shared-store.js';
import type { Store } from './types.js';

/** Remotes of a store, and how it uses them. */
export interface RemoteUse extends Partial<Pick<SharingOptions, 'onTransfer'>> {
  readonly addresses: readonly RemoteAddress[];
  /** Whether actions that are asked for are left to be uploaded to them. Default: false. */
  readonly offers?: boolean | undefined;
  /** Whether they are asked for what is not here. Default: true. */
  readonly reads?: boolean | undefined;
  readonly onFault?: OnFault | undefined;
}

/** Where and how a store is opened. */
export interface OpenOptions extends LocalStoreOptions {
  readonly remotes?: RemoteUse | undefined;
}

/** The remotes at some addresses, for the store in a folder. */
export function openRemotes(root: LocalStoreOptions['root'], { addresses, onFault }: RemoteUse): Remotes {
  const remotes = addresses.map(({ url, token, readOnly }) => new HttpRemote({ url, token, readOnly }));
  const quiet = new Set(remotes.filter((_, index) => addresses[index]?.implied === true).map(({ name }) => name));
  return new Remotes(remotes, root, onFault, quiet);
}

/** Opens the folder of a store, without remotes. Throws as {@link openStore} does. */
export async function openLocalStore(options: LocalStoreOptions): Promise<LocalStore> {
  const { root } = options;
  try {
    return await explainingFullDisk(root, () => LocalStore.open(options));
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message: string };
    if (error instanceof UserError || code === undefined) {
      throw error;
    }
    throw new UserError(`the store ${root} cannot be opened: ${message}`, {
      hint: 'set STRATA_STORE to a folder that you may write to',
      cause: error,
    });
  }
}

/**
 * Opens a store, making its folders (mode 0700) where they are missing, and removing what killed processes left
 * half-made. Until this process ends, nobody empties the store. Throws a {@link UserError} where the folder is
 * something else than a store, or cannot be written to.
 */
export async function openStore({ remotes, ...options }: OpenOptions): Promise<Store> {
  const local = await openLocalStore(options);
  if (remotes === undefined || remotes.addresses.length === 0) {
    return local;
  }
  return new SharedStore(local, {
    remotes: remotes.reads === false ? new Remotes([], options.root) : openRemotes(options.root, remotes),
    offersTo: remotes.addresses
      .filter(({ readOnly }) => remotes.offers === true && !readOnly)
      .map(({ url }) => remoteName(url)),
    onTransfer: remotes.onTransfer,
  });
}
