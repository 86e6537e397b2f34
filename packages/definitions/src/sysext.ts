import { z } from 'zod';
import { commonFields, duration, once, pathInside, projectName, toolchainField, treeSource } from './common.js';
import { compressionSchema, stepSchema } from './image.js';

/** Architectures, as systemd names them (systemd.unit(5), ConditionArchitecture=). */
const architectures = ['x86-64', 'x86', 'arm64', 'arm', 'riscv64', '_any'] as const;

/** A value of os-release(5) that needs no quotes. */
const releaseWord = z.string().regex(/^[a-z0-9._-]+$/, 'a value of os-release has a-z, 0-9, dots, dashes, underscores');

/** `sysext.yaml`: a system extension, or with `type: confext` a configuration extension. */
export const sysextSchema = z
  .strictObject({
    ...commonFields,
    ...toolchainField,
    type: z.enum(['sysext', 'confext']).default('sysext').describe('`sysext` extends /usr and /opt, `confext` /etc'),
    extension: z
      .string()
      .regex(/^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/, 'the name of an extension has letters, digits, and _ . + -')
      .optional()
      .describe('Name of the extension and its file. Default: the name of the project, without its scope'),
    version: z
      .string()
      .regex(/^[A-Za-z0-9._+~^-]+$/, 'a version has letters, digits, and . _ + ~ ^ -')
      .optional()
      .describe('Version, for what `export` writes for update servers'),
    from: z
      .union([
        z.strictObject({
          prefix: projectName.describe('Project of the prefix'),
          tree: treeSource.optional(),
        }),
        z.strictObject({
          layers: once(projectName).min(1).describe('Projects of the layers'),
          tree: treeSource.optional(),
        }),
        z.strictObject({ tree: treeSource }),
      ])
      .describe(
        '`{ prefix }`: a prefix with all that it holds; `{ layers }`: layers with their parents, without the layers of `base`; `{ tree }`: a folder as in `trees` of a layer, its target `/`, which may stand beside the others: units for the programs of a prefix',
      ),
    base: projectName
      .optional()
      .describe('Layer of the OS that the extension is for: the extension may have none of its files'),
    exclude: z.array(pathInside).optional().describe('Globs of what the extension does not hold'),
    id: releaseWord.default('_any').describe('`ID` of the OS that it is for: `_any`, `flatcar`, `debian`'),
    versionId: releaseWord.optional().describe('`VERSION_ID` of the OS that it is for'),
    sysextLevel: releaseWord
      .optional()
      .describe('`SYSEXT_LEVEL` (in a confext `CONFEXT_LEVEL`) of the OS that it is for, instead of `versionId`'),
    architecture: z
      .enum(architectures)
      .default('x86-64')
      .describe('Architecture that it is for; its programs have to be for that. With `_any` it may have none'),
    format: z.enum(['squashfs', 'erofs']).default('squashfs').describe('File system'),
    compression: compressionSchema
      .optional()
      .describe('Compression. Default: zstd at level 3 for squashfs, lz4 for erofs, which more kernels can read'),
    services: z
      .array(z.string().regex(/^[A-Za-z0-9:_.\\@-]+\.(service|socket|timer|path)$/, 'a unit is written NAME.service'))
      .optional()
      .describe('Units of the extension that run while it is merged'),
    verity: z
      .union([
        z.literal(true),
        z.strictObject({
          key: z
            .string()
            .min(1)
            .describe('Private RSA key in PEM: a path relative to the project, an absolute one, or ~/…'),
          certificate: z.string().min(1).describe('Its certificate in PEM, a path relative to the project'),
        }),
      ])
      .optional()
      .describe(
        '`true`: a dm-verity hash tree and its root hash beside the file; `{ key, certificate }`: the latter signed',
      ),
    publish: z
      .strictObject({
        url: z.url().describe('Address of the folder that will hold the files'),
        verify: z
          .boolean()
          .default(true)
          .describe('Whether SHA256SUMS will have a signature beside it, `SHA256SUMS.gpg`'),
      })
      .optional()
      .describe('Where machines get updates from: `export` writes the transfer files for systemd-sysupdate'),
    test: z
      .strictObject({
        on: once(projectName).min(1).describe('Images to try it on, each by a target `test-IMAGE` of its own'),
        timeout: duration.default('180s').describe('Limit for each'),
        steps: z
          .array(stepSchema)
          .default([])
          .describe('`{ run, output, status }`, `{ expect }` and `{ send }`, in order, while it is merged'),
      })
      .optional()
      .describe('What `test` does: it merges the extension, goes through the steps, and unmerges it'),
  })
  .superRefine(({ id, versionId, sysextLevel }, context) => {
    const report = (path: (string | number)[], message: string): void => {
      context.addIssue({ code: 'custom', path, message });
    };
    const field = versionId === undefined ? 'sysextLevel' : 'versionId';
    if (id === '_any' && (versionId ?? sysextLevel) !== undefined) {
      report([field], 'an extension for any OS has no version of one: give an `id`, or leave this out');
    } else if (versionId !== undefined && sysextLevel !== undefined) {
      report(['sysextLevel'], 'systemd compares the level alone where there is one: leave out one of the two');
    }
  });
