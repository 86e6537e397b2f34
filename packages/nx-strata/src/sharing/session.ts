import {
  storeRoot,
  HttpRemote,
  noProxyVariables,
  openLocalStore,
  openRemotes,
  remoteAddresses,
  Remotes,
  Uploader,
} from '@strata/store';
import type { RemoteAddress } from '@strata/store';
import { removeInNamespace } from '@strata/sandbox';
import { formatBytes } from '@strata/image';
import { Relay } from './relay.js';
import { noticesVariable } from './task-remotes.js';

/** Milliseconds between two looks at whether there is something to upload. */
const lookEvery = 300;

/** How long a command that has done everything else waits for its uploads, in milliseconds: Nx ends a hook after ten minutes. */
const longestWait = 8 * 60_000;

/** In that time, milliseconds in which bytes have to move, and how many: a slow line finishes with the next command. */
const waitWindow = 20_000;
const waitBytes = 4 * 1024 * 1024;

/** Variables that a session sets for its command. */
type Variables = Record<string, string>;

const serverVariable = 'NX_SELF_HOSTED_REMOTE_CACHE_SERVER';
const tokenVariable = 'NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN';

/** What Nx's variables were before a relay took their place, by the relay's address: a daemon's process keeps what was set. */
const before = new Map<string, { readonly url: string; readonly token: string | undefined }>();

/** The environment as its user set it. */
function withoutRelay(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const known = before.get(environment[serverVariable] ?? '');
  return known === undefined
    ? environment
    : { ...environment, [serverVariable]: known.url, [tokenVariable]: known.token };
}

/** The server that keeps Nx's own results: the one that Nx is told of, else the first cache of the team's. */
function serverOfNx(environment: NodeJS.ProcessEnv, addresses: readonly RemoteAddress[]): RemoteAddress | undefined {
  const { [serverVariable]: url = '', [tokenVariable]: token } = environment;
  return url === '' ? addresses[0] : { url, token, readOnly: false, implied: true };
}

/** One Nx command's use of the remotes: it uploads what the command's tasks leave, and stands before Nx's own cache. */
export class Session {
  #clock: NodeJS.Timeout | undefined;
  /** Ends uploads that go on too long after everything else is done. */
  readonly #ends = new AbortController();
  #draining: Promise<unknown> | undefined;

  private constructor(
    private readonly parts: {
      readonly remotes: Remotes;
      readonly nx: Remotes;
      readonly uploader: Uploader;
      readonly relay: Relay;
    },
    /** What is to be set in the command's environment. */
    readonly variables: Variables,
  ) {}

  /** Begins a session; undefined where there is no remote. */
  static async begin(
    environment: NodeJS.ProcessEnv,
    configured: Parameters<typeof remoteAddresses>[1],
    saysNotices: boolean,
  ): Promise<Session | undefined> {
    const own = withoutRelay(environment);
    const addresses = remoteAddresses(own, configured);
    const server = serverOfNx(own, addresses);
    if (server === undefined) {
      return undefined;
    }
    const store = await openLocalStore({ root: storeRoot(own), remove: removeInNamespace });
    const remotes = openRemotes(store.root, { addresses });
    // its state is its own: a cache for artifacts may keep no results
    const upstream = new HttpRemote({ ...server, url: `${server.url.replace(/\/+$/, '')}/v1/cache` });
    const quiet = (own[serverVariable] ?? '') === '' ? new Set([upstream.name]) : undefined;
    const nx = new Remotes([upstream], store.root, undefined, quiet);
    remotes.forget();
    nx.forget();
    const same = remotes.all.find(({ name }) => upstream.name === `${name}/v1/cache`);
    const relay = await Relay.start({
      upstream,
      remotes: nx,
      scratch: () => store.scratch(),
      onFault: (fault) => {
        // a server that is down for Nx is down for artifacts: nobody has to wait for it twice
        if (same !== undefined && (fault.kind === 'unusable' || fault.kind === 'slow')) {
          remotes.report(same, 'read', fault);
        }
      },
    });
    before.set(relay.url, { url: own[serverVariable] ?? '', token: own[tokenVariable] });
    const [first] = addresses;
    const session = new Session(
      { remotes, nx, uploader: new Uploader(store, remotes), relay },
      {
        [serverVariable]: relay.url,
        [tokenVariable]: relay.token,
        ...noProxyVariables(own),
        STRATA_REMOTE_TOKEN: first?.token ?? '',
        ...(first?.implied === true ? { STRATA_REMOTE: first.url, STRATA_REMOTE_IMPLIED: 'true' } : {}),
        ...(saysNotices ? { [noticesVariable]: 'true' } : {}),
      },
    );
    session.#clock = setInterval(() => {
      session.#look();
    }, lookEvery);
    session.#clock.unref();
    return session;
  }

  #look(): void {
    this.#draining ??= this.parts.uploader
      .drain({ signal: this.#ends.signal })
      // what failed is tried again in the end, and said then
      .catch(() => undefined)
      .finally(() => (this.#draining = undefined));
  }

  /** Finishes the uploads, and gives back what a user is to be told. */
  async end(say: (line: string) => void): Promise<string[]> {
    const { remotes, nx, uploader, relay } = this.parts;
    clearInterval(this.#clock);
    const { left, unsent } = await this.#finish(say);
    await relay.close();
    const notices = [...remotes.takeNotices()];
    // one server that is down is said once
    if (notices.length === 0) {
      notices.push(...nx.takeNotices());
    }
    if (left > 0 && notices.length === 0 && remotes.writable.length > 0) {
      const { bytes } = await uploader.progress();
      notices.push(
        `${left} actions are shared with the next command (${formatBytes(bytes)} were uploaded in this one)`,
      );
    }
    if (unsent > 0) {
      notices.push(`${unsent} of Nx's results are not shared: that would have taken too long`);
    }
    await remotes.close();
    await nx.close();
    return notices;
  }

  /** How much of everything is done. */
  async #progress(): Promise<{ readonly bytes: number; readonly left: number }> {
    const { uploader, relay } = this.parts;
    const [actions, results] = [await uploader.progress(), relay.progress];
    return { bytes: actions.bytes + results.bytes, left: actions.left + results.left };
  }

  /** Waits for the uploads as long as they get on. Gives back how many actions, and results of Nx's, are left. */
  async #finish(say: (line: string) => void): Promise<{ readonly left: number; readonly unsent: number }> {
    const { uploader, relay } = this.parts;
    const { signal } = this.#ends;
    const end = Date.now() + longestWait;
    let last = (await this.#progress()).bytes;
    const watch = setInterval(() => {
      void this.#progress().then(({ bytes, left }) => {
        say(`shares ${left} results with the team's cache, ${formatBytes(bytes)} so far`);
        if (bytes - last < waitBytes || Date.now() > end) {
          this.#ends.abort();
        }
        last = bytes;
      });
    }, waitWindow);
    try {
      const draining = async (): Promise<number> => {
        await this.#draining;
        return uploader.drainAll({ signal });
      };
      const [left, unsent] = await Promise.all([draining(), relay.sent(signal)]);
      return { left, unsent };
    } finally {
      clearInterval(watch);
    }
  }
}
