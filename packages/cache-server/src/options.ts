import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { parseBytes, seconds, UserError } from '@strata/definitions';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import { defaultFolder } from './folder.js';

/** How a server is started. */
export interface ServeOptions {
  readonly folder: AbsolutePath;
  readonly host: string;
  /** 0 takes any that is free. */
  readonly port: number;
  /** In bytes. */
  readonly size: number;
  /** Without it, one token is made that may do everything, and only this machine is served. */
  readonly tokens: string | undefined;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** How long a client may send or read next to nothing, in milliseconds. */
  readonly stall: number;
  /** How long requests may go on after the server was told to stop, in milliseconds. */
  readonly grace: number;
  readonly logLevel: string;
}

const logLevels = ['silent', 'error', 'warn', 'info', 'debug'];
const durationForm = /^[1-9][0-9]*(s|m)$/;

function wrong(option: string, value: string, form: string): UserError {
  return new UserError(`--${option} cannot be ${value}`, { hint: `give it ${form}` });
}

function milliseconds(option: string, text: string): number {
  if (!durationForm.test(text)) {
    throw wrong(option, text, 'a number with s or m, such as 60s');
  }
  return seconds(text) * 1000;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Reads the words behind `strata-cache serve`. Throws a {@link UserError} where they make no sense. */
export function readServeOptions(words: readonly string[], environment: NodeJS.ProcessEnv): ServeOptions {
  const { values } = parseArgs({
    args: [...words],
    options: {
      folder: { type: 'string' },
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '3280' },
      size: { type: 'string', default: '50GB' },
      tokens: { type: 'string' },
      'tls-cert': { type: 'string' },
      'tls-key': { type: 'string' },
      patience: { type: 'string', default: '60s' },
      grace: { type: 'string', default: '30s' },
      'log-level': { type: 'string', default: 'info' },
    },
  });
  const { folder, host, port, size, tokens, 'tls-cert': cert, 'tls-key': key, 'log-level': logLevel } = values;
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw wrong('port', port, 'a number up to 65535');
  }
  const bytes = parseBytes(size);
  if (bytes === undefined || bytes === 0) {
    throw wrong('size', size, 'a size such as 50GB');
  }
  if (!logLevels.includes(logLevel)) {
    throw wrong('log-level', logLevel, `one of ${logLevels.join(', ')}`);
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new UserError('--tls-cert and --tls-key go together', { hint: 'give both, or none' });
  }
  if (tokens === undefined && !isLoopback(host)) {
    throw new UserError(`serving ${host} needs a tokens file: whoever can write can decide what others build`, {
      hint: 'give one with --tokens FILE; `strata-cache token` makes what goes in there',
    });
  }
  return {
    folder: folder === undefined ? defaultFolder(environment) : absolutePath(resolve(folder)),
    host,
    port: Number(port),
    size: bytes,
    tokens: tokens === undefined ? undefined : resolve(tokens),
    tls: cert === undefined || key === undefined ? undefined : { cert: resolve(cert), key: resolve(key) },
    stall: milliseconds('patience', values.patience),
    grace: milliseconds('grace', values.grace),
    logLevel,
  };
}

/** The texts of a certificate and its key. Throws a {@link UserError} where they cannot be read. */
export function readTls({ cert, key }: { readonly cert: string; readonly key: string }): {
  readonly cert: string;
  readonly key: string;
} {
  try {
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  } catch (cause) {
    throw new UserError(`the certificate cannot be read: ${(cause as Error).message}`, {
      hint: 'give PEM files with --tls-cert and --tls-key',
      cause,
    });
  }
}
