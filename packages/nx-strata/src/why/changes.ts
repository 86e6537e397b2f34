/** Something that differs between two runs of an action. */
export type Change =
  /** A file of the workspace, or one that comes with Strata. */
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly how: 'added' | 'removed' | 'content' | 'mode' | 'target' | 'type';
      readonly before?: string;
      readonly after?: string;
      /** Lines of the content with `+` and `-` before them. */
      readonly lines?: readonly string[];
    }
  /** A field of a definition. */
  | {
      readonly kind: 'field';
      readonly file: string;
      readonly field: string;
      readonly before: string;
      readonly after: string;
      /** Where it is a list: what came into it and what went, with `+` and `-` before them. */
      readonly words?: readonly string[];
    }
  /** A file that was fetched: a locked package, a distfile. */
  | { readonly kind: 'fetched'; readonly name: string; readonly before: string; readonly after: string }
  /** A package of a plan. */
  | { readonly kind: 'package'; readonly name: string; readonly what: readonly string[] }
  /** How Strata runs it. */
  | { readonly kind: 'command'; readonly name: string; readonly before: string; readonly after: string }
  /** What another action made. Its own changes say why. */
  | {
      readonly kind: 'made';
      readonly by: string;
      readonly what: string;
      readonly how: 'another' | 'new' | 'gone';
      readonly changes: readonly Change[];
    }
  /** A part whose maker is not remembered. */
  | { readonly kind: 'unknown'; readonly what: string };

/** The changes that nothing else explains, each once. */
export function rootCauses(changes: readonly Change[]): Change[] {
  const causes = new Map<string, Change>();
  const visit = (change: Change): void => {
    if (change.kind === 'made' && change.changes.some((inner) => inner.kind !== 'package')) {
      change.changes.forEach(visit);
    } else if (change.kind !== 'package') {
      causes.set(formatChange(change), change);
    }
  };
  changes.forEach(visit);
  const known = [...causes.values()].filter(({ kind }) => kind !== 'unknown' && kind !== 'made');
  return known.length > 0 ? known : [...causes.values()];
}

/** One step of the way from an action to the causes. */
export interface ChainLink {
  readonly depth: number;
  /** What it is that changed. */
  readonly text: string;
}

/** The actions in between, from the one asked about down to those that saw the causes first; each is told once. */
export function chainOf(changes: readonly Change[], depth = 0, told = new Set<string>()): ChainLink[] {
  return changes.flatMap((change): ChainLink[] => {
    if (change.kind !== 'made') {
      return [];
    }
    const packages = change.changes.flatMap((inner) => (inner.kind === 'package' ? [inner.what.join('; ')] : []));
    const text = [`${change.by}, which ${made(change)}`, ...packages].join(': ');
    if (told.has(text)) {
      return [];
    }
    told.add(text);
    return [{ depth, text }, ...chainOf(change.changes, depth + 1, told)];
  });
}

/** What became of what an action makes, in words: its name is what the action that takes it calls it. */
function made({ what, how }: Extract<Change, { kind: 'made' }>): string {
  if (how !== 'another') {
    return how === 'new' ? 'is new' : 'is needed no more';
  }
  const [, planned] = /^packages\/(.+?)(?:\.gpkg\.tar)?$/.exec(what) ?? [];
  if (planned !== undefined) {
    return what.endsWith('.gpkg.tar') ? 'makes another package' : `plans ${planned} otherwise`;
  }
  return what === 'merge' ? 'plans the merge otherwise' : `makes another ${what.split('/').at(-1) ?? what}`;
}

/** One line that says what changed. */
export function formatChange(change: Change): string {
  switch (change.kind) {
    case 'file': {
      const { path, how, before, after } = change;
      switch (how) {
        case 'added':
          return `${path} was added`;
        case 'removed':
          return `${path} was removed`;
        case 'content':
          return `${path} changed`;
        case 'mode':
          return `${path} changed its mode from ${before ?? '?'} to ${after ?? '?'}`;
        case 'target':
          return `${path} pointed to ${before ?? '?'} and points to ${after ?? '?'}`;
        case 'type':
          return `${path} was a ${before ?? '?'} and is a ${after ?? '?'}`;
      }
      break;
    }
    case 'field':
      if (change.words !== undefined) {
        return `${change.file}: ${change.field} ${change.words.join(' ')}`;
      }
      return `${change.file}: ${change.field} was ${change.before}, is ${change.after}`;
    case 'fetched':
      return `${change.name} was ${change.before}, is ${change.after}`;
    case 'package':
      return `${change.name}: ${change.what.join('; ')}`;
    case 'command':
      return `Strata's own ${change.name} was ${change.before}, is ${change.after}`;
    case 'made':
      return `${change.by} ${made(change)}`;
    case 'unknown':
      return `${change.what} changed, and nothing is remembered of what made it`;
  }
}
