import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path/posix';
import type * as NxPackageJson from 'nx/src/plugins/package-json';
import { z } from 'zod';

/** What Nx itself makes of a folder that has a `package.json` or a `project.json`. */
export interface OtherProject {
  /** Folder, relative to the workspace. */
  readonly root: string;
  /** The name that the files give it; undefined where they give none, and Nx takes another plugin's or the folder's. */
  readonly name: string | undefined;
  /** The file that gives each target, by the target's name. */
  readonly targets: ReadonlyMap<string, string>;
}

const packageSchema = z.looseObject({
  name: z.string().optional(),
  scripts: z.record(z.string(), z.unknown()).optional(),
  nx: z
    .looseObject({
      name: z.string().optional(),
      includedScripts: z.array(z.string()).optional(),
      targets: z.record(z.string(), z.unknown()).optional(),
    })
    .optional(),
});

const projectSchema = z.looseObject({
  name: z.string().optional(),
  targets: z.record(z.string(), z.unknown()).optional(),
});

function readJson(workspaceRoot: string, file: string): unknown {
  return JSON.parse(readFileSync(join(workspaceRoot, file), 'utf8')) as unknown;
}

function readAs<T>(schema: z.ZodType<T>, workspaceRoot: string, file: string): T | undefined {
  try {
    return schema.parse(readJson(workspaceRoot, file));
  } catch {
    // Nx, whose file it is, says what is wrong with it
    return undefined;
  }
}

/** Whether a `package.json` belongs to the package manager's workspaces, by Nx's own rules. */
function workspacesMatcher(workspaceRoot: string): (file: string) => boolean {
  // loaded late: Strata's own commands seldom come here, and it brings 150 ms of Nx with it
  const nx = createRequire(import.meta.url)('nx/src/plugins/package-json') as typeof NxPackageJson;
  const patterns = nx.buildPackageJsonPatterns(workspaceRoot, (file: string) => readJson(workspaceRoot, file));
  const matches = nx.buildPackageJsonWorkspacesMatcher(patterns) as (file: string) => unknown;
  return (file) => Boolean(matches(file));
}

/**
 * Lists the projects that Nx itself makes of a workspace's files. Other plugins' projects are not known before Nx has
 * the whole graph.
 *
 * @param files paths relative to the workspace; all but those two are left out
 */
export function otherProjects(workspaceRoot: string, files: readonly string[]): OtherProject[] {
  const folders = new Set(files.filter((file) => /(^|\/)(package|project)\.json$/.test(file)).map(dirname));
  const present = new Set(files);
  const isInWorkspaces = folders.size === 0 ? (): boolean => false : workspacesMatcher(workspaceRoot);
  return [...folders].flatMap((root): OtherProject[] => {
    const [packageFile, projectFile] = [join(root, 'package.json'), join(root, 'project.json')];
    const project = present.has(projectFile) ? readAs(projectSchema, workspaceRoot, projectFile) : undefined;
    const counts = present.has(packageFile) && (present.has(projectFile) || isInWorkspaces(packageFile));
    const manifest = counts ? readAs(packageSchema, workspaceRoot, packageFile) : undefined;
    if (project === undefined && manifest === undefined) {
      return [];
    }
    const scripts = manifest?.nx?.includedScripts ?? Object.keys(manifest?.scripts ?? {});
    return [
      {
        root,
        name: project?.name ?? manifest?.nx?.name ?? manifest?.name,
        targets: new Map([
          ...[...scripts, ...Object.keys(manifest?.nx?.targets ?? {})].map((name) => [name, packageFile] as const),
          ...Object.keys(project?.targets ?? {}).map((name) => [name, projectFile] as const),
        ]),
      },
    ];
  });
}
