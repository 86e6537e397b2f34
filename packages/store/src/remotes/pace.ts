import { RemoteFault } from './remote.js';

/** How long a remote is waited for. */
export interface Patience {
  /** Milliseconds until a host that does not take a connection counts as down. */
  readonly connect: number;
  /** Milliseconds until an answer begins. */
  readonly answer: number;
  /** Milliseconds in which a transfer has to move {@link leastRate} on average. */
  readonly window: number;
  /** Bytes in a second below which a transfer is not worth it. */
  readonly leastRate: number;
  /** How often something is tried again that may go well then. */
  readonly retries: number;
  /** Milliseconds before the first of them; each further one waits twice as long. */
  readonly backOff: number;
}

/** Enough for a slow line, and so little that nobody takes a build for hanging. */
export const usualPatience: Patience = {
  connect: 3000,
  answer: 10_000,
  window: 15_000,
  leastRate: 32 * 1024,
  retries: 3,
  backOff: 200,
};

/** Does a transfer, and ends it where it is too slow: by a signal whose reason is a {@link RemoteFault}. */
export async function atPace<T>(
  { window, leastRate }: Patience,
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal, onBytes: (count: number) => void) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const signal = outer === undefined ? controller.signal : AbortSignal.any([outer, controller.signal]);
  let moved = 0;
  const clock = setInterval(() => {
    if (moved < (leastRate * window) / 1000) {
      controller.abort(new RemoteFault('slow', `is too slow (${moved} bytes in ${window / 1000} s)`));
    }
    moved = 0;
  }, window);
  try {
    return await work(signal, (count) => {
      moved += count;
    });
  } catch (error) {
    outer?.throwIfAborted();
    signal.throwIfAborted();
    throw error;
  } finally {
    clearInterval(clock);
  }
}
