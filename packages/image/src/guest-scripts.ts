import { fileURLToPath } from 'node:url';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import { packScript, scriptInput, type Input } from '@strata/sandbox';

/** A script of this package that runs inside of the sandbox. */
export function guestScript(name: string): AbsolutePath {
  return absolutePath(fileURLToPath(new URL(`../guest/${name}`, import.meta.url)));
}

/** Scripts of this package as inputs, beside the one that packs layers. */
export function guestScripts(...names: readonly string[]): Input[] {
  return [scriptInput('pack.py', packScript), ...names.map((name) => scriptInput(name, guestScript(name)))];
}

/** The parameters of a script, where it looks for them. */
export function specInput(spec: object): Input {
  return { kind: 'text', name: 'spec.json', text: JSON.stringify(spec) };
}
