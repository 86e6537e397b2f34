import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:tls';
import { join } from 'node:path';
import { pino, type Logger } from 'pino';
import { UserError } from '@strata/definitions';
import { Access, newToken } from './access.js';
import { AccessFile } from './access-file.js';
import { Cache } from './cache.js';
import { CacheFolder } from './folder.js';
import { Metrics } from './metrics.js';
import { readTls, type ServeOptions } from './options.js';
import { makeServer } from './server.js';

/** The token of a server without configuration: made once, for its user's eyes alone. */
function ownToken(folder: string): string {
  const file = join(folder, 'local-token');
  try {
    const known = readFileSync(file, 'utf8').trim();
    // a disk that was full may have left an empty one
    if (known !== '') {
      return known;
    }
  } catch {
    // the first start
  }
  const { token } = newToken();
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  chmodSync(file, 0o600);
  return token;
}

interface CurrentAccess {
  readonly access: () => Access;
  readonly reload: () => void;
  /** The one token, where there is no file of tokens. */
  readonly own: string | undefined;
}

function accessOf({ tokens, folder }: ServeOptions, logger: Logger): CurrentAccess {
  if (tokens === undefined) {
    const own = ownToken(folder);
    const access = Access.ofOne(own);
    return { access: () => access, reload: () => undefined, own };
  }
  const file = new AccessFile(tokens, (problem) => {
    if (problem === undefined) {
      logger.info('the tokens were read again');
    } else {
      logger.error({ problem: problem.message }, 'the tokens cannot be used: those from before stay in force');
    }
  });
  const reload = (): void => {
    file.reload();
  };
  return { access: () => file.current, reload, own: undefined };
}

function listeningFailed(host: string, port: number, cause: unknown): UserError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const reason = code === 'EADDRINUSE' ? 'something else listens there' : message;
  return new UserError(`${host}:${port} cannot be listened to: ${reason}`, {
    hint: 'give another one with --host and --port',
    cause,
  });
}

/**
 * Serves until a signal ends it (SIGTERM, SIGINT: requests that are under way may end; a second one ends it at once).
 * SIGHUP has tokens and certificates read again, and ends a server that has neither. Logs go to the standard error, as one JSON object a line.
 *
 * @param print is given the lines that a user evaluates in a shell
 */
export async function serve(options: ServeOptions, print: (line: string) => void): Promise<void> {
  const logger = pino({ level: options.logLevel }, pino.destination({ fd: 2, sync: true }));
  const folder = await CacheFolder.open(options.folder);
  const { access, reload, own } = accessOf(options, logger);

  const metrics = new Metrics(options.size);
  const patience = { stall: options.stall };
  const cache = Cache.open({
    folder,
    size: options.size,
    isTrusted: (scope) => access().trusted.has(scope),
    patience,
    onEvicted: (victims) => {
      metrics.evicted(victims);
      logger.info({ count: victims.length, bytes: victims.reduce((sum, { size }) => sum + size, 0) }, 'evicted');
    },
    onDamaged: (hex) => {
      metrics.damaged();
      logger.error({ hex }, 'content is not what it was, and is gone now: look at the disk');
    },
  });
  metrics.watch(cache.inventory);

  const tls = options.tls === undefined ? undefined : readTls(options.tls);
  const app = makeServer({ cache, access, metrics, logger, patience, tls });
  const { host, port } = options;
  const address = await app.listen({ host, port }).catch((cause: unknown) => {
    throw listeningFailed(host, port, cause);
  });
  logger.info({ address, folder: options.folder, bytes: cache.inventory.bytes, ...cache.inventory.counts }, 'serving');
  print(`export NX_SELF_HOSTED_REMOTE_CACHE_SERVER=${address}`);
  if (own !== undefined) {
    print(`export NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN=${own}`);
  }

  const isConfigured = options.tokens !== undefined || options.tls !== undefined;
  if (isConfigured) {
    process.on('SIGHUP', () => {
      reload();
      try {
        if (options.tls !== undefined) {
          (app.server as unknown as Server).setSecureContext(readTls(options.tls));
        }
      } catch (error) {
        logger.error(
          { problem: (error as Error).message },
          'the certificate cannot be used: the one from before stays',
        );
      }
    });
  }
  await new Promise<void>((resolve) => {
    const stop = (signal: NodeJS.Signals): void => {
      process.once(signal, () => process.exit(1));
      logger.info({ signal }, 'stopping');
      // those that have their answer, but were kept for another request
      setInterval(() => {
        app.server.closeIdleConnections();
      }, 100).unref();
      setTimeout(() => {
        app.server.closeAllConnections();
      }, options.grace).unref();
      void app.close().then(resolve);
    };
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
    if (!isConfigured) {
      // there is nothing to read again: somebody closed the terminal
      process.once('SIGHUP', stop);
    }
  });
  folder.close();
  logger.info('stopped');
}
