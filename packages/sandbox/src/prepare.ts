import { existsSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import type { Store } from '@strata/store';
import { isSeed } from './action-key.js';
import { baseEnvironment } from './environment.js';
import { etcFiles } from './etc.js';
import type { SandboxSpec } from './launch.js';
import { unpackedLayer, unpackedLayers } from './layers.js';
import { undeclaredPaths } from './tree-parts.js';
import type { Action, Input } from './types.js';

/** What an action may see and do, before where its inputs lie is known. */
export type Runnable = Pick<
  Action,
  'toolchain' | 'rootfs' | 'inputs' | 'argv' | 'environment' | 'devices' | 'jobserver' | 'hints'
>;

/** How a runnable is to be launched. */
export interface PrepareOptions {
  readonly network?: boolean;
  readonly terminal?: boolean;
  /** The file that is to take the paths which are looked up in vain. */
  readonly missedPaths?: AbsolutePath;
  readonly signal?: AbortSignal | undefined;
}

/** An action whose inputs lie on this machine, ready to be launched. */
export interface Prepared {
  readonly spec: SandboxSpec;
  /** The folder that is `/strata/out` inside. */
  readonly out: AbsolutePath;
  /** Where the host names will be that it asked for in vain; no file where there are none. */
  readonly refusedNames: AbsolutePath;
}

type Part = SandboxSpec['parts'][number];

function folderOf(store: Store, folder: AbsolutePath): string {
  // short names: the options of an overlay mount have one page for all of them
  const name = relative(join(store.root, 'trees'), folder);
  return name.startsWith('..') ? folder : name;
}

/** Makes a folder whose mode is seen inside, whatever the umask is. */
async function openFolder(...path: string[]): Promise<AbsolutePath> {
  const folder = absolutePath(join(...path));
  await mkdir(folder);
  await chmod(folder, 0o755);
  return folder;
}

async function writeText(scratch: AbsolutePath, name: string, text: string): Promise<string> {
  const file = join(scratch, 'texts', name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  await chmod(file, 0o644);
  return file;
}

/** Where an input lies, and the part of a folder that has to be mounted before it does. */
async function locateInput(
  store: Store,
  input: Input,
  [scratch, mounts]: readonly [AbsolutePath, AbsolutePath],
  partName: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly path: string; readonly part?: Part }> {
  switch (input.kind) {
    case 'text':
      return { path: await writeText(scratch, input.name, input.text) };
    case 'file':
      return { path: input.path };
    case 'artifact':
      return { path: await store.path(input.artifact) };
    case 'layer':
      return { path: await unpackedLayer(store, input.layer, signal) };
    case 'part':
      return { path: join(await unpackedLayer(store, input.layer, signal), input.folder) };
    case 'tree': {
      const { root: folder } = input.tree;
      const hidden = await undeclaredPaths(input.tree);
      return hidden.length === 0
        ? { path: folder }
        : { path: join(mounts, partName), part: { name: partName, folder, hidden } };
    }
  }
}

function foldersAbove(inputs: readonly string[]): string[] {
  const folders = new Set(['/strata', '/strata/in']);
  for (const name of inputs) {
    const words = name.split('/');
    words.slice(0, -1).forEach((_, index) => folders.add(`/strata/in/${words.slice(0, index + 1).join('/')}`));
  }
  return [...folders];
}

function bwrapOptions(action: Runnable, mounts: AbsolutePath, options: PrepareOptions): string[] {
  return [
    '--unshare-ipc',
    '--unshare-pid',
    '--unshare-uts',
    '--unshare-cgroup-try',
    ...['--hostname', 'strata'],
    ...(options.terminal === true ? [] : ['--new-session']),
    '--die-with-parent',
    '--clearenv',
    ...Object.entries({ ...baseEnvironment, ...action.environment, ...action.hints }).flatMap(([name, value]) => [
      '--setenv',
      name,
      value,
    ]),
    ...['--bind', join(mounts, 'root'), '/'],
    ...['--proc', '/proc'],
    ...['--dev', '/dev'],
    ...['--perms', '1777', '--tmpfs', '/tmp'],
    ...['--perms', '0755', '--tmpfs', '/run'],
    ...['--perms', '1777', '--tmpfs', '/var/tmp'],
    // bubblewrap makes those that are missing for its own user alone
    ...foldersAbove(action.inputs.map(({ name }) => name)).flatMap((folder) => ['--perms', '0755', '--dir', folder]),
  ];
}

/** Brings everything that an action needs to this machine's disk, and says how to launch it. */
export async function prepare(
  store: Store,
  action: Runnable,
  scratch: AbsolutePath,
  options: PrepareOptions = {},
): Promise<Prepared> {
  const { signal } = options;
  const mounts = await openFolder(scratch, 'mounts');
  const out = await openFolder(scratch, 'out');
  const toolchain = isSeed(action.toolchain)
    ? [await action.toolchain.folder()]
    : await unpackedLayers(store, action.toolchain, signal);
  const bwrap = bwrapOptions(action, mounts, options);
  bwrap.push('--bind', out, '/strata/out', '--bind', await openFolder(scratch, 'tmp'), '/strata/tmp');
  let rootfs: SandboxSpec['rootfs'];
  if (action.rootfs !== undefined) {
    const lower = await unpackedLayers(store, action.rootfs.lower, signal);
    const [upper, work] = [await openFolder(scratch, 'upper'), await openFolder(scratch, 'work')];
    rootfs = { lower: lower.map((path) => folderOf(store, path)), upper, work };
    bwrap.push('--bind', join(mounts, 'rootfs'), '/strata/root', '--ro-bind', upper, '/strata/upper');
  }
  const parts: Part[] = [];
  for (const input of action.inputs) {
    const { path, part } = await locateInput(store, input, [scratch, mounts], `tree-${parts.length}`, signal);
    if (part !== undefined) {
      parts.push(part);
    }
    bwrap.push('--ro-bind', path, `/strata/in/${input.name}`);
  }
  const devices = (action.devices ?? []).filter((device) => existsSync(device));
  bwrap.push(...devices.flatMap((device) => ['--dev-bind', device, device]));
  if (action.jobserver !== undefined) {
    bwrap.push('--bind', await action.jobserver.fifo(), '/strata/jobserver');
  }
  bwrap.push('--chdir', '/strata/tmp');
  const refusedNames = absolutePath(join(scratch, 'refused-names'));
  const spec: SandboxSpec = {
    argv: action.argv,
    mounts,
    trees: absolutePath(join(store.root, 'trees')),
    toolchain: toolchain.map((path) => folderOf(store, path)),
    ...(rootfs === undefined ? {} : { rootfs }),
    parts,
    etc: await etcFiles(options.network === true),
    keepGroups: devices.length > 0,
    ownNetwork: options.network !== true,
    refusedNames,
    ...(options.missedPaths === undefined ? {} : { missedPaths: options.missedPaths }),
    bwrap,
  };
  return { spec, out, refusedNames };
}
