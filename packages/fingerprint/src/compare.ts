import { canonicalJson } from './canonical-json.js';
import { comparePaths } from './paths.js';
import type { TreeChange, TreeManifest } from './types.js';

/** What changed from one manifest to another, sorted by path. */
export function compareTrees(before: TreeManifest, after: TreeManifest): TreeChange[] {
  const old = new Map(before.entries.map((entry) => [entry.path, entry]));
  const changes: TreeChange[] = [];
  for (const entry of after.entries) {
    const previous = old.get(entry.path);
    old.delete(entry.path);
    if (previous === undefined) {
      changes.push({ change: 'added', path: entry.path, entry });
    } else if (canonicalJson({ ...previous }) !== canonicalJson({ ...entry })) {
      changes.push({ change: 'changed', path: entry.path, before: previous, after: entry });
    }
  }
  for (const entry of old.values()) {
    changes.push({ change: 'removed', path: entry.path, entry });
  }
  return changes.sort((left, right) => comparePaths(left.path, right.path));
}
