import { fastify, LogController, type FastifyInstance, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Access, Client } from './access.js';
import type { Cache } from './cache.js';
import type { Metrics } from './metrics.js';
import { BrokenOff, drain, type Patience } from './receive.js';
import { Refused } from './refused.js';
import { addRoutes } from './routes.js';

/** What a server is made of. */
export interface ServerParts {
  readonly cache: Cache;
  readonly access: () => Access;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly patience: Patience;
  /** PEM texts; without them it speaks plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
}

/** What of a body is read before an answer that does not need it, in bytes. */
const someOfABody = 64 << 20;
/** The same, where nobody knows who sends it. */
const someOfAStrangers = 1 << 20;

/** Who sends a request, once its token is known. */
export type ClientOf = (request: FastifyRequest) => Client;

function isFull(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown };
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** The HTTP server: who may ask, what goes wrong, and what is told about it. What it answers is in `routes.ts`. */
export function makeServer(parts: ServerParts): FastifyInstance {
  const { cache, access, metrics, logger, patience, tls } = parts;
  const timeouts = {
    headersTimeout: patience.stall,
    connectionsCheckingInterval: Math.min(patience.stall, 5_000),
  };
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 1024 },
    // a client that reuses a connection must not meet its end: Nx fails a run then
    keepAliveTimeout: 75_000,
    // bodies are watched one by one; this is for what is left of an answer that nobody reads
    connectionTimeout: patience.stall * 10,
    requestTimeout: 0,
    ...(tls === undefined ? { http: timeouts } : { https: { ...timeouts, ...tls } }),
  }) as unknown as FastifyInstance;

  const clients = new WeakMap<FastifyRequest, Client>();
  const clientOf: ClientOf = (request) => {
    const client = clients.get(request);
    if (client === undefined) {
      throw new Refused(401, 'a token is needed: Authorization: Bearer TOKEN');
    }
    return client;
  };

  // bodies are streams, whatever they say that they are
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => {
    done(null);
  });

  app.addHook('onRequest', (request, _reply, done) => {
    const [, token] = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
    const client = token === undefined ? undefined : access().clientOf(token);
    if (client !== undefined) {
      clients.set(request, client);
    } else if (request.routeOptions.url !== '/health') {
      done(new Refused(401, 'no such token'));
      return;
    }
    done();
  });

  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    metrics.request({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000);
    const client = clients.get(request);
    logger.info(
      {
        method: request.method,
        path: request.url.slice(0, 200),
        status: reply.statusCode,
        milliseconds: Math.round(reply.elapsedTime),
        token: client?.token,
        scope: client?.scope.name,
      },
      'request',
    );
    done();
  });

  app.setErrorHandler(async (error, request, reply) => {
    const refused = asRefused(error);
    const limit = !clients.has(request) ? someOfAStrangers : refused.drain === 'all' ? Infinity : someOfABody;
    if (refused.drain === 'none') {
      reply.header('Connection', 'close');
    } else if (!(await drain(request.raw, limit, patience).catch(() => false))) {
      lingeringly(request.raw);
    }
    if (refused.status === 401) {
      reply.header('WWW-Authenticate', 'Bearer');
    }
    return reply.code(refused.status).headers(refused.headers).type('text/plain').send(`${refused.message}\n`);
  });

  /** Lets a client that is still sending see the answer: a connection that is closed under it would take that along. */
  function lingeringly({ socket }: FastifyRequest['raw']): void {
    setTimeout(() => {
      socket.destroy();
    }, patience.stall).unref();
  }

  function asRefused(error: unknown): Refused {
    if (error instanceof Refused) {
      return error;
    }
    if (error instanceof BrokenOff) {
      return new Refused(400, error.message, { drain: 'none' });
    }
    if (isFull(error)) {
      logger.error({ error: (error as Error).message }, 'the disk is full');
      return new Refused(507, 'the disk is full');
    }
    const { statusCode, message } = error as { readonly statusCode?: number; readonly message: string };
    if (statusCode !== undefined && statusCode < 500) {
      return new Refused(statusCode, message);
    }
    logger.error({ err: error }, 'failed');
    return new Refused(500, 'the server failed: see its log');
  }

  app.setNotFoundHandler(() => {
    throw new Refused(404, 'there is nothing under that path');
  });

  addRoutes(app, { cache, metrics, clientOf });
  return app;
}
