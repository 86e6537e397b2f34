import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { UserError } from '@strata/definitions';
import { absolutePath, digestOfJson } from '@strata/fingerprint';
import type { Progress } from '@strata/sandbox';
import type { ActionKey, Descriptor, Store } from '@strata/store';
import { execa } from 'execa';
import { machineMirror, privateApt } from './apt.js';
import type { Lock, LockedPackage } from './lock.js';
import { downloadWheels } from './resolve.js';

/** The media type of a Debian package. */
export const debMediaType = 'application/vnd.debian.binary-package';

/** The media type of a Python wheel. */
export const wheelMediaType = 'application/zip';

/** How a lock is fetched. */
export interface FetchLockOptions {
  /** The project whose lock file it is, for hints. */
  readonly project: string;
  readonly mirror?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** The files that a lock names, by the names of the files. */
export type LockedFiles = ReadonlyMap<string, Descriptor>;

/** A mirror has moved on, and a locked version is gone from it. */
export class PinnedVersionGone extends UserError {
  constructor(
    readonly project: string,
    packages: readonly LockedPackage[],
    mirror: string,
  ) {
    super(`${mirror} no longer has ${packages.map(({ name, version }) => `${name} ${version}`).join(', ')}`, {
      hint: `move the lock file forward: npx strata update ${project}`,
    });
    this.name = 'PinnedVersionGone';
  }
}

const parallelProcesses = 4;
const filesPerProcess = 8;

/** The name under which a locked package's file is known. */
export function debFileName({ file }: LockedPackage): string {
  return decodeURIComponent(basename(file));
}

/** The names of the files that apt says the mirror does not have. Apt writes URLs with `%2b` for a plus. */
function filesNotFound(said: string): Set<string> {
  const urls = [...said.matchAll(/^E: Failed to fetch (\S+) +404 /gm)].map(([, url = '']) => url);
  return new Set(urls.map((url) => basename(decodeURIComponent(url))));
}

async function fetchPackages(
  store: Store,
  lock: Lock,
  missing: readonly LockedPackage[],
  options: FetchLockOptions,
): Promise<void> {
  const mirror = (options.mirror ?? (await machineMirror())).replace(/\/$/, '');
  const total = missing.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  const gone: LockedPackage[] = [];
  const scratch = await store.scratch();
  try {
    const apt = await privateApt(absolutePath(join(scratch.path, 'apt')), { suite: lock.suite, mirror });
    const queue = [...missing];
    const fetchSome = async (): Promise<void> => {
      for (let some = queue.splice(0, filesPerProcess); some.length > 0; some = queue.splice(0, filesPerProcess)) {
        const triples = some.flatMap((entry) => [
          `${mirror}/${entry.file}`,
          join(scratch.path, debFileName(entry)),
          `SHA256:${entry.sha256.slice('sha256:'.length)}`,
        ]);
        const { stderr, stdout, failed, isCanceled } = await execa(
          '/usr/lib/apt/apt-helper',
          ['download-file', ...triples],
          {
            env: apt.environment,
            reject: false,
            ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
          },
        );
        if (isCanceled) {
          options.signal?.throwIfAborted();
        }
        const notFound = filesNotFound(`${stdout}\n${stderr}`);
        for (const entry of some) {
          const file = absolutePath(join(scratch.path, debFileName(entry)));
          if (existsSync(file)) {
            await store.adopt(file, { mediaType: debMediaType, expect: entry.sha256 });
            done += entry.size;
          } else if (failed && notFound.has(debFileName(entry))) {
            gone.push(entry);
          } else {
            throw new UserError(`${entry.file} cannot be fetched from ${mirror}`, {
              details: stderr
                .split('\n')
                .filter((text) => text.startsWith('E:'))
                .slice(-3),
              hint: 'see whether the machine’s own `apt-get update` works',
            });
          }
        }
        options.onProgress?.({ phase: 'fetch', subject: lock.suite, done, total, unit: 'bytes' });
      }
    };
    await Promise.all(Array.from({ length: parallelProcesses }, fetchSome));
  } finally {
    await scratch.dispose();
  }
  if (gone.length > 0) {
    throw new PinnedVersionGone(options.project, gone, mirror);
  }
}

/** Names what a lock asks for, so that who fetched it once shares all of it under one name. */
function keyOf({ packages, wheels }: Lock): ActionKey {
  const files = [
    ...packages.map((entry) => [debFileName(entry), entry.sha256]),
    ...wheels.map(({ file, sha256 }) => [file, sha256]),
  ];
  return digestOfJson({ locked: 1, files }) as ActionKey;
}

/** The files of a lock where somebody fetched all of them already. */
export async function knownLocked(store: Store, lock: Lock): Promise<LockedFiles | undefined> {
  const known = await store.lookup(keyOf(lock));
  const { packages, wheels } = lock;
  // whoever shared them need not have told the truth
  const isTrue =
    packages.every((entry) => known?.outputs[debFileName(entry)]?.digest === entry.sha256) &&
    wheels.every(({ file, sha256 }) => known?.outputs[file]?.digest === sha256);
  return known !== undefined && isTrue ? new Map(Object.entries(known.outputs)) : undefined;
}

/** Fetches every file of a lock that the store does not have, and gives back all of them. */
export async function fetchLocked(store: Store, lock: Lock, options: FetchLockOptions): Promise<LockedFiles> {
  const known = await knownLocked(store, lock);
  if (known !== undefined) {
    return known;
  }
  const files = await fetchFiles(store, lock, options);
  await store.record(keyOf(lock), { outputs: Object.fromEntries(files) });
  return files;
}

async function fetchFiles(store: Store, lock: Lock, options: FetchLockOptions): Promise<Map<string, Descriptor>> {
  const missing: LockedPackage[] = [];
  const files = new Map<string, Descriptor>();
  await Promise.all(
    lock.packages.map(async (entry) => {
      const artifact = { mediaType: debMediaType, digest: entry.sha256, size: entry.size };
      files.set(debFileName(entry), artifact);
      if (!(await store.has(artifact))) {
        missing.push(entry);
      }
    }),
  );
  if (missing.length > 0) {
    await fetchPackages(store, lock, missing, options);
  }
  for (const { name, version, file, sha256 } of lock.wheels) {
    const known = await store.find(sha256, wheelMediaType);
    if (known !== undefined) {
      files.set(file, known);
      continue;
    }
    const scratch = await store.scratch();
    try {
      await downloadWheels([`${name}==${version}`], scratch.path, options.signal);
      const wheel = absolutePath(join(scratch.path, file));
      files.set(file, await store.adopt(wheel, { mediaType: wheelMediaType, expect: sha256 }));
    } finally {
      await scratch.dispose();
    }
  }
  return files;
}
