import type { Case } from './case.js';
import { fieldCases } from './field-cases.js';
import { fileCases } from './file-cases.js';
import { neutralCases } from './neutral-cases.js';
import { sysextCases } from './sysext-cases.js';

/** Every case of the proof. */
export const cases: readonly Case[] = [...fieldCases, ...sysextCases, ...fileCases, ...neutralCases];
