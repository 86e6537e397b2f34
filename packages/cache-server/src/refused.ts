/**
 * An answer that is not the wished one: thrown wherever that is found out, sent as one line of text.
 *
 * `drain` is how much of the request's body is read before: Nx fails a green run where an answer arrives before it has
 * sent everything, so all of it for what Nx may be told; else some, so that most clients live to see the answer.
 */
export class Refused extends Error {
  readonly drain: 'all' | 'some' | 'none';
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    readonly status: number,
    message: string,
    options: { readonly drain?: 'all' | 'some' | 'none'; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.name = 'Refused';
    this.drain = options.drain ?? 'some';
    this.headers = options.headers ?? {};
  }
}
