import { z } from 'zod';
import { commonFields, once, projectName, toolchainField } from './common.js';

/** `initramfs.yaml`: what the kernel starts, which reads the root into RAM and hands over to it. */
export const initramfsSchema = z.strictObject({
  ...commonFields,
  ...toolchainField,
  kernel: projectName.describe('Project of the kernel whose modules are included'),
  modules: once(z.string()).default([]).describe('Modules to include and load, with what they depend on'),
  root: z
    .union([
      z.strictObject({
        device: z
          .string()
          .regex(/^\/dev\//, 'a device is a path below /dev')
          .describe('Device that holds the root'),
      }),
      z.strictObject({ label: z.string().min(1).describe('Label of the partition that holds the root') }),
    ])
    .default({ device: '/dev/vda' })
    .describe(
      'How the root is found: `{ device }` or `{ label }` of a partition. `strata.root=` on the command line comes first',
    ),
  compression: z
    .strictObject({
      algorithm: z.enum(['zstd', 'gzip', 'xz', 'lz4', 'none']).default('zstd').describe('Algorithm'),
      level: z.int().min(1).max(22).optional().describe('Level'),
    })
    .default({ algorithm: 'zstd' })
    .describe('Compression of the cpio'),
});
