import { z } from 'zod';
import type { ErrorReport } from './errors.js';
import type { Progress } from './types.js';

const reportSchema = z.object({
  message: z.string(),
  hint: z.string().optional(),
  details: z.array(z.string()).optional(),
});

const progressSchema = z.object({
  phase: z.string(),
  subject: z.string().exactOptional(),
  done: z.number().exactOptional(),
  total: z.number().exactOptional(),
  unit: z.enum(['packages', 'bytes', 'files', 'steps']).exactOptional(),
});

const reportPrefix = '::strata-error:: ';
const progressPrefix = '::strata:: ';

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads what a script reports; text that is no report is its message. */
export function parseReport(text: string): ErrorReport {
  const parsed = reportSchema.safeParse(parseJson(text));
  return parsed.success ? parsed.data : { message: text };
}

/** Reads a line `::strata-error:: {json}`; undefined for every other line. */
export function parseErrorReport(line: string): ErrorReport | undefined {
  return line.startsWith(reportPrefix) ? parseReport(line.slice(reportPrefix.length)) : undefined;
}

/** Reads a line `::strata:: {json}`; undefined for every other line. */
export function parseProgress(line: string): Progress | undefined {
  return line.startsWith(progressPrefix)
    ? progressSchema.safeParse(parseJson(line.slice(progressPrefix.length))).data
    : undefined;
}
