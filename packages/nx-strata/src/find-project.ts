import { aKind, someOf, suggest, UserError, type Kind, type PlacedDefinition } from '@strata/definitions';
import type { BrokenDefinition } from './read-workspace.js';

/** The definitions among which a project is looked for. */
export interface Findable {
  readonly good: Iterable<PlacedDefinition>;
  readonly broken: readonly BrokenDefinition[];
}

/**
 * The project that somebody named on the command line.
 *
 * @param kind what it has to be; left out where any project of Strata's will do
 * @throws UserError where there is none, or another kind, or where its definition is broken: what is wrong with that
 */
export function findProject({ good, broken }: Findable, name: string, kind?: Kind): PlacedDefinition {
  const [problem] = broken.find((candidate) => candidate.name === name)?.problems ?? [];
  if (problem !== undefined) {
    throw problem;
  }
  const all = [...good];
  const found = all.find((candidate) => candidate.name === name);
  if (found !== undefined && (kind === undefined || found.definition.kind === kind)) {
    return found;
  }
  const names = all.filter(({ definition }) => kind === undefined || definition.kind === kind).map((one) => one.name);
  const close = suggest(name, names);
  const none =
    kind === undefined ? 'there is none' : `there is none: ${aKind(kind)} is a folder with ${aKind(kind)}.yaml`;
  throw new UserError(
    found === undefined
      ? `there is no ${kind ?? "project of Strata's"} named ${name}`
      : `${name} is ${aKind(found.definition.kind)} (${found.file}), and ${aKind(kind ?? 'layer')} is needed here`,
    {
      hint:
        close !== undefined && close !== name
          ? `did you mean ${close}?`
          : names.length === 0
            ? none
            : `there are ${someOf(names)}`,
    },
  );
}
