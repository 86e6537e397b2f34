import { UserError, type PlacedDefinition, type PrefixRepository } from '@strata/definitions';
import { parsePlan, type Plan, type PlannedRepository } from '@strata/portage';
import { ActionFailed, type Action } from '@strata/sandbox';
import { explainUndeclared } from '../explain-undeclared.js';
import { NotPlannedYet } from '../not-planned-yet.js';
import { asLayer, type TaskOutput } from '../task-output.js';
import { pick, type Task } from '../tasks.js';
import { repositoryTree } from './repository.js';

/** Ebuild repositories as a plan takes them; a priority given here comes before the repository's own. */
export function plannedRepositories(
  task: Task,
  repositories: readonly PrefixRepository[],
): Promise<PlannedRepository[]> {
  return Promise.all(
    repositories.map(async ({ name, priority }): Promise<PlannedRepository> => {
      const { root, definition } = task.model.get(name, 'repository');
      const { source } = definition;
      const content =
        'folder' in source
          ? { tree: await repositoryTree(task, root, source.folder) }
          : { layer: asLayer(pick((await task.output(name, 'fetch')).outputs, 'repository.tar.zst')) };
      return { name, priority: priority ?? definition.priority, content };
    }),
  );
}

/** Runs an action that plans. Throws a {@link UserError} with Portage's own words where it refuses. */
export async function runPlan(task: Task, action: Action): Promise<TaskOutput> {
  const { placed } = task;
  try {
    return { outputs: await task.action(action) };
  } catch (error) {
    if (error instanceof ActionFailed && error.report !== undefined) {
      const { message, hint, details } = error.report;
      const failed = { kind: placed.definition.kind, target: 'plan' as const, root: placed.root };
      const help = explainUndeclared(error.undeclared, failed);
      throw new UserError(message, {
        place: placed.place(['packages']),
        details: [...(details ?? []), ...(help?.details ?? [])],
        hint: [help?.hint, hint ?? `see ${error.log}`].filter((one) => one !== undefined).join('; else '),
        cause: error,
      });
    }
    throw error;
  }
}

/** The plan of a layer or a prefix. */
export async function planOf(task: Task, placed: PlacedDefinition): Promise<Plan> {
  const artifact = pick((await task.output(placed.name, 'plan')).outputs, 'plan.json');
  const text = await task.services.text(artifact);
  if (text === undefined) {
    throw new NotPlannedYet(placed, task.services.waitsFor(artifact));
  }
  return parsePlan(text);
}

/** Fetches the distfiles of a plan. */
export async function fetchPlanned(task: Task): Promise<TaskOutput> {
  const { packages } = await planOf(task, task.placed);
  const distfiles = packages.flatMap(({ cpv, distfiles: files }) => files.map((file) => ({ ...file, neededBy: cpv })));
  return { outputs: Object.fromEntries(await task.services.distfiles(distfiles, task.client)) };
}
