import type { AbsolutePath } from '@strata/fingerprint';
import type { Remover, Store } from './types.js';

/** Where and how a store is opened. */
export interface OpenOptions {
  readonly root: AbsolutePath;
  readonly remove: Remover;
}

/** The store of this user: `STRATA_STORE`, else `$XDG_CACHE_HOME/strata`, else `~/.cache/strata`. */
export function storeRoot(_environment: NodeJS.ProcessEnv): AbsolutePath {
  throw new Error('not implemented');
}

/** Opens a store, making its folders (mode 0700) where they are missing. */
export function openStore(_options: OpenOptions): Promise<Store> {
  throw new Error('not implemented');
}
