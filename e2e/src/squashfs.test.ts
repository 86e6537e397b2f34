import { UserError } from '@strata/definitions';
import { parseSizeReport, squashfsAction, type SquashfsParameters } from '@strata/image';
import { runAction, type Action, type LayerDescriptor } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { LayerRig, outputOf, python } from './layer-rig.js';

const content = `
  mkdir -p bin dev var/log home/web usr/share/doc; chmod 1777 var/log; chown 80:81 home/web; chmod 2750 home/web
  echo su > bin/su; chown 0:42 bin/su; chmod 4711 bin/su; ln bin/su bin/also; ln -s ../bin/su home/link
  touch 'home/a name' home/-dash "home/$(printf 'new\\nline')" home/ü; echo doc > usr/share/doc/text; mkfifo dev/pipe
  echo log > var/log/one; echo ping > bin/ping; chmod 0600 home/-dash
  ${python(`import os, struct
os.setxattr('bin/ping', 'security.capability', struct.pack('<IIIII', 0x02000001, 0x400, 0, 0, 0))
os.setxattr('home/web', 'user.note', b'\\x01\\xff')
open(b'home/\\xff', 'w').close()`)}`;

describe('a squashfs', () => {
  let rig: LayerRig;
  let layers: LayerDescriptor[];

  beforeAll(async () => {
    rig = await LayerRig.make();
    const bottom = await rig.changed([], content);
    const node = { type: 'char', major: 1, minor: 3, mode: '0666', uid: 0, gid: 5 } as const;
    const devices = [
      { ...node, path: '/dev/null' },
      { ...node, path: '/dev/sda', type: 'block', major: 8, minor: 0, mode: '0660' } as const,
      { ...node, path: '/usr/share/doc/null' },
    ];
    const top = await rig.compose([bottom], { devices, exclude: ['/var/log/one'] });
    layers = [bottom, top];
  });

  afterAll(() => {
    rig.dispose();
  });

  const action = (changes: Partial<SquashfsParameters> = {}): Action =>
    squashfsAction({
      label: 'test:squashfs',
      toolchain: rig.toolchain,
      layers,
      exclude: [],
      compression: { algorithm: 'zstd', level: 3 },
      ...changes,
    });

  const squashfs = async (changes: Partial<SquashfsParameters> = {}): Promise<Descriptor> =>
    outputOf(await runAction(rig.store, action(changes)), 'root.squashfs');

  const look = async (artifact: Descriptor, script: string): Promise<string[]> =>
    rig.lines(rig.shell(script, { inputs: [{ kind: 'artifact', name: 'squashfs', artifact }] }));

  const listed = async (artifact: Descriptor): Promise<string[]> =>
    look(
      artifact,
      'LC_ALL=C unsquashfs -lln -d "" /strata/in/squashfs | tr -s " " | sed -E "s/^(d\\S+ \\S+) [0-9]+/\\1/"',
    );

  it('has the owners, modes, set-uid bits, links, attributes and devices of its layers', async () => {
    const made = await squashfs();
    const time = '2023-11-14 22:13';
    expect(await listed(made)).toEqual([
      `drwxr-xr-x 0/0 ${time} `,
      `drwxr-xr-x 0/0 ${time} /bin`,
      `-rws--x--x 0/42 3 ${time} /bin/also`,
      `-rw-r--r-- 0/0 5 ${time} /bin/ping`,
      `-rws--x--x 0/42 3 ${time} /bin/su`,
      `drwxr-xr-x 0/0 ${time} /dev`,
      `crw-rw-rw- 0/5 1, 3 ${time} /dev/null`,
      `prw-r--r-- 0/0 0 ${time} /dev/pipe`,
      `brw-rw---- 0/5 8, 0 ${time} /dev/sda`,
      `drwxr-xr-x 0/0 ${time} /home`,
      `-rw------- 0/0 0 ${time} /home/-dash`,
      `-rw-r--r-- 0/0 0 ${time} /home/a name`,
      `lrwxrwxrwx 0/0 9 ${time} /home/link -> ../bin/su`,
      `-rw-r--r-- 0/0 0 ${time} /home/new`,
      'line',
      `drwxr-s--- 80/81 ${time} /home/web`,
      `-rw-r--r-- 0/0 0 ${time} /home/ü`,
      `-rw-r--r-- 0/0 0 ${time} /home/\uFFFD`,
      `drwxr-xr-x 0/0 ${time} /usr`,
      `drwxr-xr-x 0/0 ${time} /usr/share`,
      `drwxr-xr-x 0/0 ${time} /usr/share/doc`,
      `crw-rw-rw- 0/5 1, 3 ${time} /usr/share/doc/null`,
      `-rw-r--r-- 0/0 4 ${time} /usr/share/doc/text`,
      `drwxr-xr-x 0/0 ${time} /var`,
      `drwxrwxrwt 0/0 ${time} /var/log`,
    ]);
    const show = `
      for path in bin/ping home/web; do rdsquashfs -x $path /strata/in/squashfs; done
      for path in bin/su bin/also; do rdsquashfs -s $path /strata/in/squashfs | grep -E 'Inode number|link count'; done
      rdsquashfs -c bin/also /strata/in/squashfs`;
    expect(await look(made, show)).toEqual([
      'security.capability=0x0100000200040000000000000000000000000000',
      'user.note=0x01FF',
      ...['Inode number: 1', 'Hard link count: 2', 'Inode number: 1', 'Hard link count: 2', 'su'],
    ]);
  });

  it('leaves out what it excludes, devices too', async () => {
    const kept = (await listed(await squashfs({ exclude: ['/home/**', '/usr/share/doc', '/dev/s*'] })))
      .map((line) => line.split(' ').at(-1))
      .filter((path) => path !== '');
    expect(kept).toEqual([
      ...['/bin', '/bin/also', '/bin/ping', '/bin/su', '/dev', '/dev/null', '/dev/pipe', '/home', '/usr', '/usr/share'],
      ...['/var', '/var/log'],
    ]);
  });

  it('is the same whoever makes it, on however many cores', async () => {
    const usual = action();
    const made = await runAction(rig.store, usual, { force: true });
    for (const [cores, umask, zone] of [
      ['1', '077', 'Asia/Tokyo'],
      ['7', '000', 'America/New_York'],
    ] as const) {
      // Python takes the number of cores from there
      const elsewhere = `umask ${umask}; export TZ=${zone} PYTHON_CPU_COUNT=${cores}; exec "$@"`;
      const other = await runAction(rig.store, { ...usual, argv: ['sh', '-euc', elsewhere, 'sh', ...usual.argv] });
      expect(other.result.outputs).toEqual(made.result.outputs);
    }
  });

  it('is compressed as it was asked for, or not at all', async () => {
    const shown = async (compression: SquashfsParameters['compression']): Promise<string[]> =>
      look(
        await squashfs({ compression }),
        'unsquashfs -s /strata/in/squashfs | grep -iE "^(compression|.*level|block)"',
      );
    expect(await shown({ algorithm: 'zstd', level: 22, blockSize: '1M' })).toEqual([
      ...['Compression zstd', '\tcompression-level 22', 'Block size 1048576'],
    ]);
    expect(await shown({ algorithm: 'zstd' })).toEqual([
      ...['Compression zstd', '\tcompression-level 3', 'Block size 131072'],
    ]);
    expect(await shown({ algorithm: 'gzip', level: 1, blockSize: '4K' })).toEqual([
      ...['Compression gzip', '\tcompression-level 1', 'Block size 4096'],
    ]);
    expect((await shown({ algorithm: 'xz', level: 9 }))[0]).toBe('Compression xz');
    expect((await shown({ algorithm: 'lz4' }))[0]).toBe('Compression lz4');
    for (const [algorithm, level, words] of [
      ['gzip', 10, 'gzip has no level 10 in a squashfs'],
      ['xz', 10, 'xz has no level 10 in a squashfs'],
      ['zstd', 23, 'zstd has no level 23 in a squashfs'],
      ['zstd', 0, 'zstd has no level 0 in a squashfs'],
      ['lz4', 1, 'lz4 has no levels in a squashfs'],
    ] as const) {
      const made = (): Action => action({ compression: { algorithm, level } });
      expect(made).toThrow(UserError);
      expect(made).toThrow(words);
    }
  });

  it('comes with a report of what takes how much room', async () => {
    const database = `
      mkdir -p usr/lib usr/bin var/db/pkg/app-misc/jq-1.6 var/db/pkg/sys-libs/lib-1 var/db/pkg/virtual/nothing-0
      ln -s usr/lib lib; head -c 5000 /dev/zero > usr/bin/jq; head -c 3000 /dev/zero > usr/lib/liba.so
      head -c 700 /dev/zero > 'usr/lib/a b'; ln usr/lib/liba.so usr/lib/libb.so; ln -s liba.so usr/lib/libc.so
      printf 'dir /usr\\nobj /usr/bin/jq %032d 1\\nobj /usr/bin/gone %032d 1\\n' 0 0 > var/db/pkg/app-misc/jq-1.6/CONTENTS
      printf 'obj /lib/liba.so %032d 1\\nobj /usr/lib/libb.so %032d 1\\nobj /usr/lib/a b %032d 1\\nsym /usr/lib/libc.so -> liba.so 1\\n' 0 0 0 > var/db/pkg/sys-libs/lib-1/CONTENTS
      : > var/db/pkg/virtual/nothing-0/CONTENTS; head -c 90 /dev/zero > own; touch var/db/pkg/stray`;
    const layer = await rig.changed([], database);
    const titled = { ...layer, annotations: { ...layer.annotations, 'dev.strata.title': 'base' } };
    const outcome = await runAction(rig.store, action({ layers: [titled], exclude: ['/var/db/pkg/*/*/CONTENTS.old'] }));
    const report = parseSizeReport(await rig.store.readText(outputOf(outcome, 'report.json')));
    const contents = report.bytes - 5000 - 3000 - 700 - 90;
    expect(report).toMatchObject({
      files: 9,
      packages: { 'app-misc/jq-1.6': 5000, 'sys-libs/lib-1': 3700, 'virtual/nothing-0': 0 },
      unowned: 90 + contents,
      squashfs: outputOf(outcome, 'root.squashfs').size,
      layers: [{ title: 'base', bytes: Number(layer.annotations['dev.strata.uncompressed-size']) }],
    });
    expect(report.largest.slice(0, 3)).toEqual([
      { path: '/usr/bin/jq', bytes: 5000 },
      { path: '/usr/lib/liba.so', bytes: 3000 },
      { path: '/usr/lib/a b', bytes: 700 },
    ]);
  });
});
