import { z } from 'zod';
import { isDigest, type Digest } from '@strata/fingerprint';
import type { Descriptor } from './types.js';

/** Reads a digest from JSON. */
export const digestSchema = z.custom<Digest>(isDigest, 'not a sha256 digest');

/** Reads a descriptor from JSON. */
export const descriptorSchema: z.ZodType<Descriptor> = z.object({
  mediaType: z.string(),
  digest: digestSchema,
  size: z.number().int().nonnegative(),
  annotations: z.record(z.string(), z.string()).optional(),
}) as unknown as z.ZodType<Descriptor>;

/** Reads an action's result from JSON. */
export const actionResultSchema = z.object({
  outputs: z.record(z.string(), descriptorSchema),
  facts: z.record(z.string(), z.json()).optional(),
});
