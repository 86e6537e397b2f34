import { normalize } from 'node:path/posix';
import { z } from 'zod';

/** A project's name, as Nx allows it. */
export const projectName = z
  .string()
  .regex(
    /^(@[a-z0-9._-]+\/)?[A-Za-z0-9][A-Za-z0-9._-]*$/,
    'a project name begins with a letter or a digit, and has those, dots, dashes and underscores',
  )
  .describe('name of a project');

/** Fields that every definition has. */
export const commonFields = {
  name: projectName.optional().describe('Name of the project. Default: the name of its folder'),
  description: z.string().optional().describe('One line for people, shown in the graph'),
  tags: once(z.string()).optional().describe('Nx tags, besides those that Strata gives (`strata`, `strata:KIND`)'),
};

/** The toolchain in which a project's actions run. */
export const toolchainField = {
  toolchain: projectName
    .optional()
    .describe(
      "Project whose layers are the root of this project's actions. Default: `toolchain` of the plugin's options",
    ),
};

/** A digest as it is written in definitions. */
export const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'a digest is `sha256:` and 64 hex digits');

/** A mode, quoted: YAML 1.2 reads a bare 0755 as the number 755. */
export const mode = z.string().regex(/^[0-7]{3,4}$/, 'a mode is three or four octal digits in quotes, such as "0755"');

/** A user or group, by name (looked up in the layer itself) or number. */
export const owner = z.union([
  z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_.-]*\$?$/, 'an owner is the name of a user or group of the layer, or a bare number'),
  z.number().int().min(0).max(65535),
]);

/** A list that has everything once: what stands there twice is a mistake in copying. */
export function once<T extends z.ZodType<string>>(entry: T): z.ZodArray<T> {
  return z.array(entry).superRefine((entries, context) => {
    entries.forEach((value, index) => {
      if (entries.indexOf(value) < index) {
        context.addIssue({ code: 'custom', path: [index], message: `${value} is there twice` });
      }
    });
  });
}

/** An absolute path inside of a layer. */
export const pathInside = z
  .string()
  .regex(/^\//, 'a path in a layer starts with /')
  .refine((path) => !path.split('/').includes('..'), 'a path in a layer has no `..`');

/** A path relative to the project's folder. */
export const pathOfProject = z
  .string()
  .min(1)
  // as Nx matches paths: it knows none with `./` or a slash at the end
  .overwrite((path) => normalize(path).replace(/(?<=.)\/$/, ''))
  .refine((path) => !path.startsWith('/'), 'a path is relative to the folder of the definition');

/** A command line word of a size of memory, as QEMU takes it. */
export const memorySize = z.string().regex(/^[1-9][0-9]*[MG]$/, 'a size is a number with M or G, such as 256M');

/** A duration, in seconds or minutes. */
export const duration = z.string().regex(/^[1-9][0-9]*(s|m)$/, 'a duration is a number with s or m, such as 60s');

/** Seconds of a {@link duration}. */
export function seconds(text: string): number {
  return Number(text.slice(0, -1)) * (text.endsWith('m') ? 60 : 1);
}

const byteUnits: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

/** Bytes of a size as people write it (`20GB`, `1.5 GiB`, `500MB`); undefined where it is none. */
export function parseBytes(text: string): number | undefined {
  const [, number, unit] = /^([0-9]+(?:\.[0-9]+)?) ?([KMGT]?i?B)$/i.exec(text.trim()) ?? [];
  const factor = byteUnits[unit?.toUpperCase() ?? ''];
  return factor === undefined ? undefined : Math.round(Number(number) * factor);
}

/** Where packages of a Debian suite come from, and the lock file that pins them. */
export const debianSource = {
  suite: z
    .string()
    .regex(/^[a-z][a-z-]*$/, 'a suite is a word such as trixie')
    .describe('Suite: `trixie`, `bookworm`'),
  mirror: z.url().optional().describe("Mirror to fetch from. Default: the machine's own, as its apt is configured"),
  components: once(z.string()).optional().describe('Components. Default: `[main]`'),
  lock: pathOfProject.describe(
    'Lock file beside the definition: versions and digests. Written by `strata update PROJECT`',
  ),
};

/** A task of another project whose output is used. */
const taskReference = z.string().regex(/^[^:\s]+:[^\s]+$/, 'a task is written project:target');

/** Where a tree of files is: a folder of the project, or one that another project's task leaves. */
export const treeSource = z
  .union([
    pathOfProject,
    z.strictObject({
      task: taskReference.describe('Task of another project, as `project:target`'),
      path: pathOfProject.describe('Folder that it leaves'),
    }),
  ])
  .describe(
    'Folder of the project, or `{ task: "project:target", path }`: a folder that the task leaves, relative to its project or the workspace',
  );

/** See {@link treeSource}. */
export type TreeSource = z.output<typeof treeSource>;

/** An atom, loosely: Portage itself says what is wrong with one. */
export const atom = z
  .string()
  .regex(/^[!<>=~]*[A-Za-z0-9_][A-Za-z0-9+_.-]*\/[A-Za-z0-9_][^\s]*$/, 'an atom is written category/name');

/** How Portage is told what to do. */
export const portageFields = {
  profile: z.string().regex(/^[^:\s]+:[^\s]+$/, 'a profile is written repository:path'),
  portageConfig: z
    .union([pathOfProject, once(pathOfProject)])
    .describe("Folders with Portage's own layout: make.conf, package.use, package.accept_keywords, patches …"),
};
