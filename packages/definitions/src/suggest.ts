import { distance } from 'fastest-levenshtein';

/** The closest of some names to a misspelt one, if any is close. */
export function suggest(name: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((candidate) => ({ candidate, edits: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, edits }) => edits <= Math.max(2, Math.floor(name.length / 3)) && edits < candidate.length)
    .sort((left, right) => left.edits - right.edits);
  return best?.candidate;
}

/** Names for a message: all of them, or the first and how many more there are. */
export function someOf(names: readonly string[], most = 8): string {
  return names.length <= most ? names.join(', ') : `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}
