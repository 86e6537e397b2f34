import type { FileSystem } from './file-system.js';
import { installedPackages, type Installed, type InstalledPackage } from './installed-packages.js';
import type { FileNode } from './listing.js';

/** What can differ between two things of one path. */
export type Aspect = 'type' | 'content' | 'mode' | 'owner' | 'target' | 'device' | 'attributes';

type Sides<T> =
  | { readonly change: 'added'; readonly after: T }
  | { readonly change: 'removed'; readonly before: T }
  | { readonly change: 'changed'; readonly before: T; readonly after: T };

/** How one path differs. */
export type FileChange = Sides<FileNode> & {
  readonly path: string;
  /** What differs where both have the path; else empty. */
  readonly aspects: readonly Aspect[];
  /** The package that it belongs to, as in {@link PackageChange}; null where it belongs to none. */
  readonly package: string | null;
  /** Whether it is a package manager's own record of what is installed. */
  readonly database: boolean;
};

/** How one package differs: by itself, or in its files alone. */
export type PackageChange = Sides<InstalledPackage> & {
  /** Its name, with the slot where it has one: `dev-lang/lua:5.4`. */
  readonly package: string;
  /** Flags that are on after and were not before, with a plus; the other way round, with a minus. */
  readonly use: readonly string[];
  /** Paths of it that differ, without those of the package database. */
  readonly files: number;
  /** Bytes that its files take more than before. */
  readonly bytes: number;
};

/** How two file systems differ. */
export interface Comparison {
  /** Sorted by name. */
  readonly packages: readonly PackageChange[];
  /** Sorted by path. */
  readonly files: readonly FileChange[];
  /** Bytes that all files take more than before. */
  readonly bytes: number;
}

const databases = /^var\/(db\/pkg|lib\/dpkg)(\/|$)/;

function byText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function sameAttributes({ attributes: left = {} }: FileNode, { attributes: right = {} }: FileNode): boolean {
  const names = Object.keys(left);
  return names.length === Object.keys(right).length && names.every((name) => left[name] === right[name]);
}

function aspectsOf(before: FileNode, after: FileNode): Aspect[] {
  const differing: Record<Aspect, boolean> = {
    type: before.type !== after.type,
    content: before.type === 'file' && after.type === 'file' && before.digest !== after.digest,
    // a symlink has none of its own
    mode: before.mode !== after.mode && before.type !== 'symlink' && after.type !== 'symlink',
    owner: before.user !== after.user || before.group !== after.group,
    target: before.type === 'symlink' && after.type === 'symlink' && before.target !== after.target,
    device: 'device' in before && 'device' in after && before.type === after.type && before.device !== after.device,
    attributes: !sameAttributes(before, after),
  };
  return (Object.keys(differing) as Aspect[]).filter((aspect) => differing[aspect]);
}

function sides<T>(before: T | undefined, after: T | undefined): Sides<T> | undefined {
  if (after === undefined) {
    return before === undefined ? undefined : { change: 'removed', before };
  }
  return before === undefined ? { change: 'added', after } : { change: 'changed', before, after };
}

/** The package that a path belongs to: the one that has it after, else the one that had it before. */
function ownerOf(path: string, [before, after]: readonly [Installed, Installed], isShared: boolean): string | null {
  const folder = path.split('/').slice(0, 5).join('/');
  const record = after.folders.get(folder) ?? before.folders.get(folder);
  if (record !== undefined) {
    return record;
  }
  return isShared ? null : (after.owners.get(path) ?? before.owners.get(path) ?? null);
}

/** Something as a change tells it: what its database says of packages is told with them. */
function toldNode(node: FileNode | undefined): FileNode | undefined {
  return node?.type === 'file' ? { ...node, lines: undefined } : node;
}

function fileChanges(before: FileSystem, after: FileSystem, installed: readonly [Installed, Installed]): FileChange[] {
  const paths = [...new Set([...before.nodes.keys(), ...after.nodes.keys()])].sort(byText);
  return paths.flatMap((path): FileChange[] => {
    const [old, now] = [before.nodes.get(path), after.nodes.get(path)];
    const found = sides(toldNode(old), toldNode(now));
    const aspects = old !== undefined && now !== undefined ? aspectsOf(old, now) : [];
    if (found === undefined || (found.change === 'changed' && aspects.length === 0)) {
      return [];
    }
    // several packages may say that a folder is theirs: what changes in it is none's own
    const isShared = old?.type === 'folder' && now?.type === 'folder';
    return [{ path, ...found, aspects, package: ownerOf(path, installed, isShared), database: databases.test(path) }];
  });
}

function groupsOf<K, V>(pairs: Iterable<readonly [K, V]>): Map<K, V[]> {
  const groups = new Map<K, V[]>();
  for (const [key, value] of pairs) {
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, [value]);
    } else {
      group.push(value);
    }
  }
  return groups;
}

/** The paths that belong to each package. */
function pathsByPackage({ owners }: Installed): Map<string, string[]> {
  return groupsOf([...owners].map(([path, owner]) => [owner, path]));
}

function useChanges(before: InstalledPackage | undefined, after: InstalledPackage | undefined): string[] {
  if (before === undefined || after === undefined) {
    return [];
  }
  return [
    ...after.use.filter((flag) => !before.use.includes(flag)).map((flag) => `+${flag}`),
    ...before.use.filter((flag) => !after.use.includes(flag)).map((flag) => `-${flag}`),
  ];
}

/** One of two things that are compared. */
export interface ComparedSystem {
  readonly files: FileSystem;
  /** Where the package database lies, if not among the files: an image may leave out that of its layers. */
  readonly database?: FileSystem | undefined;
}

/** Compares two file systems. */
export function compareFileSystems(left: ComparedSystem, right: ComparedSystem): Comparison {
  const [before, after] = [left.files, right.files];
  const installed = [installedPackages(left.database ?? before), installedPackages(right.database ?? after)] as const;
  const files = fileChanges(before, after, installed);
  const changed = groupsOf(files.map((file) => [file.package, file]));
  const [oldPaths, newPaths] = [pathsByPackage(installed[0]), pathsByPackage(installed[1])];
  const keys = [...new Set([...installed[0].packages.keys(), ...installed[1].packages.keys()])].sort(byText);
  const packages = keys.flatMap((key): PackageChange[] => {
    const [old, now] = [installed[0].packages.get(key), installed[1].packages.get(key)];
    const found = sides(old, now);
    const own = changed.get(key) ?? [];
    const isSame =
      old?.version === now?.version &&
      old?.slot === now?.slot &&
      old?.repository === now?.repository &&
      useChanges(old, now).length === 0;
    if (found === undefined || (isSame && own.length === 0)) {
      return [];
    }
    const bytes = after.sizeOf(newPaths.get(key) ?? []) - before.sizeOf(oldPaths.get(key) ?? []);
    const count = own.filter(({ database }) => !database).length;
    return [{ package: key, ...found, use: useChanges(old, now), files: count, bytes }];
  });
  return { packages, files, bytes: after.sizeOf(after.nodes.keys()) - before.sizeOf(before.nodes.keys()) };
}
