import type { Stats } from 'node:fs';
import { utimes } from 'node:fs/promises';

/** Milliseconds since 1970. Whoever writes into a file sets another time, and no clock is that far behind. */
const sealedAt = 1000;

/**
 * Marks a file as holding what its name says, in its time of modification: it need not be read again to know that. Its
 * time of access tells when that was.
 */
export async function seal(file: string): Promise<void> {
  await utimes(file, new Date(), new Date(sealedAt));
}

/** Whether nobody wrote into a file since it was sealed. A disk that loses bits by itself is not noticed. */
export function isSealed({ mtimeMs }: Stats): boolean {
  return mtimeMs === sealedAt;
}
