import { roomOf, type Artifact, type Entry, type Inventory, type Partial } from './inventory.js';

/** What may have to go. */
export type Victim = Artifact | Entry | Partial;

/** How long the beginning of an upload is kept, in milliseconds. */
const partialLife = 24 * 3600 * 1000;

/**
 * Chooses what has to go so that `excess` bytes become free, the least recently used first. An artifact goes after every
 * entry that needs it: it counts as used whenever one of them was.
 *
 * @param among says what may be taken at all. Where an artifact may, every entry that needs it must be allowed to go too
 */
export function chooseVictims(
  inventory: Inventory,
  excess: number,
  among: (candidate: Victim) => boolean = () => true,
): Victim[] {
  const victims: Victim[] = [];
  let free = 0;
  for (const { candidate } of leastRecentlyUsedFirst(inventory, among)) {
    if (free >= excess) {
      break;
    }
    victims.push(candidate);
    free += roomOf(candidate);
  }
  return victims;
}

function leastRecentlyUsedFirst(
  inventory: Inventory,
  among: (candidate: Victim) => boolean,
): { readonly candidate: Victim; readonly used: number }[] {
  const ordered: { readonly candidate: Victim; readonly used: number }[] = [];
  for (const candidate of [...inventory.partials, ...inventory.entries]) {
    if (among(candidate)) {
      ordered.push({ candidate, used: candidate.used });
    }
  }
  for (const candidate of inventory.artifacts.values()) {
    if (among(candidate)) {
      let { used } = candidate;
      for (const entry of inventory.needing(candidate.hex)) {
        used = Math.max(used, entry.used);
      }
      ordered.push({ candidate, used });
    }
  }
  // stable: of the same age, entries stay before the artifacts that they need
  return ordered.sort((a, b) => a.used - b.used);
}

/** Beginnings of uploads that nobody went on with. */
export function expiredPartials(inventory: Inventory): Partial[] {
  const limit = Date.now() - partialLife;
  return [...inventory.partials].filter(({ used }) => used < limit);
}
