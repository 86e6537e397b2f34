import type { Kind } from '@strata/definitions';
import type { MutationWorkspace, YamlPath } from './workspace.js';

/** One change to the example, and the actions whose own inputs it touches. What stands on them follows by itself. */
export interface Case {
  readonly name: string;
  /** The field of a definition that it covers: `layer: trees[].mode`. */
  readonly field?: string;
  readonly apply: (workspace: MutationWorkspace) => void;
  /** Actions whose keys change because of the change itself. */
  readonly changes: readonly string[];
  /** Plans alone that are made again, with the same result. */
  readonly plans?: readonly string[];
  /** Tasks that refuse to go on with it. */
  readonly refuses?: readonly string[];
}

/** A field of a definition with another value. */
export function field(
  kind: Kind,
  name: string,
  file: string,
  path: YamlPath,
  value: unknown,
  changes: readonly string[],
  more: Partial<Case> = {},
): Case {
  return {
    name: `${file}: ${path.join('.')} = ${value === undefined ? 'nothing' : JSON.stringify(value)}`,
    field: `${kind}: ${name}`,
    apply: (workspace) => {
      workspace.set(file, path, value);
    },
    changes,
    ...more,
  };
}

/** A file with another line. */
export function file(name: string, changes: readonly string[], more: Partial<Case> = {}, text = '\nmore\n'): Case {
  return {
    name: `${name}: a line more`,
    apply: (workspace) => {
      workspace.append(name, text);
    },
    changes,
    ...more,
  };
}
