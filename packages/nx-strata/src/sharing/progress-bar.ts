import { formatBytes } from '@strata/image';
import type { Work } from '@strata/store';
import { Presets, SingleBar } from 'cli-progress';

/** Shows how far work is, in bytes: a bar on a terminal, a line now and then in a log. */
export class ProgressBar {
  readonly #bar: SingleBar;
  #isShown = false;

  constructor(what: string) {
    this.#bar = new SingleBar(
      {
        format: `${what} [{bar}] {percentage}%  {value}/{total}  {eta_formatted} left`,
        formatValue: (value, _options, type) =>
          type === 'value' || type === 'total' ? formatBytes(value) : String(value),
        stream: process.stderr,
        noTTYOutput: true,
        notTTYSchedule: 5000,
        hideCursor: true,
        etaBuffer: 50,
      },
      Presets.legacy,
    );
  }

  show({ done, total }: Work): void {
    if (!this.#isShown) {
      this.#isShown = true;
      this.#bar.start(total, done);
    }
    this.#bar.setTotal(total);
    this.#bar.update(done);
  }

  end(): void {
    if (this.#isShown) {
      this.#bar.stop();
    }
  }
}

/** Does work under a bar, which goes away with it. */
export async function withBar<T>(what: string, work: (show: (work: Work) => void) => Promise<T>): Promise<T> {
  const bar = new ProgressBar(what);
  try {
    return await work((state) => {
      bar.show(state);
    });
  } finally {
    bar.end();
  }
}
