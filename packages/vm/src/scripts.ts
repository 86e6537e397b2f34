import { fileURLToPath } from 'node:url';
import { absolutePath } from '@strata/fingerprint';
import { scriptInput, type Input } from '@strata/sandbox';

/** A script of this package as an input. */
export function guestScript(name: string): Input {
  return scriptInput(name, absolutePath(fileURLToPath(new URL(`../guest/${name}`, import.meta.url))));
}
