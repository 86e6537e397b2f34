import type { Descriptor } from '@strata/store';
import type { LayerDescriptor } from '@strata/sandbox';
import type { PlannedPackage } from './plan.js';

/** A package that was built, or taken from the store. */
export interface BuiltPackage {
  /** What emerge merges (GLEP 78). */
  readonly binaryPackage: Descriptor;
  /** The same, to be put into the ROOT of others. */
  readonly layer: LayerDescriptor;
}

/** A package to be built. Two layers may have the same version of it with other flags, so it has a name of its own. */
export interface PackageNode {
  readonly id: string;
  readonly planned: PlannedPackage;
  /** Names of the packages that have to be in its ROOT, in their order. */
  readonly needs: readonly string[];
}

/** How long a package is likely to take: the more source code, the longer. */
function weight({ planned: { distfiles } }: PackageNode): number {
  return 1_000_000 + distfiles.reduce((sum, { size }) => sum + size, 0);
}

/** The weight of the longest chain of packages that wait for each one, itself included. */
function longestPaths(graph: ReadonlyMap<string, PackageNode>): Map<string, number> {
  const waiting = new Map<string, PackageNode[]>([...graph.keys()].map((id) => [id, []]));
  for (const node of graph.values()) {
    node.needs.forEach((need) => waiting.get(need)?.push(node));
  }
  const lengths = new Map<string, number>();
  const length = (node: PackageNode): number => {
    const known = lengths.get(node.id);
    if (known !== undefined) {
      return known;
    }
    // also ends a cycle, which is told of when nothing more can be built
    lengths.set(node.id, weight(node));
    const own = weight(node) + Math.max(0, ...(waiting.get(node.id) ?? []).map(length));
    lengths.set(node.id, own);
    return own;
  };
  [...graph.values()].forEach(length);
  return lengths;
}

/**
 * Builds packages, each after those that it needs, several at once, the longest chain first. Where one fails, no other is
 * started; those that run are awaited, and the first error is thrown.
 *
 * @param build builds one package, given what it needs in the order of `needs`
 * @param slots how many are built at once
 */
export async function buildPackages<Node extends PackageNode>(
  nodes: readonly Node[],
  build: (node: Node, needs: readonly BuiltPackage[]) => Promise<BuiltPackage>,
  slots: number,
): Promise<Map<string, BuiltPackage>> {
  const lengths = longestPaths(new Map(nodes.map((node) => [node.id, node])));
  const built = new Map<string, BuiltPackage>();
  const running = new Map<string, Promise<void>>();
  const errors: unknown[] = [];
  const rest = [...nodes].sort(
    (one, other) => (lengths.get(other.id) ?? 0) - (lengths.get(one.id) ?? 0) || (one.id < other.id ? -1 : 1),
  );
  const start = (node: Node): void => {
    const needs = node.needs.flatMap((id) => built.get(id) ?? []);
    const run = build(node, needs).then(
      (result) => void built.set(node.id, result),
      (error: unknown) => void errors.push(error),
    );
    running.set(
      node.id,
      run.finally(() => running.delete(node.id)),
    );
  };
  for (;;) {
    while (errors.length === 0 && running.size < slots) {
      const index = rest.findIndex(({ needs }) => needs.every((need) => built.has(need)));
      const [next] = index < 0 ? [] : rest.splice(index, 1);
      if (next === undefined) {
        break;
      }
      start(next);
    }
    if (running.size === 0) {
      break;
    }
    await Promise.race(running.values());
  }
  if (errors.length > 0) {
    throw errors[0];
  }
  if (rest.length > 0) {
    throw new Error(`these packages need each other: ${rest.map(({ id }) => id).join(', ')}`);
  }
  return built;
}
