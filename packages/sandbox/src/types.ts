import type { JobPool } from './job-pool.js';
import type { AbsolutePath, Digest, JsonValue, ScannedTree } from '@strata/fingerprint';
import type { ActionKey, ActionResult, Descriptor } from '@strata/store';

/** An OCI image layer: a tar with zstd, whose annotation `dev.strata.diff-id` is the digest of the uncompressed tar. */
export type LayerDescriptor = Descriptor & { readonly annotations: Readonly<Record<string, string>> };

/** Layers from the bottom to the top. */
export type LayerStack = readonly LayerDescriptor[];

/** Something an action can read, at `/strata/in/<name>`. `name` may have slashes. */
export type Input =
  /** A text that Strata itself writes: a script's parameters. */
  | { readonly kind: 'text'; readonly name: string; readonly text: string }
  /** One file of this machine whose content and executable bit count: a script of ours that runs inside. */
  | { readonly kind: 'file'; readonly name: string; readonly path: AbsolutePath }
  | { readonly kind: 'artifact'; readonly name: string; readonly artifact: Descriptor }
  /** A folder of the workspace, bound as it lies there. Owners and modes inside are those of the disk: read git's modes only. */
  | { readonly kind: 'tree'; readonly name: string; readonly tree: ScannedTree }
  /** A layer unpacked, read-only. */
  | { readonly kind: 'layer'; readonly name: string; readonly layer: LayerDescriptor }
  /**
   * A folder of a layer that an action made, which also said what is in it: `digest`. Whatever else the layer holds is
   * neither seen nor in the key.
   */
  | {
      readonly kind: 'part';
      readonly name: string;
      readonly layer: LayerDescriptor;
      /** Relative to the layer's root. */
      readonly folder: string;
      readonly digest: Digest;
    };

/**
 * The root file system of the one kind of action that makes toolchains: a folder of the store made by the machine's own
 * bootstrap tool. Its bytes are never keyed and never shared; `identity` (digest of the pinned packages in it) is.
 */
export interface SeedRoot {
  readonly kind: 'seed';
  /** Makes it where it is not here yet, and says where it lies: only what really runs asks for that. */
  readonly folder: () => Promise<AbsolutePath>;
  readonly identity: Digest;
}

/** One command in the sandbox, and all that it can see. */
export interface Action {
  /** For people: `tools:merge`. Not in the key. */
  readonly label: string;
  /** The root file system (read only in effect: what is written to it is in memory and gone afterwards). */
  readonly toolchain: LayerStack | SeedRoot;
  /**
   * A root file system to change, at `/strata/root`: an overlay of these layers. The folder that takes the changes can be
   * read, as overlayfs writes it with `userxattr`, at `/strata/upper`.
   */
  readonly rootfs?: { readonly lower: LayerStack };
  readonly inputs: readonly Input[];
  /** First word is looked up in PATH. */
  readonly argv: readonly string[];
  /** The whole environment, besides PATH, HOME=/tmp, LC_ALL=C.UTF-8, TZ=UTC and SOURCE_DATE_EPOCH, which are always set. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Files that the command must leave in `/strata/out`, with their media types. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Device files of this machine that may speed the action up, bound where they exist. Not in the key: they may not reach the bytes. */
  readonly devices?: readonly string[];
  /**
   * A pool of job tokens (GNU make manual, POSIX Jobserver Interaction): its FIFO is at `/strata/jobserver` inside. Not in
   * the key.
   */
  readonly jobserver?: Pick<JobPool, 'fifo'> | undefined;
  /** Hints that may not reach the bytes and are not in the key, as variables of the environment: job counts. */
  readonly hints?: Readonly<Record<string, string>>;
  /**
   * Folders inside that programs find as their HOME, besides the one of the environment. Not in the key: it only helps to
   * say what was asked for in vain.
   */
  readonly homes?: readonly string[];
  /**
   * Whether it is worth a second look where it fails at once and did not say what is missing: it runs what a user wrote, and
   * it may run twice. Not in the key.
   */
  readonly secondLook?: boolean;
  /**
   * Whether what it prints is said by another machine, whose missing files tell nothing of what this action did not declare.
   * Not in the key.
   */
  readonly otherMachine?: boolean;
}

/** Everything that can happen while an action is asked for. */
export type ActionEvent =
  | { readonly type: 'hit'; readonly label: string; readonly key: ActionKey }
  | { readonly type: 'waiting'; readonly label: string; readonly key: ActionKey }
  | { readonly type: 'started'; readonly label: string; readonly key: ActionKey; readonly log: AbsolutePath }
  /** A line that the command printed. */
  | { readonly type: 'line'; readonly label: string; readonly line: string }
  /** The command printed `::strata:: {json}`: progress for people. */
  | { readonly type: 'progress'; readonly label: string; readonly progress: Progress }
  | { readonly type: 'finished'; readonly label: string; readonly key: ActionKey; readonly seconds: number };

/** How far an action is, as it says itself by printing one line `::strata:: <JSON of this>`. */
export interface Progress {
  /** What is being done: `compile`, `fetch`, `pack`. */
  readonly phase: string;
  /** On what: `app-misc/jq-1.7.1`. */
  readonly subject?: string;
  readonly done?: number;
  readonly total?: number;
  readonly unit?: 'packages' | 'bytes' | 'files' | 'steps';
}

/** What `runAction` gives back. */
export interface ActionOutcome {
  readonly key: ActionKey;
  readonly result: ActionResult;
  /** Whether the command ran now, or its result was in the store. */
  readonly ran: boolean;
}

/** The parts of a key, by name: what `strata why` compares. */
export type KeyParts = Readonly<Record<string, JsonValue | Digest>>;
