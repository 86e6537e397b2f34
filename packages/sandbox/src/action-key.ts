import { stat } from 'node:fs/promises';
import { digestOf, digestOfFile, digestOfJson, type JsonValue } from '@strata/fingerprint';
import type { ActionKey } from '@strata/store';
import { diffIdOf } from './layers.js';
import type { Action, Input, KeyParts, LayerStack, SeedRoot } from './types.js';

/** Raised when what an action sees changes in a way that its parts do not tell. */
const sandboxVersion = 2;

/** Whether a root is a seed. */
export function isSeed(root: LayerStack | SeedRoot): root is SeedRoot {
  return 'kind' in root;
}

async function inputPart(input: Input): Promise<JsonValue> {
  switch (input.kind) {
    case 'text':
      return { text: digestOf(input.text) };
    case 'file': {
      const { mode } = await stat(input.path);
      return { file: await digestOfFile(input.path), executable: (mode & 0o100) !== 0 };
    }
    case 'artifact':
      return { artifact: input.artifact.digest };
    case 'tree':
      return { tree: input.tree.manifest.digest };
    case 'layer':
      return { layer: diffIdOf(input.layer) };
    case 'part':
      return { part: input.digest };
  }
}

/**
 * The key of an action, and the parts that it is made of: exactly what it runs and can see. Neither paths of this
 * machine, nor times, users, job counts or the action's label are among them.
 */
export async function actionKey(action: Action): Promise<{ key: ActionKey; parts: KeyParts }> {
  const parts: Record<string, JsonValue> = {
    sandbox: sandboxVersion,
    argv: action.argv,
    environment: action.environment ?? {},
    toolchain: isSeed(action.toolchain) ? action.toolchain.identity : action.toolchain.map(diffIdOf),
    outputs: action.outputs,
  };
  if (action.rootfs !== undefined) {
    parts['rootfs'] = action.rootfs.lower.map(diffIdOf);
  }
  for (const input of action.inputs) {
    const name = `input ${input.name}`;
    if (name in parts) {
      throw new Error(`${action.label} has two inputs ${input.name}`);
    }
    parts[name] = await inputPart(input);
  }
  return { key: digestOfJson(parts) as ActionKey, parts };
}
