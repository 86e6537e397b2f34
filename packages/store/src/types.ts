import type { Readable } from 'node:stream';
import type { AbsolutePath, Digest, JsonValue } from '@strata/fingerprint';

/** Names an artifact, as the OCI image specification's descriptor does. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Size in bytes. */
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The SHA-256 of exactly what an action runs and can see. Made only by the sandbox, or by a fetch of named digests. */
export type ActionKey = Digest & { readonly __actionKey: true };

/** What an action left behind. */
export interface ActionResult {
  /** Its artifacts, by the name of the file that it wrote. */
  readonly outputs: Readonly<Record<string, Descriptor>>;
  /** Small facts about the run that are not artifacts (duration, when it ended): for people, never for keys. */
  readonly facts?: Readonly<Record<string, JsonValue>>;
}

/** How to describe an artifact that is being stored. */
export interface PutOptions {
  readonly mediaType: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** When given, content with another digest is refused and nothing is stored. */
  readonly expect?: Digest;
}

/** A folder of the store for half-made things: on the same file system as the artifacts, gone after `dispose`. */
export interface Scratch {
  readonly path: AbsolutePath;
  dispose(): Promise<void>;
}

/** Removes a folder that may hold files of mapped ids, which a plain `rm` of an ordinary user cannot. */
export type Remover = (folder: AbsolutePath) => Promise<void>;

/**
 * The content-addressed folder of artifacts and actions of this user on this machine. Whatever writes to it throws a
 * UserError where its file system is full, and leaves nothing half-made.
 */
export interface Store {
  readonly root: AbsolutePath;

  /** Whether the bytes of an artifact can be had, and as many as it has: they are here, or in a remote. */
  has(artifact: Descriptor): Promise<boolean>;
  /**
   * The artifact of which only the digest is known, described; undefined where it cannot be had. Without a size to compare
   * all of its bytes are read, so prefer `has`.
   */
  find(digest: Digest, mediaType: string): Promise<Descriptor | undefined>;
  /**
   * Where the bytes of an artifact lie (`blobs/sha256/<hex>`, mode 0444); they come from a remote where they do not yet.
   * Throws {@link MissingArtifact} where they cannot be had, or not all of them.
   */
  path(artifact: Descriptor): Promise<AbsolutePath>;
  /** Has the bytes of artifacts here, several coming at once. Throws {@link MissingArtifact} for one that cannot be had. */
  bring(artifacts: readonly Descriptor[], signal?: AbortSignal): Promise<void>;
  /** Stores bytes: written aside, hashed while they stream, renamed once they are on the disk. */
  put(content: Readable | Uint8Array | string, options: PutOptions): Promise<Descriptor>;
  /** Takes over a file of this file system (a scratch folder's), by rename once its bytes are on the disk. */
  adopt(file: AbsolutePath, options: PutOptions): Promise<Descriptor>;
  readText(artifact: Descriptor): Promise<string>;

  /** The result of an action, only where every artifact it names is here, or a remote knows the action. */
  lookup(key: ActionKey): Promise<ActionResult | undefined>;
  record(key: ActionKey, result: ActionResult): Promise<void>;

  /** Runs `work` while no other process of this machine holds the lock of that name; the kernel frees it when the holder dies. `signal` ends the waiting. */
  withLock<T>(name: string, work: () => Promise<T>, onWaiting?: () => void, signal?: AbortSignal): Promise<T>;

  /**
   * The folder that holds something in unpacked form, made once per machine: `make` fills a folder aside, which is then
   * renamed to `trees/<first 16 hex digits of name>` once it is on the disk. Short, since overlayfs mounts have room for
   * few long paths.
   */
  tree(name: Digest, make: (folder: AbsolutePath) => Promise<void>, signal?: AbortSignal): Promise<AbsolutePath>;

  /** Whether {@link tree} would make nothing. */
  hasTree(name: Digest): Promise<boolean>;

  scratch(): Promise<Scratch>;
  /**
   * Deletes everything in the store. Throws a UserError, and deletes nothing, while another process has it open, or this
   * one holds a lock or a scratch folder of it.
   */
  clear(): Promise<void>;
  status(): Promise<StoreStatus>;
  /**
   * Removes what was not asked for for the longest time, until artifacts and unpacked trees have no more than `keep`
   * bytes. What a process that uses the store asked for, stays.
   */
  collect(keep: number, onWork?: (work: Work) => void): Promise<Collected>;
  /** Reads every artifact, and removes those whose content is not what they are named by. Gives back their number. */
  verify(onWork?: (work: Work) => void): Promise<number>;
}

/** How far work on a store is, in bytes. */
export interface Work {
  readonly done: number;
  readonly total: number;
}

/** What was collected; sizes in bytes. */
export interface Collected {
  readonly freed: number;
  readonly items: number;
  readonly left: number;
  /** What would have had to go too, but something that runs may need it. */
  readonly needed: number;
}

/** How far downloads are that were asked for together, in bytes. */
export interface Transfer {
  /** One of them, of which bytes have just come. */
  readonly artifact: Descriptor;
  readonly done: number;
  readonly total: number;
}

/** How much a store holds; sizes in bytes. */
export interface StoreStatus {
  readonly artifacts: { readonly count: number; readonly bytes: number };
  readonly actions: { readonly count: number };
  readonly trees: { readonly count: number };
}
