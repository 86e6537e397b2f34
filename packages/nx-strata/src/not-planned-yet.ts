import { UserError, type PlacedDefinition } from '@strata/definitions';

/** Tells that keys cannot be worked out yet, since a plan waits for something that is not made. No fault of anybody's. */
export class NotPlannedYet extends UserError {
  /** The project whose plan is not made. */
  readonly project: string;

  /** @param waitsFor tasks that have to run before it can be planned */
  constructor(
    placed: PlacedDefinition,
    readonly waitsFor: readonly string[],
  ) {
    super(`the plan of ${placed.name} is not made: it waits for ${waitsFor.join(' and ')}`, {
      place: placed.place([]),
      hint: `npx nx run ${placed.name}:plan`,
    });
    this.name = 'NotPlannedYet';
    this.project = placed.name;
  }
}

/** What a set of errors comes to, for people. */
export interface SortedErrors {
  /** Lines that say which plans are not made yet, each once. */
  readonly notices: readonly string[];
  /** What is really wrong, each once. */
  readonly faults: readonly unknown[];
}

/** Sorts errors of tasks, by the tasks' names: many tasks fail of one thing. */
export function sortErrors(errors: ReadonlyMap<string, unknown>): SortedErrors {
  const faults = new Map<string, unknown>();
  const waiting = new Map<string, { readonly projects: Set<string>; readonly tasks: string[] }>();
  for (const [task, error] of errors) {
    if (error instanceof NotPlannedYet) {
      const cause = error.waitsFor.join(' and ');
      const group = waiting.get(cause) ?? { projects: new Set(), tasks: [] };
      group.projects.add(error.project);
      group.tasks.push(task);
      waiting.set(cause, group);
    } else {
      faults.set(error instanceof UserError ? error.lines.join('\n') : String(error), error);
    }
  }
  const notices = [...waiting].flatMap(([cause, { projects, tasks }]) => {
    const names = [...projects];
    const plans = names.map((name) => `${name}:plan`).join(', ');
    const what = tasks.length === 1 ? `${tasks[0]} has no key yet` : `${tasks.length} tasks have no keys yet`;
    const wait = names.length === 1 ? 'waits' : 'wait';
    return [
      `notice: ${what}: ${plans} ${wait} for ${cause}`,
      `hint: ${names.length === 1 ? `npx nx run ${plans}` : `npx nx run-many -t plan -p ${names.join(',')}`}`,
    ];
  });
  return { notices, faults: [...faults.values()] };
}
