import { join } from 'node:path/posix';
import { absolutePath } from '@strata/fingerprint';
import { devicesOf, type ComposedScript, type ComposeParameters } from '@strata/image';
import type { LayerDescriptor } from '@strata/sandbox';
import { complaint } from './machine.js';
import { LayerRig, python, type Files } from './layer-rig.js';

const users = 'root:x:0:0::/root:/bin/sh\nweb:x:80:81::/:/bin/false\n';
const groups = 'root:x:0:\nweb:x:81:\n';

/** A capability as it is set on a file: `cap_net_bind_service=ep`, revision 2. */
const setAttributes = python(`
import os, struct
os.setxattr('tool', 'user.note', bytes(range(256)))
os.setxattr('tool', 'security.capability', struct.pack('<IIIII', 0x02000001, 0x400, 0, 0, 0))`);

describe('the layer of trees and scripts', () => {
  let rig: LayerRig;
  let base: LayerDescriptor;

  beforeAll(async () => {
    rig = await LayerRig.make();
    base = await rig.changed(
      [],
      `
      mkdir -p etc usr/lib private var/log srv; chmod 2750 private; chown 5:6 private
      printf '${users.replaceAll('\n', '\\n')}' > etc/passwd; printf '${groups.replaceAll('\n', '\\n')}' > etc/group
      ln -s usr/lib lib; ln -s /usr/lib lib64; ln -s /etc/passwd link; ln -s ../../../outside away; ln -s gone dangling
      ln -s circle circle; echo old > usr/lib/file; touch var/log/a var/log/b; ln var/log/a var/log/hard`,
    );
  });

  afterAll(() => {
    rig.dispose();
  });

  const scripts = (files: Files): ComposedScript[] => {
    const folder = rig.folder(files);
    return Object.keys(files).map((name) => ({
      name,
      path: absolutePath(join(folder, name)),
      chroot: name.endsWith('.chroot'),
    }));
  };

  it('has git’s modes and belongs to root, where no rule says otherwise', async () => {
    const tree = await rig.tree({ 'srv/api/run': '#!/bin/sh\n', 'srv/api/data': 'x', 'srv/api/to': '-> data' });
    const layer = await rig.compose([base], { trees: [tree] });
    expect(await rig.look([base, layer], `stat -c '%n %u:%g %a' srv/api srv/api/*`)).toEqual([
      'srv/api 0:0 755',
      'srv/api/data 0:0 644',
      'srv/api/run 0:0 755',
      'srv/api/to 0:0 777',
    ]);
    expect((await rig.compose([base], { trees: [tree] }, true)).digest).toBe(layer.digest);
  });

  it('gives owners and modes as the last rule that matches says, field by field', async () => {
    const tree = await rig.tree(
      { 'api/run': '#!/bin/sh\n', 'api/sub/data': 'x', 'api/to': '-> run', 'private/new': 'x', '.hidden/x': '' },
      {
        user: 'web',
        group: 81,
        directoryMode: '0700',
        rules: [
          { match: '**', user: 7 },
          { match: 'api/*', mode: '0750' },
          { match: 'api/run', user: 'root', mode: '4755' },
          { match: 'private', user: 9 },
          { match: '.hidden/**', group: 'root' },
        ],
      },
    );
    const layer = await rig.compose([base], { trees: [tree] });
    expect(
      await rig.look(
        [base, layer],
        `stat -c '%n %u:%g %a' api api/* api/sub/data private private/new .hidden .hidden/x`,
      ),
    ).toEqual([
      'api 7:81 700',
      'api/run 0:81 4755',
      'api/sub 7:81 750',
      'api/to 7:81 777',
      'api/sub/data 7:81 644',
      // a folder of the layer below keeps what no rule names, set-gid bits included
      'private 9:6 2750',
      'private/new 7:81 644',
      '.hidden 7:81 700',
      '.hidden/x 7:0 644',
    ]);
  });

  it('knows the users that its own trees bring, and says which it does not know', async () => {
    const passwd = `${users}db:x:70:70::/:/bin/false\n`;
    const own = await rig.tree({ 'etc/passwd': passwd, data: 'x' }, { rules: [{ match: 'data', user: 'db' }] });
    const next = await rig.tree({ more: 'x' }, { user: 'db' });
    const layer = await rig.compose([base], { trees: [own, next] });
    expect(await rig.look([base, layer], 'stat -c %u data more')).toEqual(['70', '70']);
    const unknown = await rig.tree({ data: 'x' }, { user: 'nobody' });
    expect(await complaint(rig.compose([base], { trees: [unknown] }))).toEqual([
      'the layer has no user nobody in its /etc/passwd',
    ]);
  });

  it('follows symlinks of the layer as the booted system would, and never out of it', async () => {
    const tree = await rig.tree({
      ...{ 'lib/one': '1', 'lib64/two': '2', 'away/three': '3', 'dangling/four': '4', link: 'a file now' },
      ...{ 'usr/lib/file': '-> /etc/passwd', 'usr/lib/again': '-> nowhere' },
    });
    const over = await rig.tree({ 'lib/again': '-> somewhere' });
    const layer = await rig.compose([base], { trees: [tree, over] });
    expect(
      await rig.look(
        [base, layer],
        'for path in lib lib64 away dangling usr/lib/file usr/lib/again; do readlink $path; done; ' +
          'cat usr/lib/one usr/lib/two outside/three gone/four link; echo; grep -c . etc/passwd; ls',
      ),
    ).toEqual([
      ...['usr/lib', '/usr/lib', '../../../outside', 'gone', '/etc/passwd', 'somewhere'],
      ...['1234a file now', '2'],
      ...[
        'away',
        'circle',
        'dangling',
        'etc',
        'gone',
        'lib',
        'lib64',
        'link',
        'outside',
        'private',
        'srv',
        'usr',
        'var',
      ],
    ]);
  });

  it('is refused where a folder and a file meet, or symlinks lead in a circle', async () => {
    const refused = async (files: Files, target = '/'): Promise<string | undefined> =>
      (await complaint(rig.compose([base], { trees: [await rig.tree(files, { target })] })))[0];
    expect(await refused({ 'etc/passwd/x': '' })).toBe(
      '/etc/passwd is no folder in the layer below, and one in the tree',
    );
    expect(await refused({ 'usr/lib': '' })).toBe('/usr/lib is a folder in the layer below, and none in the tree');
    expect(await refused({ x: '' }, '/etc/passwd/deep/er')).toBe(
      '/etc/passwd/deep/er lies below what is no folder in the layer below',
    );
    expect(await refused({ 'circle/x': '' })).toBe('/circle has too many symlinks');
  });

  it('takes trees and scripts with the same names one after the other', async () => {
    const trees = [await rig.tree({ same: 'one', first: '1' }), await rig.tree({ same: 'two', second: '2' })];
    const both = [
      ...scripts({ 'set-up': 'cat same >> "$ROOT/log"' }),
      ...scripts({ 'set-up': 'echo 2 >> "$ROOT/log"' }),
    ];
    const layer = await rig.compose([base], { trees, scripts: both });
    expect(await rig.look([base, layer], 'cat same first second log')).toEqual(['two12two2']);
  });

  it('runs scripts in the toolchain, or inside of the layer', async () => {
    const shell = await rig.changed([base], 'mkdir bin; cp /usr/bin/busybox bin; ln -s busybox bin/sh');
    const layer = await rig.compose([base, shell], {
      scripts: scripts({
        'attributes.sh': `cd "$ROOT"; echo x > tool; ln tool hard; chown 33:42 tool; chmod 4755 tool\n${setAttributes}`,
        'program.py':
          '#!/usr/bin/env python3\nimport os\nopen(os.environ["ROOT"] + "/python", "w").write(os.getcwd())\n',
        'inside.chroot':
          '#!/bin/sh\nset -e\nexport PATH=/bin\n/bin/busybox test -c /dev/null; /bin/busybox test -d /proc/self\n' +
          'echo $ROOT $PWD > inside; /bin/busybox chown web inside; /bin/busybox rm /var/log/hard\n',
      }),
    });
    const show = `
      cat python inside; echo; stat -c '%n %u:%g %a %h' hard inside tool; ls; ls var/log
      ${python(`import os
print(os.getxattr('hard', 'user.note') == bytes(range(256)), os.getxattr('hard', 'security.capability').hex()[:16])`)}`;
    expect(await rig.look([base, shell, layer], show)).toEqual([
      '/strata/root/ /',
      '',
      'hard 33:42 4755 2',
      'inside 80:0 644 1',
      'tool 33:42 4755 2',
      ...['away', 'bin', 'circle', 'dangling', 'etc', 'hard', 'inside', 'lib', 'lib64', 'link', 'private', 'python'],
      ...['srv', 'tool', 'usr', 'var', 'a', 'b'],
      expect.stringMatching(/^True 0100000[23]00040000$/) as unknown as string,
    ]);
  });

  it('shows the last words of a script that fails, and a process that one has left', async () => {
    const failing = (script: string): Promise<string[]> =>
      complaint(rig.compose([base], { scripts: scripts({ 'broken.sh': script }) }));
    expect(await failing('for i in $(seq 40); do echo line $i; done; echo oh no >&2; exit 3')).toEqual([
      'the script broken.sh ended with status 3',
      ...Array.from({ length: 11 }, (_, index) => `line ${30 + index}`),
      'oh no',
    ]);
    expect(await failing('printf "without an end"; kill -9 $$')).toEqual([
      'the script broken.sh ended by signal 9',
      'without an end',
    ]);
    expect(await failing('echo started; sleep 1000 &')).toEqual([
      'the script broken.sh left a process running',
      'started',
    ]);
    const inside = scripts({ 'inside.chroot': '#!/bin/nothing\n' });
    expect((await complaint(rig.compose([base], { scripts: inside })))[0]).toBe(
      'the script inside.chroot ended with status 127',
    );
  });

  it('does not keep what it excludes, of its parents either', async () => {
    const tree = await rig.tree({ 'srv/doc/a.txt': '', 'srv/doc/deep/b.txt': '', 'srv/doc/c.md': '', 'srv/[x]': '' });
    const exclude = ['/var/log', '/srv/**/*.txt', '/private/**', '/lib', '/etc/{group,shadow}', '/srv/[[]x]'];
    const layer = await rig.compose([base], { trees: [tree], exclude });
    expect(await rig.look([base, layer], 'find . | sort; cat usr/lib/file')).toEqual([
      ...['.', './away', './circle', './dangling', './etc', './etc/passwd', './lib64', './link', './private'],
      ...[
        './srv',
        './srv/doc',
        './srv/doc/c.md',
        './srv/doc/deep',
        './usr',
        './usr/lib',
        './usr/lib/file',
        './var',
        'old',
      ],
    ]);
  });

  it('has device nodes in its tar and beside it', async () => {
    const device = { type: 'char', major: 1, minor: 3, mode: '0666', uid: 0, gid: 5 } as const;
    const pipe = { path: '/dev/pipe', type: 'fifo', major: 0, minor: 0, mode: '0600', uid: 7, gid: 0 } as const;
    const devices = [{ ...device, path: '/dev/null' }, pipe];
    const layer = await rig.compose([base], { devices });
    expect(devicesOf([base, layer])).toEqual(devices);
    const show = `zstd -dc /strata/in/layer > plain.tar; ${python(`
import tarfile
for info in tarfile.open('plain.tar'):
    print(info.name, info.type, info.devmajor, info.devminor, oct(info.mode), info.uid, info.gid)`)}`;
    const input = { kind: 'artifact', name: 'layer', artifact: layer } as const;
    expect(await rig.lines(rig.shell(show, { inputs: [input] }))).toEqual([
      "dev b'5' 0 0 0o755 0 0",
      "dev/null b'3' 1 3 0o666 0 5",
      "dev/pipe b'6' 0 0 0o600 7 0",
    ]);
    const twice = [
      { ...device, path: '/dev/null' },
      { ...pipe, path: '/dev/null' },
    ];
    expect(await complaint(rig.compose([base], { devices: twice }))).toEqual(['a device node is declared twice']);
    const below = [{ ...device, path: '/etc/passwd/null' }];
    expect(await complaint(rig.compose([base], { devices: below }))).toEqual([
      '/etc/passwd/null under `devices:` lies below what is no folder',
    ]);
  });

  it('loses the devices of its parents that it excludes, replaces, or whose folder it removes', async () => {
    const node = { type: 'char', major: 1, minor: 3, mode: '0666', uid: 0, gid: 0 } as const;
    const paths = ['/dev/a', '/dev/b', '/dev/deep/c', '/other/d', '/gone/e', '/lib/f'];
    const parent = await rig.compose([base], { devices: paths.map((path) => ({ ...node, path })) });
    const left = async (parts: Partial<ComposeParameters>): Promise<string> => {
      const layer = await rig.compose([base, parent], parts);
      return devicesOf([base, parent, layer])
        .map(({ path, minor }) => `${path} ${minor}`)
        .join(', ');
    };
    const all = '/dev/a 3, /dev/b 3, /dev/deep/c 3, /gone/e 3, /other/d 3, /usr/lib/f 3';
    expect(await left({ trees: [await rig.tree({ 'dev/file': '', 'usr/lib/g': '' })] })).toBe(all);
    expect(await left({ exclude: ['/dev/a', '/other/**'] })).toBe('/dev/b 3, /dev/deep/c 3, /gone/e 3, /usr/lib/f 3');
    expect(await left({ exclude: ['/dev', '/other', '/gone', '/usr'] })).toBe('');
    const script = 'cd "$ROOT"; rm -r dev gone; mkdir dev; touch other/d usr/lib/f';
    expect(await left({ scripts: scripts({ 'change.sh': script }) })).toBe('');
    const again = { ...node, path: '/dev/a', minor: 5 };
    expect(await left({ devices: [again], exclude: ['/dev/b'] })).toBe(
      '/dev/a 5, /dev/deep/c 3, /gone/e 3, /other/d 3, /usr/lib/f 3',
    );
    // the same for who reads the tar and knows nothing of annotations
    const layer = await rig.compose([base, parent], {
      exclude: ['/dev/{a,deep}'],
      devices: [{ ...node, path: '/dev/b' }],
    });
    const list = 'zstd -dc /strata/in/layer > plain.tar; tar -tf plain.tar';
    expect(
      await rig.lines(rig.shell(list, { inputs: [{ kind: 'artifact', name: 'layer', artifact: layer }] })),
    ).toEqual(['dev/', 'dev/.wh.a', 'dev/.wh.deep', 'dev/b']);
  });

  it('replaces and deletes what any of thirty layers below it have', async () => {
    const layers = [base];
    for (let index = 0; index < 30; index++) {
      const tree = await rig.tree({ [`stack/${index}/own`]: `${index}`, 'stack/top': `${index}` });
      const parts =
        index % 10 === 9
          ? {
              scripts: scripts({
                'new.sh': `rm -r "$ROOT/stack"; mkdir "$ROOT/stack"; echo ${index} > "$ROOT/stack/new"`,
              }),
            }
          : { trees: [tree] };
      layers.push(await rig.compose(layers, parts));
    }
    expect(await rig.look(layers.slice(0, -1), 'find stack | sort | wc -l; cat stack/top stack/new')).toEqual([
      '21',
      '2819',
    ]);
    expect(await rig.look(layers, 'find stack')).toEqual(['stack', 'stack/new']);
  }, 360_000);
});
