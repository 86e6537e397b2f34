import { isUtf8 } from 'node:buffer';
import { UserError } from '@strata/definitions';

/** Orders paths by the bytes of their UTF-8 form, as every tool on the other side of a tar does. */
export function comparePaths(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

/** The same paths in the order of {@link comparePaths}. */
export function sortPaths(paths: readonly string[]): string[] {
  return paths
    .map((path) => ({ path, bytes: Buffer.from(path) }))
    .sort((left, right) => Buffer.compare(left.bytes, right.bytes))
    .map(({ path }) => path);
}

/** Every folder above the given relative paths, up to but without the root. */
export function foldersOf(paths: readonly string[]): Set<string> {
  const folders = new Set<string>();
  for (const path of paths) {
    let end = path.lastIndexOf('/');
    while (end > 0 && !folders.has(path.slice(0, end))) {
      folders.add(path.slice(0, end));
      end = path.lastIndexOf('/', end - 1);
    }
  }
  return folders;
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
