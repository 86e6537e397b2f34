/** Where in a definition something is wrong: a path relative to the workspace and a line, counted from 1. */
export interface Place {
  readonly file: string;
  readonly line?: number;
}

/** What a {@link UserError} may carry besides its message. */
export interface UserErrorOptions extends ErrorOptions {
  /** One line that says what to do. */
  readonly hint: string;
  readonly place?: Place;
  /** A tool's own last lines, shown between the message and the hint. */
  readonly details?: readonly string[];
}

/**
 * A mistake that a user can make, or a state of the machine that a user can mend. Shown as one line that says what is
 * wrong and where, and one `hint` line; never with a stack trace.
 */
export class UserError extends Error {
  readonly hint: string;
  readonly place: Place | undefined;
  readonly details: readonly string[];

  constructor(message: string, options: UserErrorOptions) {
    super(message, options);
    this.name = 'UserError';
    this.hint = options.hint;
    this.place = options.place;
    this.details = options.details ?? [];
  }

  /** The lines to show to a user. */
  get lines(): string[] {
    const { place } = this;
    const where = place === undefined ? '' : `${place.file}${place.line === undefined ? '' : `:${place.line}`}: `;
    return [`error: ${where}${this.message}`, ...this.details.map((line) => `  | ${line}`), `hint: ${this.hint}`];
  }
}
