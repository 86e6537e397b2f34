import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path/posix';
import {
  checkWorkspace,
  definitionKind,
  kinds,
  readDefinition,
  UserError,
  type Kind,
  type PlacedDefinition,
} from '@strata/definitions';

/** The files that make a folder a project. */
export const definitionGlob = `**/{${kinds.join(',')}}.yaml`;

/** A definition that cannot be used, and why. */
export interface BrokenDefinition {
  readonly file: string;
  readonly root: string;
  readonly name: string;
  readonly kind: Kind;
  readonly problems: readonly UserError[];
}

/** The definitions of a workspace. */
export interface ReadWorkspace {
  readonly good: readonly PlacedDefinition[];
  readonly broken: readonly BrokenDefinition[];
}

/** What a `package.json` beside a definition would give the same project, and so hide. */
function scriptsBeside(workspaceRoot: string, placed: PlacedDefinition): UserError[] {
  let scripts: Record<string, unknown> = {};
  const file = join(placed.root, 'package.json');
  try {
    const parsed = JSON.parse(readFileSync(join(workspaceRoot, file), 'utf8')) as { scripts?: Record<string, unknown> };
    scripts = parsed.scripts ?? {};
  } catch {
    return [];
  }
  const hidden = ['build', 'test', 'plan', 'fetch', 'merge', 'boot', 'export', 'snapshot'].filter(
    (name) => name in scripts,
  );
  return hidden.length === 0
    ? []
    : [
        new UserError(`${file} has the scripts ${hidden.join(', ')}, and Nx gives the project one target of a name`, {
          place: placed.place([]),
          hint: 'move the definition into a folder of its own, or rename the scripts',
        }),
      ];
}

/**
 * Reads definitions, and checks each by itself and all against each other. Never throws.
 *
 * @param others names of the workspace's other projects, with their folders, where they are known
 */
export function readWorkspace(
  workspaceRoot: string,
  files: readonly string[],
  others: ReadonlyMap<string, string> | undefined,
): ReadWorkspace {
  const good: PlacedDefinition[] = [];
  const broken: BrokenDefinition[] = [];
  for (const file of files) {
    const kind = definitionKind(file);
    if (kind === undefined) {
      continue;
    }
    const root = dirname(file);
    const folderName = basename(root === '.' ? workspaceRoot : root);
    let text: string;
    try {
      text = readFileSync(join(workspaceRoot, file), 'utf8');
    } catch (cause) {
      const problem = new UserError('the file cannot be read', { place: { file }, hint: 'see its permissions', cause });
      broken.push({ file, root, name: folderName, kind, problems: [problem] });
      continue;
    }
    const read = readDefinition(file, text);
    if (read.ok) {
      const { definition, place } = read;
      good.push({ file, root, name: definition.name ?? folderName, definition, place });
    } else {
      broken.push({ file, root, name: read.name ?? folderName, kind, problems: read.problems });
    }
  }
  // a reference to a broken definition is no mistake of the one that refers: it says its own
  const names = new Map([...(others ?? []), ...broken.map(({ name, root }): [string, string] => [name, root])]);
  const problems = checkWorkspace(good, names, others === undefined);
  for (const placed of good) {
    const beside = scriptsBeside(workspaceRoot, placed);
    if (beside.length > 0) {
      problems.set(placed.file, [...(problems.get(placed.file) ?? []), ...beside]);
    }
  }
  return {
    good: good.filter(({ file }) => !problems.has(file)),
    broken: [
      ...broken,
      ...good.flatMap((placed) => {
        const found = problems.get(placed.file);
        return found === undefined ? [] : [{ ...placed, kind: placed.definition.kind, problems: found }];
      }),
    ],
  };
}
