import { UserError } from '@strata/definitions';
import { z } from 'zod';

/** A remote in the options of the plugin. What is secret is in the environment alone. */
export interface RemoteOptions {
  /** `https://cache.example:7878` */
  readonly url: string;
  /** Whether nothing is to be written to it. */
  readonly readOnly?: boolean | undefined;
}

/** Where a remote is, and by what right it is used. */
export interface RemoteAddress {
  readonly url: string;
  readonly token?: string | undefined;
  readonly readOnly: boolean;
  /** Whether it was named as Nx's cache only, and may be no cache for artifacts. */
  readonly implied: boolean;
}

function parseUrl(text: string, variable: string): string {
  if (!z.url({ protocol: /^https?$/ }).safeParse(text).success) {
    throw new UserError(`${variable} is no address of a cache: ${text}`, {
      hint: 'give it as http://HOST:PORT or https://HOST:PORT',
    });
  }
  return text;
}

/**
 * The remotes of a store: those of `STRATA_REMOTE` (addresses with spaces between; `off` for none), else those of the
 * plugin's options, else the server that Nx has its own cache on, since strata-cache is both. Throws a {@link UserError}
 * where a variable holds no address.
 */
export function remoteAddresses(
  environment: NodeJS.ProcessEnv,
  configured: readonly RemoteOptions[] = [],
): RemoteAddress[] {
  const {
    STRATA_REMOTE: own = '',
    NX_SELF_HOSTED_REMOTE_CACHE_SERVER: nx = '',
    NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN: nxToken = '',
  } = environment;
  const token = environment['STRATA_REMOTE_TOKEN'] ?? nxToken;
  const right = token === '' ? {} : { token };
  const words = own.split(/\s+/).filter((word) => word !== '');
  if (words.length > 0) {
    return words[0] === 'off'
      ? []
      : words.map((word) => ({
          url: parseUrl(word, 'STRATA_REMOTE'),
          ...right,
          readOnly: false,
          implied: environment['STRATA_REMOTE_IMPLIED'] === 'true',
        }));
  }
  if (configured.length > 0) {
    return configured.map(({ url, readOnly = false }) => ({ url, ...right, readOnly, implied: false }));
  }
  return nx === ''
    ? []
    : [{ url: parseUrl(nx, 'NX_SELF_HOSTED_REMOTE_CACHE_SERVER'), ...right, readOnly: false, implied: true }];
}
