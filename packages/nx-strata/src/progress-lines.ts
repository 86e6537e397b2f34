import { formatBytes } from '@strata/image';
import type { Progress } from '@strata/sandbox';

/** How often something is said, in milliseconds. */
export interface Pace {
  /** Between two lines about one task at the least, however much changes. */
  readonly least: number;
  /** Until the same is said again with a new time, where nothing changes. */
  readonly most: number;
}

/** For a person who watches. */
export const watchedPace: Pace = { least: 1000, most: 5000 };

/** For a log that is read afterwards. */
export const loggedPace: Pace = { least: 5000, most: 30_000 };

interface State {
  readonly begin: number;
  /** What there is to say. */
  text: string;
  /** What was said last, and when. */
  said: string;
  time: number;
}

/** A time span for people: `7 s`, `3 min 20 s`, `1 h 5 min`. */
export function formatElapsed(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes === 0
    ? `${seconds} s`
    : minutes < 60
      ? `${minutes} min ${seconds % 60} s`
      : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** How far something is: `2/7 packages  compile app-misc/jq-1.6`, `3.1 MiB/24.0 MiB  fetch xz-5.4.1.tar.xz`. */
export function formatProgress({ phase, subject, done, total, unit }: Progress): string {
  const amount = (value: number): string => (unit === 'bytes' ? formatBytes(value) : String(value));
  const far =
    done === undefined || total === undefined
      ? ''
      : `${amount(done)}/${amount(total)}${unit === 'bytes' || unit === undefined ? '' : ` ${unit}`}  `;
  return `${far}${phase}${subject === undefined ? '' : ` ${subject}`}`;
}

/**
 * Decides when there is a line to say about how far tasks are. Nx shows a task's output in a pane, with others' between,
 * or later from its cache: so progress is whole lines, a few of them, and nothing that overwrites itself.
 *
 * Times are milliseconds of any one clock.
 */
export class ProgressLines {
  readonly #states = new Map<string, State>();

  constructor(private readonly pace: Pace) {}

  /** A task begins something whose progress it may tell. */
  begin(label: string, now: number): void {
    this.#states.set(label, { begin: now, text: '', said: '', time: now - this.pace.least });
  }

  /** A task is somewhere else now. Gives back a line where there is one to say. */
  update(label: string, progress: Progress, now: number): string | undefined {
    if (!this.#states.has(label)) {
      this.begin(label, now);
    }
    const state = this.#states.get(label);
    if (state === undefined) {
      return undefined;
    }
    state.text = formatProgress(progress);
    return this.#say(label, state, now);
  }

  /** Time has passed. Gives back the lines that there are to say. */
  tick(now: number): string[] {
    return [...this.#states].flatMap(([label, state]) => this.#say(label, state, now) ?? []);
  }

  /** A task is no longer at it. */
  end(label: string): void {
    this.#states.delete(label);
  }

  #say(label: string, state: State, now: number): string | undefined {
    const { text, said, time, begin } = state;
    if (now - time < (text === said ? this.pace.most : this.pace.least)) {
      return undefined;
    }
    state.said = text;
    state.time = now;
    return `${label}  ${text === '' ? '' : `${text}  `}${formatElapsed(now - begin)}`;
  }
}
