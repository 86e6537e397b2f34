import { z } from 'zod';
import { commonFields, duration, memorySize, once, pathInside, projectName, toolchainField } from './common.js';

/** A text, or a `/regular expression/`. */
export const pattern = z.string().refine((text) => {
  if (!isPattern(text)) {
    return true;
  }
  try {
    new RegExp(text.slice(1, -1), 'u');
    return true;
  } catch {
    return false;
  }
}, 'not a regular expression');

/** Whether a text of a test is a regular expression: `/…/`. */
export function isPattern(text: string): boolean {
  return text.length > 2 && text.startsWith('/') && text.endsWith('/');
}

/** One step of a boot test. */
export const stepSchema = z.union([
  z.strictObject({ expect: pattern.describe('Text, or /regular expression/, that has to appear on the console') }),
  z.strictObject({
    run: z.string().min(1).describe('Command to run on the serial console'),
    output: pattern.optional().describe('What it has to print (trimmed), or a /regular expression/'),
    status: z.int().min(0).max(255).default(0).describe('Its exit status'),
  }),
  z.strictObject({ send: z.string().describe('Text to type') }),
]);

/** How a file system that can only be read is compressed. */
export const compressionSchema = z.strictObject({
  algorithm: z.enum(['zstd', 'gzip', 'xz', 'lz4']).default('zstd').describe('Algorithm'),
  level: z.int().min(1).max(22).optional().describe('Level. Default: 3 for zstd'),
  blockSize: z
    .string()
    .regex(/^(4|8|16|32|64|128|256|512)K$|^1M$/, 'a block size is a power of two from 4K to 1M, such as 128K')
    .optional()
    .describe('Block size, 4K to 1M'),
});

/** `image.yaml`: a bootable image. */
export const imageSchema = z.strictObject({
  ...commonFields,
  ...toolchainField,
  layers: once(projectName).min(1).describe('Layers; their parents come with them'),
  kernel: projectName.optional().describe('Project of the kernel'),
  initramfs: projectName.optional().describe('Project of the initramfs'),
  compression: compressionSchema.default({ algorithm: 'zstd', level: 3 }).describe('Compression of the squashfs'),
  exclude: z.array(pathInside).optional().describe('Globs of what the image does not hold'),
  kernelCommandLine: z
    .array(z.string())
    .default([])
    .describe("Words for the kernel, besides Strata's own (console, root)"),
  vm: z
    .strictObject({
      memory: memorySize.default('256M').describe('Memory of the machine'),
      cpus: z.int().min(1).max(64).default(1).describe('Processors of the machine'),
      toolchain: projectName
        .optional()
        .describe("Project whose layers hold QEMU. Default: `vm.toolchain` of the plugin's options"),
    })
    .default({ memory: '256M', cpus: 1 })
    .describe('The virtual machine of `boot` and `test`'),
  test: z
    .strictObject({
      timeout: duration.default('60s').describe('Limit for the whole test'),
      steps: z.array(stepSchema).min(1).describe('`{ expect }`, `{ run, output, status }` and `{ send }`, in order'),
    })
    .optional()
    .describe('What `test` does with the booted image'),
});
