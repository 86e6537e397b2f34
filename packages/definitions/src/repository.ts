import { z } from 'zod';
import { commonFields, digest, pathOfProject } from './common.js';

/** `repository.yaml`: an ebuild repository. */
export const repositorySchema = z.strictObject({
  ...commonFields,
  source: z
    .union([
      z.strictObject({ folder: pathOfProject.describe('Folder, relative to the project') }),
      z.strictObject({
        git: z.string().describe('Address of the git repository'),
        commit: z
          .string()
          .regex(/^[0-9a-f]{40}$/, 'a commit is 40 hex digits')
          .describe('Commit: 40 hex digits'),
      }),
      z.strictObject({
        tarball: z.url().describe('Address of the tarball'),
        digest: digest.describe("The tarball's digest: `sha256:` and 64 hex digits"),
      }),
    ])
    .default({ folder: '.' })
    .describe('`{ folder }` of the workspace, `{ git, commit }`, or `{ tarball, digest }`'),
  priority: z.int().optional().describe("Portage's priority where repositories have the same package"),
});
