import type { FileSystem } from './file-system.js';

/** A package that the database of Portage or dpkg has. */
export interface InstalledPackage {
  /** `app-misc/jq`, or dpkg's name. */
  readonly name: string;
  readonly version: string;
  /** With the sub-slot, where it has one; empty for dpkg. */
  readonly slot: string;
  /** Flags that are on; empty for dpkg. */
  readonly use: readonly string[];
  /** The ebuild repository; empty for dpkg. */
  readonly repository: string;
}

/** The packages of a file system, and what belongs to them. */
export interface Installed {
  /** By name and slot: several slots of a package may be there at once. */
  readonly packages: ReadonlyMap<string, InstalledPackage>;
  /** Keys of packages, by the paths of what they say is theirs; a folder may be of several, and has the last one. */
  readonly owners: ReadonlyMap<string, string>;
  /** Keys of packages, by the paths of their folders in Portage's database. */
  readonly folders: ReadonlyMap<string, string>;
}

/** Name and version of a package with its version (PMS 3.2, version specifications). */
const versionPattern = /^(.+?)-(\d+(?:\.\d+)*[a-z]?(?:_(?:alpha|beta|pre|rc|p)\d*)*(?:-r\d+)?)$/;

const factPattern = /^(var\/db\/pkg\/([^/]+)\/([^/]+))\/(CONTENTS|IUSE|SLOT|USE|repository)$/;
const dpkgListPattern = /^var\/lib\/dpkg\/info\/([^/:]+)(?::[^/]+)?\.list$/;

type Facts = Partial<Record<string, readonly string[]>>;

function portagePackages(
  system: FileSystem,
): { folder: string; found: InstalledPackage; contents: readonly string[] }[] {
  const folders = new Map<string, { category: string; full: string; facts: Facts }>();
  for (const [path, node] of system.nodes) {
    const [, folder, category, full, fact] = factPattern.exec(path) ?? [];
    if (node.type === 'file' && folder !== undefined && category !== undefined && full !== undefined) {
      const entry = folders.get(folder) ?? { category, full, facts: {} };
      entry.facts[fact ?? ''] = node.lines ?? [];
      folders.set(folder, entry);
    }
  }
  return [...folders].map(([folder, { category, full, facts }]) => {
    const [, name = full, version = ''] = versionPattern.exec(full) ?? [];
    const words = (fact: string): string[] => (facts[fact] ?? []).join(' ').split(/\s+/).filter(Boolean);
    const flags = new Set(words('IUSE').map((flag) => flag.replace(/^[+-]/, '')));
    const found: InstalledPackage = {
      name: `${category}/${name}`,
      version,
      slot: words('SLOT')[0] ?? '',
      // the profile's own words (kernel_linux, amd64) are in USE too: only a package's flags are its own
      use: words('USE').filter((flag) => flags.has(flag)),
      repository: words('repository')[0] ?? '',
    };
    return { folder, found, contents: facts['CONTENTS'] ?? [] };
  });
}

/** Finds the packages of a file system by the databases that lie in it. */
export function installedPackages(system: FileSystem): Installed {
  const packages = new Map<string, InstalledPackage>();
  const owners = new Map<string, string>();
  const folders = new Map<string, string>();
  const own = (key: string, paths: readonly string[]): void => {
    paths.forEach((path) => owners.set(system.real(path), key));
  };
  for (const { folder, found, contents } of portagePackages(system)) {
    const key = `${found.name}:${found.slot.split('/')[0] ?? ''}`;
    packages.set(key, found);
    folders.set(folder, key);
    own(key, contents);
  }
  const status = system.nodes.get('var/lib/dpkg/status');
  for (const line of status?.type === 'file' ? (status.lines ?? []) : []) {
    const [name = '', version = ''] = line.split(' ');
    packages.set(name, { name, version, slot: '', use: [], repository: '' });
  }
  for (const [path, node] of system.nodes) {
    const name = dpkgListPattern.exec(path)?.[1];
    if (node.type === 'file' && name !== undefined && packages.has(name)) {
      own(name, node.lines ?? []);
    }
  }
  return { packages, owners, folders };
}
