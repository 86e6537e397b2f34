import { isUtf8 } from 'node:buffer';
import { UserError } from '@strata/definitions';

/** Orders paths by the bytes of their UTF-8 form, as every tool on the other side of a tar does. */
export function comparePaths(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

/** Sorts like {@link comparePaths}. */
export function sortPaths(paths: string[]): string[] {
  // UTF-16 has the order of UTF-8 but for what has surrogates, and comparing code units is much faster
  return paths.sort(paths.some((path) => /[\ud800-\uffff]/.test(path)) ? comparePaths : undefined);
}

/** A path below a root; the root itself where `path` is empty. Does without the cost of node:path's `join`. */
export function below(root: string, path: string): string {
  return path === '' ? root : root === '/' ? `/${path}` : `${root}/${path}`;
}

/**
 * A text from the file system. Throws a {@link UserError} where it is not UTF-8: no manifest can hold it, and decoded
 * loosely two names could become one.
 *
 * @param what says what the bytes are: `the name of /a/b`
 */
export function decodeUtf8(bytes: Buffer, what: (text: string) => string): string {
  const text = bytes.toString('utf8');
  if (!isUtf8(bytes)) {
    throw new UserError(`${what(text)} is not UTF-8`, { hint: 'rename the file, or leave it out of the tree' });
  }
  return text;
}

/** A path whose characters stand for the bytes of a path (latin-1), so that any two names of the disk stay apart. */
export function bytePath(path: string): string {
  return Buffer.from(path).toString('latin1');
}
