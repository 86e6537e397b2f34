import { Refused } from './refused.js';

/** What is kept by name: results of Nx's tasks, and of actions. */
export type EntryKind = 'nx' | 'ac';

const hex = /^[0-9a-f]{64}$/;
/** Nx's hashes are numbers now, and were hex digits before; they become names of files here. */
const nxHash = /^[A-Za-z0-9_-]{1,128}$/;

/** A SHA-256 in hex digits, out of a request's path. Throws {@link Refused} where it is none. */
export function sha256Name(text: string): string {
  if (!hex.test(text)) {
    throw new Refused(400, 'a name here is a SHA-256 as 64 lower-case hex digits');
  }
  return text;
}

/** The name of an entry, out of a request's path. Throws {@link Refused} where it is none. */
export function entryName(kind: EntryKind, text: string): string {
  if (kind === 'ac') {
    return sha256Name(text);
  }
  if (!nxHash.test(text)) {
    throw new Refused(400, 'a hash is up to 128 letters, digits, dashes and underscores');
  }
  return text;
}
