import type { ActionEvent, Progress } from '@strata/sandbox';
import { formatElapsed, loggedPace, ProgressLines, watchedPace } from './progress-lines.js';

/** Where lines go, and who reads them. */
export interface ReporterOptions {
  readonly write: (line: string) => void;
  readonly environment: NodeJS.ProcessEnv;
  /** Whether the output is a terminal's: Nx gives a task one where it has one itself. */
  readonly isTerminal: boolean;
}

/** Milliseconds between two looks at whether there is something to say. */
const lookEvery = 500;

/** Tells a person what happens: whole lines, so that it reads well in a terminal, in Nx's panes and in a log. */
export class Reporter {
  readonly #verbose: boolean;
  readonly #write: (line: string) => void;
  readonly #lines: ProgressLines;
  readonly #clock: NodeJS.Timeout;

  constructor({ write, environment, isTerminal }: ReporterOptions) {
    this.#write = write;
    this.#verbose = environment['STRATA_VERBOSE'] === 'true' || environment['NX_VERBOSE_LOGGING'] === 'true';
    const inContinuousIntegration = !['', 'false', undefined].includes(environment['CI']);
    this.#lines = new ProgressLines(isTerminal && !inContinuousIntegration ? watchedPace : loggedPace);
    this.#clock = setInterval(() => {
      this.#lines.tick(performance.now()).forEach(write);
    }, lookEvery);
    // what is only being told keeps nothing from ending
    this.#clock.unref();
  }

  line(text: string): void {
    this.#write(text);
  }

  progress(label: string, progress: Progress): void {
    const line = this.#lines.update(label, progress, performance.now());
    if (line !== undefined) {
      this.#write(line);
    }
  }

  /** An action that is all that its task does now. */
  action(event: ActionEvent): void {
    if (event.type === 'started') {
      this.#lines.begin(event.label, performance.now());
    } else if (event.type === 'finished') {
      this.#lines.end(event.label);
    }
    this.part(event);
  }

  /** One of several actions, of which the task tells how far they are together. */
  part(event: ActionEvent): void {
    const { label } = event;
    switch (event.type) {
      case 'hit':
        this.#write(`${label}  unchanged: its action ${event.key.slice(7, 19)} was done before`);
        break;
      case 'waiting':
        this.#write(`${label}  waits for another process that runs the same action`);
        break;
      case 'started':
        this.#write(`${label}  runs, log in ${event.log}`);
        break;
      case 'progress':
        this.progress(label, event.progress);
        break;
      case 'line':
        if (this.#verbose) {
          this.#write(event.line);
        }
        break;
      case 'finished':
        this.#write(
          `${label}  done in ${event.seconds < 60 ? `${event.seconds} s` : formatElapsed(event.seconds * 1000)}`,
        );
        break;
    }
  }

  /** Says no more about how far something is. */
  close(): void {
    clearInterval(this.#clock);
  }
}
