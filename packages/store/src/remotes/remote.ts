import type { AbsolutePath, Digest } from '@strata/fingerprint';
import type { ActionKey, ActionResult, Descriptor } from '../types.js';

/** What can be wrong with a remote. */
export type FaultKind =
  /** It cannot be reached, breaks off, or answers 5xx. */
  | 'unusable'
  /** It takes so long that going on without it is better. */
  | 'slow'
  /** It does not know the token. */
  | 'refused'
  /** The token may not do this. */
  | 'forbidden'
  /** It has no room, or does not take anything of that size. */
  | 'full'
  /** It is another kind of server. */
  | 'not offered'
  /** What it sent is not what was asked for. */
  | 'wrong';

/** Why a remote could not do what it was asked to. Never a reason to fail a build. */
export class RemoteFault extends Error {
  constructor(
    readonly kind: FaultKind,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'RemoteFault';
  }
}

/** How a transfer is to be done. */
export interface TransferOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told of bytes as they move. */
  readonly onBytes?: ((count: number) => void) | undefined;
}

/**
 * Another place for artifacts and actions, which a team shares. Everything throws a {@link RemoteFault} where the remote
 * cannot do it, and the reason of the signal where that is aborted.
 */
export interface Remote {
  /** For people: its address, without what is secret in it. */
  readonly name: string;
  /** Whether it is only read from. */
  readonly readOnly: boolean;
  /** The result of an action, with nothing but its descriptors; undefined where it is not known. */
  action(key: ActionKey, signal?: AbortSignal): Promise<ActionResult | undefined>;
  /** The size in bytes of an artifact; undefined where it is not there. */
  size(digest: Digest, signal?: AbortSignal): Promise<number | undefined>;
  /**
   * Completes a file that may hold the beginning of an artifact. Its content is verified while it streams; what turns
   * out to be wrong is deleted.
   *
   * @returns whether the artifact is there
   */
  download(artifact: Descriptor, file: AbsolutePath, options?: TransferOptions): Promise<boolean>;
  /** Stores the bytes of an artifact, unless it has them. */
  upload(artifact: Descriptor, file: AbsolutePath, options?: TransferOptions): Promise<void>;
  /** Remembers the result of an action, whose artifacts it has. */
  record(key: ActionKey, result: ActionResult, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
