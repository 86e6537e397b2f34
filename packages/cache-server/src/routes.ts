import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import type { Client } from './access.js';
import { ArtifactUpload, offsetHeader } from './artifact-upload.js';
import type { Cache } from './cache.js';
import { takeEntry } from './entry-upload.js';
import type { Entry } from './inventory.js';
import type { Metrics } from './metrics.js';
import { entryName, sha256Name, type EntryKind } from './names.js';
import { announcedPart, requestedSpan } from './ranges.js';
import { Refused } from './refused.js';
import type { ClientOf } from './server.js';

interface Context {
  readonly cache: Cache;
  readonly metrics: Metrics;
  readonly clientOf: ClientOf;
}

interface Named {
  readonly Params: { readonly name: string };
}

const binary = 'application/octet-stream';

/** What the server answers: see "The protocol" in the README. */
export function addRoutes(app: FastifyInstance, context: Context): void {
  const { metrics, clientOf } = context;
  app.get('/health', (_request, reply) => reply.type('text/plain').send('ok\n'));
  app.get('/metrics', async (request, reply) => {
    if (!clientOf(request).mayReadMetrics) {
      throw new Refused(403, 'this token may not read metrics');
    }
    return reply.type(metrics.contentType).send(await metrics.text());
  });
  addEntries(app, context, '/v1/cache/:name', 'nx');
  addEntries(app, context, '/ac/:name', 'ac');
  addArtifacts(app, context);
}

/** Nothing is told from something that is not for this client. */
function nothing(headers?: Readonly<Record<string, string>>): Refused {
  return new Refused(404, 'there is nothing here', headers === undefined ? {} : { headers });
}

/** Who writes. Nx goes on with what it does after 403, once it has sent all of the body. */
function writerOf(client: Client): Client {
  if (!client.mayWrite) {
    throw new Refused(403, 'this token may only read', { drain: 'all' });
  }
  return client;
}

function lengthOf(request: FastifyRequest): number {
  const length = request.headers['content-length'];
  if (length === undefined) {
    throw new Refused(411, 'a body needs a Content-Length');
  }
  return Number(length);
}

async function stream(reply: FastifyReply, content: Readable | undefined, length: number): Promise<FastifyReply> {
  if (content === undefined) {
    throw nothing();
  }
  return reply.type(binary).header('Content-Length', length).send(content);
}

/** Does something that writes. Where the disk is full, some of what is kept makes room for the next one. */
async function writing<T>(cache: Cache, bytes: number, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') {
      cache.room.relieve(bytes);
    }
    throw error;
  }
}

function addEntries(app: FastifyInstance, { cache, metrics, clientOf }: Context, url: string, kind: EntryKind): void {
  const find = (request: FastifyRequest<Named>): Entry => {
    const entry = cache.entry(kind, entryName(kind, request.params.name), clientOf(request).scope);
    metrics.lookup(kind, entry !== undefined);
    if (entry === undefined) {
      throw nothing();
    }
    return entry;
  };
  app.get<Named>(url, async (request, reply) => {
    const entry = find(request);
    metrics.moved('out', entry.body.size);
    return stream(reply, await cache.sendEntry(entry, clientOf(request).scope), entry.body.size);
  });
  app.head<Named>(url, (request, reply) => reply.type(binary).header('Content-Length', find(request).body.size).send());
  app.put<Named>(url, async (request, reply) => {
    const { scope } = writerOf(clientOf(request));
    const name = entryName(kind, request.params.name);
    const length = lengthOf(request);
    await writing(cache, length, () =>
      takeEntry(cache, scope, { kind, name }, request.raw, length, (bytes) => {
        metrics.moved('in', bytes);
      }),
    );
    return reply.send();
  });
}

function addArtifacts(app: FastifyInstance, { cache, metrics, clientOf }: Context): void {
  const url = '/cas/:name';
  const uploadOf = (request: FastifyRequest<Named>): ArtifactUpload =>
    new ArtifactUpload(cache, clientOf(request).scope, sha256Name(request.params.name), (bytes) => {
      metrics.moved('in', bytes);
    });
  app.get<Named>(url, async (request, reply) => {
    const artifact = cache.artifact(sha256Name(request.params.name), clientOf(request).scope);
    metrics.lookup('cas', artifact !== undefined);
    if (artifact === undefined) {
      throw nothing();
    }
    const { size } = artifact;
    const span = requestedSpan(request.headers.range, size);
    const length = span === undefined ? size : span.end - span.start;
    reply.header('Accept-Ranges', 'bytes');
    if (span !== undefined) {
      reply.code(206).header('Content-Range', `bytes ${span.start}-${span.end - 1}/${size}`);
    }
    metrics.moved('out', length);
    return stream(reply, await cache.sendArtifact(artifact, span), length);
  });
  app.head<Named>(url, (request, reply) => {
    const { scope, mayWrite } = clientOf(request);
    const artifact = cache.artifact(sha256Name(request.params.name), scope);
    // who may not write is to know before sending gigabytes
    reply.header('Allow', mayWrite ? 'GET, HEAD, PUT' : 'GET, HEAD');
    if (artifact === undefined) {
      throw nothing({ [offsetHeader]: String(uploadOf(request).offset) });
    }
    cache.useArtifact(artifact);
    return reply.type(binary).header('Accept-Ranges', 'bytes').header('Content-Length', artifact.size).send();
  });
  app.put<Named>(url, async (request, reply) => {
    writerOf(clientOf(request));
    const upload = uploadOf(request);
    const length = lengthOf(request);
    const part = announcedPart(request.headers['content-range'], length);
    const done = await writing(cache, length, () => upload.take(request.raw, part));
    return done.state === 'whole' ? reply.send() : reply.code(202).header(offsetHeader, done.offset).send();
  });
}
