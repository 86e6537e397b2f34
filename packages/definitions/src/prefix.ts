import { z } from 'zod';
import { atom, commonFields, once, pathOfProject, portageFields, projectName, toolchainField } from './common.js';
import { pattern } from './image.js';

/** What a board means to Portage: an architecture, the keyword of its ebuilds, and who its programs are made for. */
export interface Board {
  /** Architecture, as Portage and systemd's `arm64` and Gentoo's keywords call it. */
  readonly arch: 'amd64' | 'arm64';
  /** Tuple of the machine that runs the programs. */
  readonly chost: string;
}

/** The boards, by the names that Flatcar gives them. */
export const boards = {
  'amd64-usr': { arch: 'amd64', chost: 'x86_64-pc-linux-gnu' },
  'arm64-usr': { arch: 'arm64', chost: 'aarch64-unknown-linux-gnu' },
} as const satisfies Record<string, Board>;

/** Folders of every system: a prefix there would be mixed with what is not its own. */
const foldersOfSystem = new Set(
  ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32', 'libexec', 'include', 'share', 'local', 'src', 'games'].map(
    (name) => `/usr/${name}`,
  ),
);

/** What is wrong with the path of a prefix, and what to write instead; nothing where all is well. */
function pathProblem(path: string): [message: string, hint: string] | undefined {
  const name = path.split('/').findLast((part) => /^[A-Za-z0-9][A-Za-z0-9._+-]*$/.test(part)) ?? 'my-app';
  const hint = `write /opt/${foldersOfSystem.has(path) || /^\/(opt|usr)\/?$/.test(path) ? 'my-app' : name}, or another folder below /opt or /usr`;
  if (!path.startsWith('/')) {
    return ['the path of a prefix starts with /: it is where the programs lie when they run', hint];
  }
  if (path === '/') {
    return ['a prefix cannot be the whole root', hint];
  }
  if (!/^\/(opt|usr)\/[^/]/.test(path)) {
    return ['a prefix lies below /opt or /usr', hint];
  }
  if (!/^(\/[A-Za-z0-9][A-Za-z0-9._+-]*)+$/.test(path)) {
    return [
      'a path of a prefix has letters, digits, dots, dashes and underscores, no `..` and no slash at its end',
      hint,
    ];
  }
  return foldersOfSystem.has(path) ? [`${path} belongs to the system`, hint] : undefined;
}

const prefixPath = z
  .string()
  .superRefine((path, context) => {
    const problem = pathProblem(path);
    if (problem !== undefined) {
      const [message, hint] = problem;
      context.addIssue({ code: 'custom', message, params: { hint } });
    }
  })
  .meta({ pattern: '^(/[A-Za-z0-9][A-Za-z0-9._+-]*){2,}$' });

const programTest = z.strictObject({
  run: z
    .array(z.string().min(1))
    .min(1)
    .describe('Words of the command; the first one is a path, or a name in `bin` or `usr/bin` of the prefix'),
  input: z.string().optional().describe('What it reads from its standard input'),
  output: pattern.optional().describe('What it has to print (trimmed), or a /regular expression/'),
  status: z.int().min(0).max(255).default(0).describe('Its exit status'),
});

/** `prefix.yaml`: packages and all that they need to run, under one path. */
export const prefixSchema = z.strictObject({
  ...commonFields,
  ...toolchainField,
  path: prefixPath.describe('Where everything lies when it runs: below `/opt` or `/usr`'),
  board: z
    .enum(Object.keys(boards) as [keyof typeof boards, ...(keyof typeof boards)[]])
    .default('amd64-usr')
    .describe('What it runs on: CHOST, keywords and architecture'),
  repositories: z
    .array(
      z.union([
        projectName,
        z.strictObject({
          name: projectName.describe('Project of the repository'),
          priority: z.int().describe("Portage's priority in this prefix, instead of the repository's own"),
        }),
      ]),
    )
    .min(1)
    .describe('Ebuild repositories; the first one is the main one'),
  profile: portageFields.profile.describe('Profile, as `repository:path`'),
  packages: once(atom).min(1).describe('Atoms of what the prefix is for; what they need to run comes with them'),
  portageConfig: portageFields.portageConfig.optional(),
  libc: z
    .enum(['bundled', 'host'])
    .default('bundled')
    .describe('Whether the C library is in the prefix, or the one of the system that it runs on is used'),
  masks: z
    .array(
      z
        .string()
        .regex(/^\S+$/, 'a mask has no spaces')
        .refine((mask) => !mask.startsWith('-/') || mask.length > 2, 'a mask names something'),
    )
    .default([])
    .describe("What the prefix does not hold in the end, as Portage's INSTALL_MASK: `/usr/share/man`, `*.a`"),
  test: z
    .array(programTest)
    .min(1)
    .optional()
    .describe('Commands that `test` runs in a root that has nothing but the prefix'),
});

/** A repository of a prefix, and its priority where the prefix gives it one. */
export interface PrefixRepository {
  readonly name: string;
  readonly priority?: number | undefined;
}

/** The repositories that a prefix names, in their order. */
export function prefixRepositories(
  definition: Pick<z.output<typeof prefixSchema>, 'repositories'>,
): readonly PrefixRepository[] {
  return definition.repositories.map((entry) => (typeof entry === 'string' ? { name: entry } : entry));
}

/** Folders with Portage's layout that a definition names, relative to its project. */
export function configurationFolders(folders: z.output<typeof pathOfProject> | readonly string[] = []): string[] {
  return [folders].flat();
}
