import { ExecaError } from 'execa';

/** What a tool of the machine printed to its standard error before it failed; undefined where that is not what happened. */
export function toolWords(error: unknown): string[] | undefined {
  if (!(error instanceof ExecaError) || error.isCanceled || error.exitCode === undefined) {
    return undefined;
  }
  return String(error.stderr)
    .split('\n')
    .filter((line) => line !== '');
}
