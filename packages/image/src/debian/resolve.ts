import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '@strata/definitions';
import { absolutePath, digestOfFile, parseDigest } from '@strata/fingerprint';
import { execa } from 'execa';
import { privateApt, type Apt, type Source } from './apt.js';
import { lockRequest, type Lock, type LockedPackage, type LockedWheel } from './lock.js';

/** What a Debian root is to be made of. */
export interface Bootstrap extends Source {
  readonly packages: readonly string[];
  /** `name==version` */
  readonly wheels?: readonly string[] | undefined;
}

/** What the second step needs besides a minimal Debian: the tool that bootstraps, and what packs the result. */
const seedPackages = ['mmdebstrap', 'python3', 'zstd'];

/** What mmdebstrap's variant `minbase` consists of. */
const minimal = ['?essential', '?priority(required)', 'apt'];

/** What apt says of a package that its suite does not have. */
const unknownPackage = /Unable to locate package (\S+)|Package '(\S+)' has no installation candidate/;

/** The names of packages and all that they need. Throws a {@link UserError} for a package that the suite does not have. */
async function namesOf(apt: Apt, suite: string, packages: readonly string[]): Promise<Set<string>> {
  let printed: string;
  try {
    printed = await apt.run(['apt-get', 'install', '--print-uris', '--quiet=2', ...minimal, ...packages]);
  } catch (error) {
    const unknown = error instanceof UserError ? unknownPackage.exec(error.details.join('\n')) : null;
    if (unknown === null) {
      throw error;
    }
    throw new UserError(`${suite} of ${apt.mirror} has no package ${unknown[1] ?? unknown[2] ?? ''}`, {
      hint: 'see `packages:` in the definition, and `components:` where the package is not in main',
      cause: error,
    });
  }
  return new Set([...printed.matchAll(/^'[^']+' ([^_\s]+)_\S+ \d+/gm)].map(([, name = '']) => name));
}

async function describe(apt: Apt, names: readonly string[]): Promise<Map<string, Omit<LockedPackage, 'for'>>> {
  const shown = await apt.run(['apt-cache', 'show', '--no-all-versions', ...names]);
  const packages = new Map<string, Omit<LockedPackage, 'for'>>();
  for (const paragraph of shown.split(/\n\n+/)) {
    const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(paragraph)?.[1] ?? '';
    if (field('Package') !== '') {
      packages.set(field('Package'), {
        name: field('Package'),
        version: field('Version'),
        architecture: field('Architecture'),
        file: field('Filename'),
        size: Number(field('Size')),
        sha256: parseDigest(`sha256:${field('SHA256')}`),
      });
    }
  }
  return packages;
}

/** Downloads wheels by pip, which knows the machine's index, proxies and certificates. */
export async function downloadWheels(
  wheels: readonly string[],
  folder: string,
  signal?: AbortSignal,
): Promise<LockedWheel[]> {
  const locked: LockedWheel[] = [];
  for (const wheel of wheels) {
    const [name = '', version = ''] = wheel.split('==');
    try {
      await execa(
        'python3',
        [
          ...['-m', 'pip', 'download'],
          '--quiet',
          '--disable-pip-version-check',
          '--no-deps',
          ...['--only-binary', ':all:'],
          ...['--dest', folder],
          wheel,
        ],
        signal === undefined ? {} : { cancelSignal: signal },
      );
    } catch (cause) {
      const said = (cause as { stderr?: string }).stderr ?? '';
      throw said.includes('No module named pip')
        ? new UserError('pip is missing on this machine', { hint: 'install the Debian package python3-pip', cause })
        : new UserError(`pip cannot download ${wheel}`, {
            details: said
              .split('\n')
              .filter((text) => text.includes('ERROR'))
              .slice(-3),
            hint: 'see whether `python3 -m pip download` works by hand',
            cause,
          });
    }
    const normal = name.toLowerCase().replace(/[-_.]+/g, '_');
    const file = (await readdir(folder)).find((entry) => entry.toLowerCase().startsWith(`${normal}-${version}-`));
    if (file === undefined) {
      throw new Error(`pip left no wheel of ${wheel} in ${folder}`);
    }
    locked.push({ name, version, file, sha256: await digestOfFile(join(folder, file)) });
  }
  return locked;
}

/** Finds the newest version of everything that a root needs, as its suite is now. */
export async function resolveLock(bootstrap: Bootstrap): Promise<Lock> {
  const folder = absolutePath(await mkdtemp(join(tmpdir(), 'strata-apt-')));
  try {
    const apt = await privateApt(folder, bootstrap);
    await apt.run(['apt-get', 'update', '--quiet=2']);
    const root = await namesOf(apt, bootstrap.suite, bootstrap.packages);
    const seed = await namesOf(apt, bootstrap.suite, seedPackages);
    const described = await describe(apt, [...new Set([...root, ...seed])]);
    const packages = [...described.values()].map((entry): LockedPackage => ({
      ...entry,
      for: (['root', 'seed'] as const).filter((set) => (set === 'root' ? root : seed).has(entry.name)),
    }));
    const wheels = await downloadWheels(bootstrap.wheels ?? [], folder);
    return {
      suite: bootstrap.suite,
      architecture: 'amd64',
      requested: lockRequest(bootstrap),
      packages,
      wheels,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Finds the newest version of one package and everything of it that `choose` keeps: for a kernel, say. */
export async function resolvePackages(source: Source, names: readonly string[], choose: RegExp): Promise<Lock> {
  const folder = absolutePath(await mkdtemp(join(tmpdir(), 'strata-apt-')));
  try {
    const apt = await privateApt(folder, source);
    await apt.run(['apt-get', 'update', '--quiet=2']);
    const all = [...(await namesOf(apt, source.suite, names))].filter((name) => choose.test(name));
    const described = await describe(apt, all);
    const packages = [...described.values()].map((entry): LockedPackage => ({ ...entry, for: ['root'] }));
    const requested = lockRequest({ packages: names, components: source.components });
    return { suite: source.suite, architecture: 'amd64', requested, packages, wheels: [] };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
