import { formatBytes } from '@strata/image';
import type { ActionEvent, Progress } from '@strata/sandbox';

/** Milliseconds between two lines about how far something is, where nothing else changed. */
const quietTime = 5000;

function formatProgress({ phase, subject, done, total, unit }: Progress): string {
  const amount = (value: number): string => (unit === 'bytes' ? formatBytes(value) : String(value));
  const far =
    done === undefined || total === undefined
      ? ''
      : `${amount(done)}/${amount(total)}${unit === 'bytes' ? '' : ` ${unit ?? ''}`}  `;
  return `${far}${phase}${subject === undefined ? '' : ` ${subject}`}`;
}

/** Tells a person what happens: one line a change, so that it reads well in a terminal and in a log. */
export class Reporter {
  readonly #verbose: boolean;
  #last = '';
  #lastTime = 0;

  constructor(
    private readonly write: (line: string) => void,
    environment: NodeJS.ProcessEnv,
  ) {
    this.#verbose = environment['STRATA_VERBOSE'] === 'true' || environment['NX_VERBOSE_LOGGING'] === 'true';
  }

  line(text: string): void {
    this.write(text);
  }

  progress(label: string, progress: Progress): void {
    const now = Date.now();
    const changing = progress.unit === 'bytes' ? progress.phase : formatProgress(progress);
    if (`${label} ${changing}` === this.#last && now - this.#lastTime < quietTime) {
      return;
    }
    this.#last = `${label} ${changing}`;
    this.#lastTime = now;
    this.write(`${label}  ${formatProgress(progress)}`);
  }

  action(event: ActionEvent): void {
    const { label } = event;
    switch (event.type) {
      case 'hit':
        this.write(`${label}  unchanged: its action ${event.key.slice(7, 19)} was done before`);
        break;
      case 'waiting':
        this.write(`${label}  waits for another process that runs the same action`);
        break;
      case 'started':
        this.write(`${label}  runs, log in ${event.log}`);
        break;
      case 'progress':
        this.progress(label, event.progress);
        break;
      case 'line':
        if (this.#verbose) {
          this.write(event.line);
        }
        break;
      case 'finished':
        this.write(`${label}  done in ${event.seconds} s`);
        break;
    }
  }
}
