import pRetry, { AbortError } from 'p-retry';
import { EnvHttpProxyAgent, request, type Dispatcher } from 'undici';
import type { Patience } from './pace.js';
import { noProxy, proxyFor } from './proxies.js';
import { RemoteFault, type FaultKind } from './remote.js';

/** An HTTP answer, whose body is to be read or dumped. */
export type Answer = Dispatcher.ResponseData;

/** Connections at once. */
const connections = 8;

/** How often a transfer goes on that gets further each time. */
const rounds = 100;

const busy = [408, 425, 429, 500, 502, 503, 504];

function kindOf(status: number): FaultKind {
  switch (status) {
    case 401:
      return 'refused';
    case 403:
      return 'forbidden';
    case 413:
    case 507:
      return 'full';
    // methods or paths that the server does not know
    case 404:
    case 405:
    case 501:
      return 'not offered';
    default:
      return 'unusable';
  }
}

/** What a user can do about an answer, where that is known. */
function meaning(status: number, { location }: Answer['headers']): string {
  if (status === 401) {
    return ' (it does not know the token)';
  }
  // not followed: the token is for the server that was named
  const target = typeof location === 'string' && URL.canParse(location) ? new URL(location).origin : undefined;
  return status >= 300 && status < 400 && target !== undefined ? ` (it is at ${target})` : '';
}

/** Codes of errors that say that nobody is there, or that nobody answers: a second try would only cost time. */
const absent = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'];
const silent = ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'];

function codeOf(error: unknown): string {
  const { code, cause } = error as { readonly code?: unknown; readonly cause?: { readonly code?: unknown } };
  return String(code ?? cause?.code);
}

function asFault(error: unknown): RemoteFault {
  const code = codeOf(error);
  return silent.includes(code)
    ? new RemoteFault('slow', 'does not answer', { cause: error })
    : new RemoteFault(
        'unusable',
        absent.includes(code)
          ? `cannot be reached (${code})`
          : error instanceof BusyAnswer
            ? error.message
            : `breaks off (${code === 'undefined' ? (error as Error).message : code})`,
        { cause: error },
      );
}

/** An answer that may be another one soon. */
class BusyAnswer extends Error {}

/** An error of this machine's own, such as a full disk: no fault of the remote. */
function isOurs(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown };
  return ['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EACCES', 'EMFILE', 'ENOENT'].includes(String(code));
}

/** What a request holds besides its method and path. */
export interface AskOptions {
  readonly signal?: AbortSignal | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Dispatcher.DispatchOptions['body'];
  /** Milliseconds until an answer begins, where that may take longer than usual. */
  readonly answer?: number;
}

/** Speaks to one HTTP server over connections that are kept open, and through the proxies that the environment names. */
export class HttpClient {
  readonly #agent: EnvHttpProxyAgent;

  constructor(
    private readonly base: string,
    private readonly headers: Readonly<Record<string, string>>,
    private readonly patience: Patience,
  ) {
    const connect = { timeout: patience.connect };
    this.#agent = new EnvHttpProxyAgent({
      connections,
      connect,
      proxyTls: connect,
      // empty where there is none: undici would look into the environment itself
      httpProxy: proxyFor('http', process.env) ?? '',
      httpsProxy: proxyFor('https', process.env) ?? '',
      noProxy: noProxy(process.env),
      // as everybody else does: many proxies tunnel to HTTPS's port alone
      proxyTunnel: false,
    });
  }

  /** Asks once. Throws what undici does. */
  async ask(method: 'GET' | 'HEAD' | 'PUT', path: string, options: AskOptions): Promise<Answer> {
    const { signal, headers, body, answer = this.patience.answer } = options;
    return request(`${this.base}${path}`, {
      method,
      headers: { ...this.headers, ...headers },
      dispatcher: this.#agent,
      // here and not in the agent, which forgets them on the way to a proxy
      headersTimeout: answer,
      bodyTimeout: this.patience.window,
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /** Throws where an answer has another status: what may go well later as a {@link BusyAnswer}, all else as a fault. */
  async require(
    { statusCode, headers, body }: Pick<Answer, 'statusCode' | 'headers' | 'body'>,
    ...good: number[]
  ): Promise<void> {
    if (good.includes(statusCode)) {
      return;
    }
    await body.dump();
    const reason = `answers ${statusCode}${meaning(statusCode, headers)}`;
    throw busy.includes(statusCode) ? new BusyAnswer(reason) : new RemoteFault(kindOf(statusCode), reason);
  }

  /** Tries something again while that may help, and says in the end what is wrong. */
  async trying<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const { retries, backOff } = this.patience;
    const attempt = async (): Promise<{ readonly value: T } | { readonly error: unknown }> => {
      try {
        return { value: await work() };
      } catch (error) {
        if (signal?.aborted === true || isOurs(error)) {
          return { error };
        }
        const isHopeless = error instanceof RemoteFault || [...absent, ...silent].includes(codeOf(error));
        const fault = error instanceof RemoteFault ? error : asFault(error);
        throw isHopeless ? new AbortError(fault) : fault;
      }
    };
    const options = { retries, minTimeout: backOff, factor: 2, randomize: true };
    const outcome = await pRetry(attempt, signal === undefined ? options : { ...options, signal });
    if ('error' in outcome) {
      signal?.throwIfAborted();
      throw outcome.error;
    }
    return outcome.value;
  }

  /** The same for a transfer, which may begin anew where the attempts before got further. */
  async going<T>(position: () => Promise<number>, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    let last = 0;
    for (let round = 1; ; round++) {
      try {
        return await this.trying(signal, work);
      } catch (error) {
        const mayGoOn = error instanceof RemoteFault && error.kind === 'unusable' && round < rounds;
        const now = mayGoOn ? await position() : 0;
        if (now <= last) {
          throw error;
        }
        last = now;
      }
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
