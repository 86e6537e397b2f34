import { z } from 'zod';
import { parseDigest } from '@strata/fingerprint';
import type { Descriptor } from './types.js';

const digestSchema = z.string().transform((text) => parseDigest(text));

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
