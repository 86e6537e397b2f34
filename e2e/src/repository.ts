import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository that is tested. */
export const repositoryRoot = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
