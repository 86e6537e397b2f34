import { join } from 'node:path';
import { absolutePath, type AbsolutePath, type Digest } from '@strata/fingerprint';
import type { ActionKey, ActionResult, Descriptor } from '../types.js';
import { Health, unwilling, type Direction, type Trouble } from './health.js';
import { RemoteFault, type Remote, type TransferOptions } from './remote.js';

/** Said once in a command for each remote and direction. */
export type OnFault = (message: string) => void;

/** The sentence that tells a user of a remote that cannot be used. */
export function faultMessage(remote: string, trouble: Trouble, reason: string): string {
  const without = trouble === 'write' ? 'what was built here is not shared for now' : 'the build goes on without it';
  return `warning: the cache ${remote} ${reason}: ${without}`;
}

/** Several remotes as one: the first that can, does it. Nothing throws but for reasons of this machine's own. */
export class Remotes {
  readonly #health: ReadonlyMap<Remote, Health>;

  /**
   * @param root the store's, whose folder `remotes` holds what is known of them
   * @param quiet addresses that nobody named as caches for artifacts: what they do not offer is not worth a word
   */
  constructor(
    readonly all: readonly Remote[],
    root: AbsolutePath,
    private readonly onFault: OnFault = () => undefined,
    private readonly quiet: ReadonlySet<string> = new Set(),
  ) {
    const folder = absolutePath(join(root, 'remotes'));
    this.#health = new Map(all.map((remote) => [remote, new Health(folder, remote.name)]));
  }

  /** Those that may be written to. */
  get writable(): readonly Remote[] {
    return this.all.filter(({ readOnly }) => !readOnly);
  }

  /** The result of an action, from the first that knows it. */
  async action(key: ActionKey, signal?: AbortSignal): Promise<ActionResult | undefined> {
    return this.#first((remote) => remote.action(key, signal));
  }

  /** The size of an artifact that one of them has, in bytes. */
  async size(digest: Digest, signal?: AbortSignal): Promise<number | undefined> {
    return this.#first((remote) => remote.size(digest, signal));
  }

  /** Completes a file with an artifact, from the first that has it. */
  async download(artifact: Descriptor, file: AbsolutePath, options: TransferOptions = {}): Promise<boolean> {
    const done = await this.#first(async (remote) => (await remote.download(artifact, file, options)) || undefined);
    return done === true;
  }

  /** Whether a remote is left alone, after what went wrong with it. */
  isResting(remote: Remote, direction: Direction): boolean {
    return this.#health.get(remote)?.isResting(direction) === true;
  }

  /** Whether a remote is not meant to be written to, as it said in this command: a token may only read, say. */
  isUnwilling(remote: Remote): boolean {
    return this.#health.get(remote)?.reason('write') === unwilling;
  }

  /** Notes what went wrong with a remote, and says it where it is the first time in this command. */
  report(remote: Remote, direction: Direction, { kind, message }: RemoteFault): void {
    // a token that may only read is somebody's intention
    const silent =
      (kind === 'forbidden' && direction === 'write') || (kind === 'not offered' && this.quiet.has(remote.name));
    const trouble = kind === 'wrong' ? 'content' : direction;
    const isFirst = this.#health.get(remote)?.report(trouble, silent ? unwilling : message) === true;
    if (isFirst && !silent) {
      this.onFault(faultMessage(remote.name, trouble, message));
    }
  }

  /** What went wrong since the last {@link forget}, and no process told yet: lines for a user. */
  takeNotices(): readonly string[] {
    return this.all.flatMap((remote) => {
      const trouble = this.#troubleOf(remote);
      return trouble === undefined || this.#health.get(remote)?.claimNotice(trouble) !== true
        ? []
        : this.noticesOf(remote);
    });
  }

  /** What went wrong with one of them since then, whether that was told or not. */
  noticesOf(remote: Remote): readonly string[] {
    const trouble = this.#troubleOf(remote);
    const reason = trouble === undefined ? undefined : this.#health.get(remote)?.reason(trouble);
    return trouble === undefined || reason === undefined ? [] : [faultMessage(remote.name, trouble, reason)];
  }

  /** Who cannot be read from cannot be written to: one line for both. */
  #troubleOf(remote: Remote): Trouble | undefined {
    const health = this.#health.get(remote);
    return (['read', 'content', 'write'] as const).find((one) => (health?.reason(one) ?? unwilling) !== unwilling);
  }

  /** Begins anew, as each command does. */
  forget(): void {
    this.#health.forEach((health) => {
      health.forget();
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((remote) => remote.close()));
  }

  async #first<T>(ask: (remote: Remote) => Promise<T | undefined>): Promise<T | undefined> {
    for (const remote of this.all) {
      if (this.isResting(remote, 'read')) {
        continue;
      }
      try {
        const answer = await ask(remote);
        if (answer !== undefined) {
          return answer;
        }
      } catch (error) {
        if (!(error instanceof RemoteFault)) {
          throw error;
        }
        this.report(remote, 'read', error);
      }
    }
    return undefined;
  }
}
