import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { isAbsolute, normalize } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { canonicalJson } from './canonical-json.js';
import type { AbsolutePath, Digest, JsonValue } from './types.js';

/** Whether something reads `sha256:<hex>`. */
export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && /^sha256:[0-9a-f]{64}$/.test(text);
}

/** Reads `sha256:<hex>`. Throws where the text is anything else. */
export function parseDigest(text: unknown): Digest {
  if (!isDigest(text)) {
    throw new TypeError(`not a sha256 digest: ${JSON.stringify(text)}`);
  }
  return text;
}

/** The 64 hex digits of a digest, as they stand in `blobs/sha256/<hex>`. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

/** Digest of bytes, or of a text in UTF-8. */
export function digestOf(content: string | Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(content).digest('hex')}` as Digest;
}

/** Digest of a value in {@link canonicalJson canonical form}. */
export function digestOfJson(value: JsonValue): Digest {
  return digestOf(canonicalJson(value));
}

/** Below this size (in bytes) a file is read in one go, in a tenth of the time that a stream takes. */
const smallFile = 1 << 18;

/** Digest of a file's content, streamed where it is large. */
export async function digestOfFile(path: string): Promise<Digest> {
  const status = statSync(path);
  if (status.isFile() && status.size < smallFile) {
    return digestOf(readFileSync(path));
  }
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return `sha256:${hash.digest('hex')}` as Digest;
}

/** Brands a path as absolute. Throws where it is relative. */
export function absolutePath(path: string): AbsolutePath {
  if (!isAbsolute(path)) {
    throw new TypeError(`not an absolute path: ${path}`);
  }
  const normal = normalize(path);
  return (normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal) as AbsolutePath;
}
