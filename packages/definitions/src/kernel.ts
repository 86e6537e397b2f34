import { z } from 'zod';
import { commonFields, debianSource, digest, pathOfProject, toolchainField } from './common.js';

const debianPackage = z.strictObject({
  ...debianSource,
  package: z.string().describe('Package: `linux-image-cloud-amd64`, `linux-source-6.12`'),
});

/** `kernel.yaml`: a kernel and its modules. */
export const kernelSchema = z.strictObject({
  ...commonFields,
  ...toolchainField,
  from: z
    .union([
      z.strictObject({ debian: debianPackage.describe('Package of Debian that holds the kernel') }),
      z.strictObject({
        source: z
          .union([
            z.strictObject({
              tarball: z.url().describe('Address of the tarball'),
              digest: digest.describe("The tarball's digest: `sha256:` and 64 hex digits"),
            }),
            z.strictObject({ debian: debianPackage.describe('Package of Debian that holds the source') }),
          ])
          .describe('`{ tarball, digest }` or `{ debian }`'),
        config: pathOfProject.describe('Config, or fragment of one'),
        base: z
          .enum(['tinyconfig', 'defconfig', 'allnoconfig'])
          .default('tinyconfig')
          .describe('What the fragment adds to'),
      }),
    ])
    .describe('`{ debian }`: prebuilt; `{ source, config, base }`: from source'),
});
