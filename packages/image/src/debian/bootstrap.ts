import { chmod, copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { absolutePath, digestOfJson, type AbsolutePath, type Digest } from '@strata/fingerprint';
import {
  inUserNamespace,
  layerMediaType,
  packScript,
  scriptInput,
  type Action,
  type Input,
  type SeedRoot,
} from '@strata/sandbox';
import type { Descriptor, Store } from '@strata/store';
import { execa, ExecaError } from 'execa';
import { UserError } from '@strata/definitions';
import { toolWords } from '../tool-error.js';
import { debFileName, type LockedFiles } from './fetch.js';
import type { Lock, LockedPackage } from './lock.js';

function guestScript(name: string): AbsolutePath {
  return absolutePath(fileURLToPath(new URL(`../../guest/${name}`, import.meta.url)));
}

function packagesFor(lock: Lock, set: 'root' | 'seed'): LockedPackage[] {
  return lock.packages.filter((entry) => entry.for.includes(set));
}

function file(files: LockedFiles, name: string): Descriptor {
  const found = files.get(name);
  if (found === undefined) {
    throw new Error(`${name} was not fetched`);
  }
  return found;
}

/** What a seed is named by in keys: the packages that are pinned for it. */
export function seedIdentity(lock: Lock): Digest {
  const packages = packagesFor(lock, 'seed');
  return digestOfJson({ seed: 1, suite: lock.suite, packages: packages.map(({ sha256 }) => sha256).sort() });
}

/**
 * The seed: a minimal Debian with a bootstrap tool, made by the machine's own mmdebstrap. Bootstraps with the same seed
 * packages share it. Its bytes depend on the machine and so are never keyed and never shared; what it makes does not.
 */
export function seedOf(store: Store, lock: Lock, files: LockedFiles, signal?: AbortSignal): SeedRoot {
  const identity = seedIdentity(lock);
  return {
    kind: 'seed',
    folder: () => store.tree(identity, (tree) => makeSeed(store, tree, lock, files, signal), signal),
    identity,
  };
}

async function makeSeed(
  store: Store,
  tree: AbsolutePath,
  lock: Lock,
  files: LockedFiles,
  signal: AbortSignal | undefined,
): Promise<void> {
  const packages = packagesFor(lock, 'seed');
  await store.bring(
    packages.map((entry) => file(files, debFileName(entry))),
    signal,
  );

  // mmdebstrap's own namespace maps other ids than ours, so it has to be able to read all of this as anybody
  const repository = absolutePath(await mkdtemp(join(tmpdir(), 'strata-seed-')));
  const scratch = await store.scratch();
  try {
    await chmod(repository, 0o755);
    await mkdir(join(repository, 'pool'));
    await chmod(join(repository, 'pool'), 0o755);
    for (const entry of packages) {
      const target = join(repository, 'pool', debFileName(entry));
      await copyFile(await store.path(file(files, debFileName(entry))), target);
      await chmod(target, 0o644);
    }
    await execa('python3', ['-I', guestScript('index_debs.py'), repository, lock.suite]);
    const tar = join(scratch.path, 'seed.tar');
    await execa(
      'mmdebstrap',
      [
        `--mode=${process.getuid?.() === 0 ? 'root' : 'unshare'}`,
        '--variant=apt',
        `--include=${packages.map(({ name }) => name).join(',')}`,
        '--skip=check/empty',
        lock.suite,
        '-',
        `deb [trusted=yes] copy://${repository} ./`,
      ],
      {
        env: { SOURCE_DATE_EPOCH: '1700000000', TMPDIR: tmpdir() },
        stdin: 'ignore',
        stdout: { file: tar },
        buffer: { stdout: false },
        // it hangs up its whole process group when it fails
        detached: true,
        ...(signal === undefined ? {} : { cancelSignal: signal }),
      },
    );
    const unpack = [
      'tar',
      '--extract',
      '--file',
      tar,
      '--directory',
      tree,
      '--numeric-owner',
      '--preserve-permissions',
      '--exclude=./dev/*',
    ];
    await inUserNamespace(unpack, { scratch: scratch.path, signal });
  } catch (error) {
    if (error instanceof ExecaError && error.code === 'ENOENT') {
      throw new UserError('mmdebstrap is missing on this machine', {
        hint: 'install the Debian package mmdebstrap',
        cause: error,
      });
    }
    const said = toolWords(error);
    if (said !== undefined) {
      throw new UserError(`mmdebstrap cannot make the seed of ${lock.suite}`, {
        details: said.slice(-8),
        hint: 'the machine needs mmdebstrap 1.3 or newer, and an ordinary user needs subuids',
        cause: error,
      });
    }
    throw error;
  } finally {
    await rm(repository, { recursive: true, force: true });
    await scratch.dispose();
  }
}

/** What a root from a lock is made with. */
export interface BootstrapParameters {
  readonly label: string;
  readonly seed: SeedRoot;
  readonly lock: Lock;
  readonly files: LockedFiles;
}

/** The action that makes a Debian root from a lock: in the seed, offline, by the seed's own mmdebstrap. */
export function bootstrapAction({ label, seed, lock, files }: BootstrapParameters): Action {
  const packages = packagesFor(lock, 'root');
  const spec = {
    suite: lock.suite,
    packages: packages.map(({ name }) => name).sort(),
    wheels: lock.wheels.map((wheel) => wheel.file).sort(),
  };
  const inputs: Input[] = [
    { kind: 'text', name: 'spec.json', text: JSON.stringify(spec) },
    scriptInput('pack.py', packScript),
    scriptInput('index_debs.py', guestScript('index_debs.py')),
    scriptInput('bootstrap.py', guestScript('bootstrap.py')),
    ...packages.map((entry): Input => {
      const name = debFileName(entry);
      return { kind: 'artifact', name: `debs/${name}`, artifact: file(files, name) };
    }),
    ...lock.wheels.map((wheel): Input => ({
      kind: 'artifact',
      name: `wheels/${wheel.file}`,
      artifact: file(files, wheel.file),
    })),
  ];
  return {
    label,
    toolchain: seed,
    inputs,
    argv: ['python3', '/strata/in/bin/bootstrap.py'],
    outputs: { 'layer.tar.zst': layerMediaType },
  };
}
