import { join } from 'node:path';
import { absolutePath, type AbsolutePath, type Digest } from '@strata/fingerprint';
import { DebianSourceMirror, fetchLocked, seedOf, type Lock, type LockedFiles } from '@strata/image';
import { fetchDistfiles, fetchGit, fetchTarball, type WantedDistfile } from '@strata/portage';
import { actionKey, runAction, type Action, type Progress, type SeedRoot } from '@strata/sandbox';
import type { ActionResult, Descriptor, Store } from '@strata/store';
import type { Records } from './records/records.js';
import type { Reporter } from './reporter.js';
import { whyLine } from './why/why-line.js';

/** Who asks for a service: for messages. */
export interface Client {
  /** `project:target` */
  readonly label: string;
  readonly project: string;
  /** Folder of the project, relative to the workspace. */
  readonly folder: string;
}

/** A source of locked Debian packages. */
export interface LockedSource {
  readonly lock: Lock;
  readonly mirror?: string | undefined;
}

/**
 * Everything by which tasks reach beyond the workspace's files. One implementation does it; another only works out what
 * would be done, so that keys can be known without it.
 */
export interface Services {
  /**
   * Runs an action, or takes its result from the store.
   *
   * @param onProgress takes its progress, where the client tells that of several actions together
   */
  action(action: Action, client: Client, onProgress?: (progress: Progress) => void): Promise<ActionResult['outputs']>;
  /** The result of an action that was done before; undefined where it was not. */
  known(action: Action, client: Client): Promise<ActionResult['outputs'] | undefined>;
  /** The root that makes the first root of all; it is made where something really runs in it. */
  seed(lock: Lock, files: LockedFiles): SeedRoot;
  locked(source: LockedSource, client: Client): Promise<LockedFiles>;
  distfiles(distfiles: readonly WantedDistfile[], client: Client): Promise<Map<string, Descriptor>>;
  tarball(uri: string, digest: Digest, client: Client): Promise<Descriptor>;
  /** The tree of a commit, as a tar. */
  git(url: string, commit: string, client: Client): Promise<Descriptor>;
  /** The text of an artifact; undefined where it is not made yet, and only its place in keys is known. */
  text(artifact: Descriptor): Promise<string | undefined>;
  /** The tasks that have to run before the text of an artifact is known; none where it is made. */
  waitsFor(artifact: Descriptor): readonly string[];
}

/** What doing needs. */
export interface WorkingOptions {
  readonly workspaceRoot: AbsolutePath;
  readonly store: Store;
  readonly reporter: Reporter;
  readonly records: Records;
  readonly signal: AbortSignal;
}

/** Does what is asked of it. */
export class WorkingServices implements Services {
  constructor(private readonly options: WorkingOptions) {}

  async action(
    action: Action,
    { label, folder }: Client,
    onProgress?: (progress: Progress) => void,
  ): Promise<ActionResult['outputs']> {
    const { workspaceRoot, store, reporter, records, signal } = this.options;
    const outcome = await runAction(store, action, {
      signal,
      onEvent: (event) => {
        if (onProgress === undefined) {
          reporter.action(event);
        } else if (event.type === 'progress') {
          onProgress(event.progress);
        } else {
          reporter.part(event);
        }
        if (event.type === 'started') {
          void this.#sayWhy(action, label);
        }
      },
      surroundings: { workspaceRoot, folder: absolutePath(join(workspaceRoot, folder)) },
      force: process.env['STRATA_FORCE'] === 'true',
    });
    // what another process or an older Strata made is remembered too, so that a later run has something to be compared with
    if (outcome.ran || !records.has(action.label, outcome.key)) {
      await records.add(label, action, outcome);
    }
    return outcome.result.outputs;
  }

  async known(action: Action): Promise<ActionResult['outputs'] | undefined> {
    const { store, reporter } = this.options;
    const { key } = await actionKey(action);
    const result = await store.lookup(key);
    if (result !== undefined) {
      reporter.action({ type: 'hit', label: action.label, key });
    }
    return result?.outputs;
  }

  seed(lock: Lock, files: LockedFiles): SeedRoot {
    return seedOf(this.options.store, lock, files, this.options.signal);
  }

  locked({ lock, mirror }: LockedSource, client: Client): Promise<LockedFiles> {
    return fetchLocked(this.options.store, lock, { project: client.project, mirror, ...this.#fetching(client) });
  }

  distfiles(distfiles: readonly WantedDistfile[], client: Client): Promise<Map<string, Descriptor>> {
    return fetchDistfiles(this.options.store, distfiles, {
      mirrors: [new DebianSourceMirror(this.options.store)],
      gentooMirrors: (process.env['GENTOO_MIRRORS'] ?? '').split(/\s+/).filter((mirror) => mirror !== ''),
      ...this.#fetching(client),
    });
  }

  tarball(uri: string, digest: Digest, client: Client): Promise<Descriptor> {
    return fetchTarball(this.options.store, uri, digest, this.#fetching(client));
  }

  git(url: string, commit: string): Promise<Descriptor> {
    return fetchGit(this.options.store, url, commit, this.options.signal);
  }

  text(artifact: Descriptor): Promise<string> {
    return this.options.store.readText(artifact);
  }

  waitsFor(): readonly string[] {
    return [];
  }

  async #sayWhy(action: Action, task: string): Promise<void> {
    // what cannot be explained is no reason to fail
    const reason = await whyLine(this.options.records, task, action).catch(() => undefined);
    if (reason !== undefined) {
      this.options.reporter.line(`${action.label}  ${reason}`);
    }
  }

  #fetching({ label }: Client): { signal: AbortSignal; onProgress: (progress: Progress) => void } {
    const { signal, reporter } = this.options;
    return {
      signal,
      onProgress: (progress) => {
        reporter.progress(label, progress);
      },
    };
  }
}
