import { fileURLToPath } from 'node:url';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import type { Input } from './types.js';

/** The script that packs layers; runs inside, and is a module for other scripts beside it. */
export const packScript: AbsolutePath = absolutePath(fileURLToPath(new URL('../guest/pack.py', import.meta.url)));

/** A script as an input, at `/strata/in/bin/NAME`. */
export function scriptInput(name: string, path: AbsolutePath): Input {
  return { kind: 'file', name: `bin/${name}`, path };
}
