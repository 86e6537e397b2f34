import { references, UserError, type PlacedDefinition } from '@strata/definitions';
import type { Model } from './model.js';

/** Names of the projects that a good definition depends on: those that it names, and toolchains that it gets otherwise. */
export function dependencies(model: Model, placed: PlacedDefinition): string[] {
  const named = references(placed.definition).map(({ project }) => project);
  const { definition } = placed;
  const implied: string[] = [];
  try {
    if (model.needsToolchain(placed)) {
      implied.push(model.toolchain(placed));
    }
    if (definition.kind === 'image') {
      implied.push(model.vmToolchain(placed));
    }
    if (definition.kind === 'sysext') {
      // what boots an image boots the extension on it
      implied.push(...(definition.test?.on ?? []).flatMap((name) => dependencies(model, model.get(name, 'image'))));
    }
  } catch {
    // where no toolchain is named, the executor says so
  }
  return [...new Set([...named, ...implied])];
}

/** The way from a project back to itself; undefined where there is none. */
function wayBack(start: string, edges: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const seen = new Set<string>();
  const walk = (name: string, way: readonly string[]): string[] | undefined => {
    for (const next of edges.get(name) ?? []) {
      if (next === start) {
        return [...way, next];
      }
      if (!seen.has(next)) {
        seen.add(next);
        const found = walk(next, [...way, next]);
        if (found !== undefined) {
          return found;
        }
      }
    }
    return undefined;
  };
  return walk(start, [start]);
}

/** What is wrong with definitions that depend on themselves, by their files: Nx would only say that there is a cycle. */
export function cycleProblems(model: Model): Map<string, UserError> {
  const edges = new Map([...model.projects].map(([name, placed]) => [name, dependencies(model, placed)]));
  return new Map(
    [...model.projects.values()].flatMap((placed): [string, UserError][] => {
      const way = wayBack(placed.name, edges);
      const hint = 'name another `toolchain:`; one from a Debian suite needs none';
      return way === undefined
        ? []
        : [
            [
              placed.file,
              new UserError(
                way.length === 2
                  ? `${placed.name} is its own toolchain`
                  : `the projects ${way.join(' → ')} need each other`,
                { place: placed.place(['toolchain']), hint },
              ),
            ],
          ];
    }),
  );
}
