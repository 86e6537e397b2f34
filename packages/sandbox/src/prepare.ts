import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { absolutePath, type AbsolutePath } from '@strata/fingerprint';
import type { Store } from '@strata/store';
import { isSeed } from './action-key.js';
import type { LaunchSpec } from './launch.js';
import { unpackedLayer, unpackedLayers } from './layers.js';
import type { Action, Input } from './types.js';

/** The environment of every action; an action adds to it. */
const baseEnvironment: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/tmp',
  LC_ALL: 'C.UTF-8',
  TZ: 'UTC',
  SOURCE_DATE_EPOCH: '1700000000',
};

/** What an action may see and do, before where its inputs lie is known. */
export type Runnable = Pick<Action, 'toolchain' | 'rootfs' | 'inputs' | 'argv' | 'environment' | 'devices' | 'hints'>;

/** An action whose inputs lie on this machine, ready to be launched. */
export interface Prepared {
  readonly spec: LaunchSpec;
  /** The folder that is `/strata/out` inside. */
  readonly out: AbsolutePath;
}

function folderOf(store: Store, folder: AbsolutePath): string {
  // short names: the options of an overlay mount have one page for all of them
  const name = relative(join(store.root, 'trees'), folder);
  return name.startsWith('..') ? folder : name;
}

async function mountInput(
  store: Store,
  input: Input,
  scratch: AbsolutePath,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const target = `/strata/in/${input.name}`;
  switch (input.kind) {
    case 'text': {
      const file = join(scratch, 'texts', input.name);
      await mkdir(join(file, '..'), { recursive: true });
      await writeFile(file, input.text);
      return ['--ro-bind', file, target];
    }
    case 'file':
      return ['--ro-bind', input.path, target];
    case 'artifact':
      return ['--ro-bind', await store.path(input.artifact), target];
    case 'tree':
      return ['--ro-bind', input.tree.root, target];
    case 'layer':
      return ['--ro-bind', await unpackedLayer(store, input.layer, signal), target];
  }
}

/** Brings everything that an action needs to this machine's disk, and says how to launch it. */
export async function prepare(
  store: Store,
  action: Runnable,
  scratch: AbsolutePath,
  options: { readonly network?: boolean; readonly terminal?: boolean; readonly signal?: AbortSignal | undefined } = {},
): Promise<Prepared> {
  const folder = async (name: string): Promise<AbsolutePath> => {
    const path = absolutePath(join(scratch, name));
    await mkdir(path, { mode: 0o755 });
    return path;
  };
  const [mounts, out, temporary] = [await folder('mounts'), await folder('out'), await folder('tmp')];
  const toolchain = isSeed(action.toolchain)
    ? [action.toolchain.folder]
    : await unpackedLayers(store, action.toolchain, options.signal);
  const bwrap: string[] = [
    '--unshare-ipc',
    '--unshare-pid',
    ...(options.network === true ? [] : ['--unshare-net']),
    '--unshare-uts',
    ...['--hostname', 'strata'],
    ...(options.terminal === true ? [] : ['--new-session']),
    '--die-with-parent',
    '--clearenv',
    ...Object.entries({ ...baseEnvironment, ...action.environment, ...action.hints }).flatMap(([name, value]) => [
      '--setenv',
      name,
      value,
    ]),
    ...['--bind', `${mounts}/root`, '/'],
    ...['--proc', '/proc'],
    ...['--dev', '/dev'],
    ...['--perms', '1777', '--tmpfs', '/tmp'],
    ...['--perms', '0755', '--tmpfs', '/run'],
    ...['--perms', '1777', '--tmpfs', '/var/tmp'],
    ...['--bind', out, '/strata/out'],
    ...['--bind', temporary, '/strata/tmp'],
  ];
  let rootfs: LaunchSpec['rootfs'];
  if (action.rootfs !== undefined) {
    rootfs = {
      lower: (await unpackedLayers(store, action.rootfs.lower, options.signal)).map((path) => folderOf(store, path)),
      upper: await folder('upper'),
      work: await folder('work'),
    };
    bwrap.push('--bind', `${mounts}/rootfs`, '/strata/root', '--ro-bind', rootfs.upper, '/strata/upper');
  }
  for (const input of action.inputs) {
    bwrap.push(...(await mountInput(store, input, scratch, options.signal)));
  }
  for (const device of action.devices ?? []) {
    if (existsSync(device)) {
      bwrap.push('--dev-bind', device, device);
    }
  }
  bwrap.push('--chdir', '/strata/tmp');
  const spec: LaunchSpec = {
    argv: action.argv,
    mounts,
    trees: absolutePath(join(store.root, 'trees')),
    toolchain: toolchain.map((path) => folderOf(store, path)),
    ...(rootfs === undefined ? {} : { rootfs }),
    bwrap,
  };
  return { spec, out };
}
