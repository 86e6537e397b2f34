import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf, digestOfJson } from '@strata/fingerprint';
import { builtCode } from './built-code.js';

let known: string | undefined;

/**
 * A digest of Strata's own built code, for Nx's hashes: what an older Strata made is asked for again, and the action
 * keys then say what of it really has to run. The same wherever the packages are installed.
 */
export function codeDigest(): string {
  known ??= digestOfJson(
    builtCode().map(({ folder, files }) => files.map((path) => [path, digestOf(readFileSync(join(folder, path)))])),
  ).slice(0, 23);
  return known;
}
