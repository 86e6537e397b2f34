import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path/posix';
import {
  checkWorkspace,
  definitionKind,
  definitionText,
  readDefinition,
  UserError,
  type Kind,
  type PlacedDefinition,
} from '@strata/definitions';
import { cycleProblems } from './cycles.js';
import { Model, targetNames, type PluginOptions } from './model.js';
import { otherProjects, type OtherProject } from './other-projects.js';
import { definitionFiles, projectFiles } from './plugin-files.js';

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

/** What a workspace has besides definitions. */
export interface Surroundings {
  /** Folders of other projects, by name. */
  readonly projects: ReadonlyMap<string, string>;
  /** Whether those are all: else a reference to any project is not checked. */
  readonly complete: boolean;
  /** The plugin's options. */
  readonly options: PluginOptions;
}

/** Files of all definitions in the folders of Strata's projects, which are found by their tags. */
export function definitionsOf(
  workspaceRoot: string,
  projects: Iterable<{ readonly root: string; readonly tags?: readonly string[] | undefined }>,
): string[] {
  return [...projects]
    .filter(({ tags }) => tags?.includes('strata') === true)
    .flatMap(({ root }) => definitionFiles.map((name) => join(root, name)))
    .filter((file) => existsSync(join(workspaceRoot, file)));
}

/** What the files of another plugin in the same folder make impossible. */
function problemsBeside(beside: OtherProject | undefined, placed: PlacedDefinition): UserError[] {
  if (beside === undefined) {
    return [];
  }
  const hidden = targetNames.filter((name) => beside.targets.has(name));
  const file = hidden.map((name) => beside.targets.get(name)).find((name) => name !== undefined);
  if (file !== undefined) {
    return [
      new UserError(`${file} gives this project a ${hidden.join(' and a ')} too, and Nx keeps one of a name`, {
        place: placed.place([]),
        hint: 'move the definition into a folder of its own, or rename the other target',
      }),
    ];
  }
  return beside.name === undefined || beside.name === placed.name
    ? []
    : [
        new UserError(
          `the project in ${placed.root} is named ${beside.name} by another file, and ${placed.name} here`,
          {
            place: placed.place(['name']),
            hint: `give the definition \`name: ${beside.name}\`, or a folder of its own`,
          },
        ),
      ];
}

function readFiles(
  workspaceRoot: string,
  files: readonly string[],
): { good: PlacedDefinition[]; broken: BrokenDefinition[] } {
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
      text = definitionText(file, readFileSync(join(workspaceRoot, file)));
    } catch (cause) {
      const problem =
        cause instanceof UserError
          ? cause
          : new UserError('the file cannot be read', { place: { file }, hint: 'see its permissions', cause });
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
  return { good, broken };
}

/** Reads definitions, and checks each by itself and all against each other. Never throws. */
export function readWorkspace(
  workspaceRoot: string,
  files: readonly string[],
  { projects, complete, options }: Surroundings,
): ReadWorkspace {
  const { good, broken } = readFiles(workspaceRoot, files);
  // a reference to a broken definition is no mistake of the one that refers: it says its own
  const names = new Map([...projects, ...broken.map(({ name, root }): [string, string] => [name, root])]);
  const problems = checkWorkspace(good, names, !complete, new Set(broken.map(({ root }) => root)));
  const roots = [...new Set(good.map(({ root }) => root))];
  const beside = otherProjects(
    workspaceRoot,
    roots
      .flatMap((root) => projectFiles.map((name) => join(root, name)))
      .filter((file) => existsSync(join(workspaceRoot, file))),
  );
  for (const placed of good) {
    const found = problemsBeside(
      beside.find(({ root }) => root === placed.root),
      placed,
    );
    if (found.length > 0 && !problems.has(placed.file)) {
      problems.set(placed.file, found);
    }
  }
  const sound = good.filter(({ file }) => !problems.has(file));
  for (const [file, problem] of cycleProblems(new Model(sound, options))) {
    problems.set(file, [problem]);
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
