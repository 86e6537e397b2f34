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
    }
  /** A file that was fetched: a locked package, a distfile. */
  | { readonly kind: 'fetched'; readonly name: string; readonly before: string; readonly after: string }
  /** A package of a plan. */
  | { readonly kind: 'package'; readonly name: string; readonly what: readonly string[] }
  /** How Strata runs it. */
  | { readonly kind: 'command'; readonly name: string; readonly before: string; readonly after: string }
  /** What another action made. Its own changes say why. */
  | { readonly kind: 'made'; readonly by: string; readonly what: string; readonly changes: readonly Change[] }
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
  readonly change: Change;
}

/** The actions in between, from the one asked about down to those that saw the causes first; each is told once. */
export function chainOf(changes: readonly Change[], depth = 0, told = new Set<string>()): ChainLink[] {
  return changes.flatMap((change) => {
    const line = formatChange(change);
    if ((change.kind !== 'made' && change.kind !== 'package') || told.has(line)) {
      return [];
    }
    told.add(line);
    return [{ depth, change }, ...(change.kind === 'made' ? chainOf(change.changes, depth + 1, told) : [])];
  });
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
      return `${change.file}: ${change.field} was ${change.before}, is ${change.after}`;
    case 'fetched':
      return `${change.name} was ${change.before}, is ${change.after}`;
    case 'package':
      return `${change.name}: ${change.what.join('; ')}`;
    case 'command':
      return `Strata's own ${change.name} was ${change.before}, is ${change.after}`;
    case 'made':
      return `${change.what} of ${change.by} changed`;
    case 'unknown':
      return `${change.what} changed, and nothing is remembered of what made it`;
  }
}
