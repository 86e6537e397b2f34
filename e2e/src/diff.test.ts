import { readFileSync } from 'node:fs';
import {
  compareFileSystems,
  FileSystem,
  formatComparison,
  listingAction,
  parseListing,
  squashfsAction,
  type Comparison,
  type ComparedSystem,
  type Device,
  type Listing,
} from '@strata/image';
import { ActionFailed, runAction, type LayerStack } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { LayerRig, outputOf, python } from './layer-rig.js';

/** A package as Portage's database has it. */
function merged(name: string, { use = '', slot = '0', contents = '' }): string {
  const folder = `var/db/pkg/${name}`;
  return `
    mkdir -p ${folder}; echo '${slot}' > ${folder}/SLOT; echo main > ${folder}/repository
    echo 'static +pam nls' > ${folder}/IUSE; echo 'amd64 ${use}' > ${folder}/USE
    printf '${contents}' > ${folder}/CONTENTS`;
}

const object = (path: string): string => `obj ${path} d41d8cd98f00b204e9800998ecf8427e 1\\n`;

const bottomScript = `
  mkdir -p bin usr/lib usr/share/gone/deep usr/share/emptied/old etc home home/web; ln -s usr/lib lib
  echo one > etc/one; echo same > etc/same; echo lost > etc/lost; ln -s one etc/link; echo x > usr/share/gone/deep/x
  echo x > usr/share/emptied/old/x; echo tool > bin/tool; echo ping > bin/ping; echo kind > etc/kind
  head -c 3000 /dev/zero > usr/lib/liba.so; ln usr/lib/liba.so usr/lib/libb.so
  printf x > "home/$(printf 'new\\nline')"; mkfifo etc/pipe; ln -P etc/link etc/link2; ln etc/pipe etc/pipe2; chown 80:81 home/web
  ${merged('app-misc/jq-1.6', { use: 'pam', contents: object('/bin/jq') })}; head -c 100 /dev/zero > bin/jq
  ${merged('app-misc/old-2.0_rc1-r3', { contents: `dir /opt\\ndir /opt/old\\n${object('/opt/old/a b')}` })}
  mkdir -p opt/old; echo old > 'opt/old/a b'
  ${merged('sys-libs/lib-1', { use: 'pam nls', contents: object('/lib/liba.so') + object('/lib/libb.so') })}
  ${merged('dev-lang/lua-5.3', { slot: '5.3', contents: object('/usr/lib/lua53') })}; echo 53 > usr/lib/lua53
  ${python(`import os, struct
os.setxattr('bin/ping', 'security.capability', struct.pack('<IIIII', 0x02000001, 1 << 13, 0, 0, 0))
os.setxattr('home/web', 'user.note', b'\\x01\\xff')
open(b'home/\\xff', 'w').close()`)}`;

const topScript = `
  echo one more > etc/one; rm etc/lost; ln -sf other etc/link; chown 0:42 bin/tool; chmod 4711 bin/tool
  rm -r usr/share/gone; rm -r usr/share/emptied; mkdir usr/share/emptied; echo new > usr/share/emptied/new
  rm etc/kind; mkdir etc/kind
  rm -r var/db/pkg/app-misc/jq-1.6; head -c 150 /dev/zero > bin/jq
  ${merged('app-misc/jq-1.7.1', { use: 'pam static', contents: object('/bin/jq') })}
  rm -r var/db/pkg/app-misc/old-2.0_rc1-r3 opt
  ${merged('sys-libs/lib-1', { use: 'nls', contents: object('/lib/liba.so') + object('/lib/libb.so') })}
  ${merged('dev-lang/lua-5.4', { slot: '5.4/5.4', contents: object('/lib/lua54') })}; echo 54 > usr/lib/lua54
  ${python(`import os, struct
os.setxattr('bin/ping', 'security.capability', struct.pack('<IIIII', 0x02000000, 3 << 12, 1 << 10, 0, 0))
os.setxattr('home/web', 'user.note', b'\\x01\\xfe')`)}`;

const node: Device = { type: 'char', major: 1, minor: 3, mode: '0666', uid: 0, gid: 0, path: '/dev/node' };

describe('the difference of layers', () => {
  let rig: LayerRig;
  let before: LayerStack;
  let after: LayerStack;

  beforeAll(async () => {
    rig = await LayerRig.make();
    const bottom = await rig.changed([], bottomScript);
    const disk = { ...node, path: '/dev/disk', type: 'block' as const };
    before = [bottom, await rig.compose([bottom], { devices: [node, disk] })];
    const changed = await rig.changed(before, topScript);
    const devices = [{ ...node, minor: 5, mode: '0600' }];
    after = [...before, changed, await rig.compose([...before, changed], { devices, exclude: ['/dev/disk'] })];
  });

  afterAll(() => {
    rig.dispose();
  });

  const list = async (source: Descriptor): Promise<Listing> => {
    const action = listingAction({ label: 'test:list', toolchain: rig.toolchain, source });
    return parseListing(await rig.store.readText(outputOf(await runAction(rig.store, action), 'files.json')));
  };

  const system = async (sources: readonly Descriptor[]): Promise<ComparedSystem> => ({
    files: new FileSystem(await Promise.all(sources.map(list))),
  });

  const compare = async (left: readonly Descriptor[], right: readonly Descriptor[]): Promise<Comparison> =>
    compareFileSystems(await system(left), await system(right));

  const written = (comparison: Comparison, all = false): string[] =>
    formatComparison(comparison, { names: ['a', 'b'], all, colours: false });

  const squashfs = async (layers: LayerStack, exclude: readonly string[] = []): Promise<Descriptor> => {
    const compression = { algorithm: 'zstd', level: 1 } as const;
    const action = squashfsAction({ label: 'test:squashfs', toolchain: rig.toolchain, layers, exclude, compression });
    return outputOf(await runAction(rig.store, action), 'root.squashfs');
  };

  it('tells packages first, then files, with what hides lower layers', async () => {
    const comparison = await compare(before, after);
    expect(written(comparison)).toEqual([
      'a → b: +29 B',
      '  packages: 1 added, 1 removed, 2 changed',
      '  files: 14 added, 22 removed, 9 changed',
      'packages',
      '  ~ app-misc/jq 1.6 → 1.7.1  USE +static  1 file, +50 B',
      '  - app-misc/old-2.0_rc1-r3  3 files, -4 B',
      '  + dev-lang/lua-5.4  1 file, +3 B',
      '  ~ sys-libs/lib-1  USE -pam  no file of it differs',
      'files of no package, or of packages on both sides',
      '  ~ /bin/ping  security.capability cap_net_raw=ep → cap_net_bind_service=i cap_net_admin,cap_net_raw=p',
      '  ~ /bin/tool  mode 0644 → 4711, owner 0:0 → 0:42',
      '  - /dev/disk  block device 1:3, mode 0666',
      '  ~ /dev/node  mode 0666 → 0600, device 1:3 → 1:5',
      '  ~ /etc/kind  file of 5 B → folder, mode 0644 → 0755',
      '  ~ /etc/link  target one → other',
      '  - /etc/lost  file of 5 B',
      '  ~ /etc/one  content (+5 B)',
      '  ~ /home/web  user.note 0x01ff → 0x01fe',
      '  + /usr/share/emptied/new  file of 4 B',
      '  - /usr/share/emptied/old  folder',
      '  - /usr/share/emptied/old/x  file of 2 B',
      '  - /usr/share/gone  folder',
      '  - /usr/share/gone/deep  folder',
      '  - /usr/share/gone/deep/x  file of 2 B',
      '  ~ /bin/jq  content (+50 B)',
      'everything: --all',
    ]);
    const everything = written(comparison, true);
    expect(everything).toHaveLength(3 + 1 + comparison.packages.length + 1 + comparison.files.length);
    expect(everything).toContain('  - /opt/old/a b  file of 4 B');
    expect(everything).toContain('  ~ /var/db/pkg/sys-libs/lib-1/USE  content (-4 B)');
  });

  it('is the same the other way round, and nothing between a stack and itself', async () => {
    const { packages, files, bytes } = await compare(after, before);
    const there = await compare(before, after);
    expect(bytes).toBe(-there.bytes);
    expect(files.map(({ path }) => path)).toEqual(there.files.map(({ path }) => path));
    expect(packages.map((one) => one.package)).toEqual(there.packages.map((one) => one.package));
    expect(written(await compare(after, after))).toEqual(['a and b hold the same']);
  });

  it('cuts long lists, and says how much it leaves out', async () => {
    const many = await rig.changed(before, 'mkdir srv; for n in $(seq 10 40); do echo $n > srv/$n; done');
    const lines = written(await compare(before, [...before, many]));
    expect(lines.slice(0, 4)).toEqual([
      ...['a → b: +93 B', '  packages: the same', '  files: 32 added'],
      'files of no package, or of packages on both sides',
    ]);
    expect(lines.slice(-2)).toEqual(['  and 12 more', 'everything: --all']);
    expect(lines).toHaveLength(4 + 20 + 2);
  });

  it('writes any name as one line, and counts a file with two names once', async () => {
    const lines = written(await compare([], before), true);
    expect(lines).toContain('  + /home/new\\x0aline  file of 1 B');
    expect(lines).toContain('  + /home/\\xff  file of 0 B');
    expect(lines).toContain('  + /home/web  folder, owner 80:81, user.note 0x01ff');
    expect(lines).toContain('  + /etc/pipe  fifo');
    expect(lines).toContain('  + sys-libs/lib-1  2 files, +2.9 KiB');
  });

  it('finds in a squashfs exactly what its layers hold', async () => {
    for (const layers of [before, after]) {
      expect(written(await compare(layers, [await squashfs(layers)]), true)).toEqual(['a and b hold the same']);
    }
  });

  it('says of a damaged layer that it is one', async () => {
    const [layer] = before;
    const bytes = readFileSync(await rig.store.path(layer!));
    const source = await rig.store.put(bytes.subarray(0, bytes.length - 20), { mediaType: layer!.mediaType });
    const failed = await list(source).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(ActionFailed);
    expect((failed as ActionFailed).report?.message).toMatch(/^the layer cannot be read: /);
  });

  it('knows the packages of an image that leaves their database out', async () => {
    const exclude = ['/var/db'];
    const [left, right] = [await squashfs(before, exclude), await squashfs(after, exclude)];
    const database = (await system(before)).files;
    const told = compareFileSystems(
      { ...(await system([left])), database },
      { ...(await system([right])), database: (await system(after)).files },
    );
    const whole = await compare(before, after);
    expect(told.packages).toEqual(whole.packages);
    expect(told.files).toEqual(whole.files.filter(({ database: isDatabase }) => !isDatabase));
  });
});
