import type { AbsolutePath } from '@strata/fingerprint';
import type { Undeclared } from './undeclared.js';

/** The command of an action ended with another status than 0, or was killed. */
export class ActionFailed extends Error {
  constructor(
    readonly label: string,
    readonly outcome: string,
    /** The last lines that the command printed. */
    readonly lastLines: readonly string[],
    /** Everything that it printed. */
    readonly log: AbsolutePath,
    /** What a script of ours said about a mistake of the user, by printing `::strata-error:: {json}`. */
    readonly report: ErrorReport | undefined,
    readonly undeclared: Undeclared,
  ) {
    super(`${label} failed (${outcome})`);
    this.name = 'ActionFailed';
  }
}

/** A mistake of the user, as a script inside of the sandbox reports it. */
export interface ErrorReport {
  readonly message: string;
  readonly hint?: string | undefined;
  readonly details?: readonly string[] | undefined;
}

/** An input was written to while the action ran: what it made belongs to no key, and is thrown away. */
export class InputChanged extends Error {
  constructor(
    readonly label: string,
    readonly input: string,
  ) {
    super(`${label}: ${input} changed while building`);
    this.name = 'InputChanged';
  }
}
