import { UserError } from '@strata/definitions';
import type { AbsolutePath } from '@strata/fingerprint';

function isFull(error: unknown): boolean {
  const { code, cause } = error as { readonly code?: unknown; readonly cause?: unknown };
  return code === 'ENOSPC' || code === 'EDQUOT' || (typeof cause === 'object' && cause !== null && isFull(cause));
}

/**
 * Does something that writes to a store. Throws a {@link UserError} where its file system, or the user's share of it,
 * is full; every other error as it is.
 */
export async function explainingFullDisk<T>(root: AbsolutePath, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UserError || typeof error !== 'object' || error === null || !isFull(error)) {
      throw error;
    }
    throw new UserError(`the file system of the store ${root} is full`, {
      hint: 'free some space there, run `strata store clear`, or set STRATA_STORE to a folder with more room',
      cause: error,
    });
  }
}
