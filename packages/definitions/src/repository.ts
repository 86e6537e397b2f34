import { z } from 'zod';
import { commonFields, digest, pathOfProject } from './common.js';

/** `repository.yaml`: an ebuild repository. */
export const repositorySchema = z.strictObject({
  ...commonFields,
  source: z
    .union([
      z.strictObject({ folder: z.union([z.literal('.'), pathOfProject]) }),
      z.strictObject({ git: z.string(), commit: z.string().regex(/^[0-9a-f]{40}$/, 'a commit is 40 hex digits') }),
      z.strictObject({ tarball: z.url(), digest }),
    ])
    .default({ folder: '.' })
    .describe('`{ folder }` of the workspace, `{ git, commit }`, or `{ tarball, digest }`'),
  priority: z.int().optional().describe("Portage's priority where repositories have the same package"),
});
