import { devicesOf, tarballAction } from '@strata/image';
import { runAction, type LayerDescriptor } from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { LayerRig, outputOf, python } from './layer-rig.js';
import { complaint } from './machine.js';

/** What a stage3 has, and more: devices, attributes, odd names. Written by Python, since tar cannot make devices here. */
const members = (prefix: string): string => `
import io, os, tarfile
tar = tarfile.open('/strata/out/tarball', 'w', format=tarfile.PAX_FORMAT)
def add(name, content=b'', mode=0o644, **fields):
    info = tarfile.TarInfo('${prefix}' + name)
    info.mode, info.size = mode, len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    tar.addfile(info, io.BytesIO(content))
def folder(name, **fields):
    add(name, type=tarfile.DIRTYPE, **{'mode': 0o755, **fields})`;

const stage = `${members('./')}
folder('', mode=0o751)
for name in ('dev', 'bin', '.config', '.config/..dots', 'usr'):
    folder(name)
add('dev/null', type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666)
add('.dev', type=tarfile.BLKTYPE, devmajor=8, devminor=1, mode=0o660, gid=6)
add('dev/pipe', type=tarfile.FIFOTYPE, mode=0o600)
add('dev/nullish', b'no device')
add('bin/su', b'su', 0o4711, uid=0, gid=42)
add('bin/also', type=tarfile.LNKTYPE, linkname='./bin/su')
add('bin/sh', type=tarfile.SYMTYPE, linkname='../usr/../bin/su')
capability = bytes.fromhex('0100000200040000000000000000000000000000')
headers = {'SCHILY.xattr.user.note': 'ä', 'SCHILY.xattr.security.capability': capability.decode('latin1'),
    'SCHILY.xattr.trusted.other': 'x'}
add('bin/ping', b'ping', 0o755, pax_headers=headers)
add('.config/..dots/-x*', b'x', uid=65535)
tar.close()`;

describe('a tarball', () => {
  let rig: LayerRig;

  beforeAll(async () => {
    rig = await LayerRig.make();
  });

  afterAll(() => {
    rig.dispose();
  });

  const tarball = async (program: string, then = ''): Promise<Descriptor> => {
    const outputs = { tarball: 'application/x-tar' };
    return outputOf(
      await runAction(rig.store, rig.shell(`${python(program)}cd /strata/out; ${then}`, { outputs })),
      'tarball',
    );
  };

  const layerOf = async (artifact: Descriptor, stripTop = false): Promise<LayerDescriptor> => {
    const action = tarballAction({ label: 'test:tarball', toolchain: rig.toolchain, tarball: artifact, stripTop });
    return outputOf(await runAction(rig.store, action), 'layer.tar.zst') as LayerDescriptor;
  };

  it('becomes a layer with its owners, modes, links, attributes and devices, however it is compressed', async () => {
    const plain = await layerOf(await tarball(stage));
    const node = { type: 'char', major: 1, minor: 3, mode: '0666', uid: 0, gid: 0 };
    expect(devicesOf([plain])).toEqual([
      { ...node, path: '/.dev', type: 'block', major: 8, minor: 1, mode: '0660', gid: 6 },
      { ...node, path: '/dev/null' },
    ]);
    const show = `
      stat -c '%n %F %u:%g %a %h' bin/* dev/* .config/..dots/*; readlink bin/sh; ls -A
      ${python(`import os
print(os.getxattr('bin/ping', 'user.note'), os.getxattr('bin/ping', 'security.capability').hex()[8:16])`)}`;
    expect(await rig.look([plain], show)).toEqual([
      'bin/also regular file 0:42 4711 2',
      'bin/ping regular file 0:0 755 1',
      'bin/sh symbolic link 0:0 777 1',
      'bin/su regular file 0:42 4711 2',
      'dev/nullish regular file 0:0 644 1',
      'dev/pipe fifo 0:0 600 1',
      '.config/..dots/-x* regular file 65535:0 644 1',
      ...['../usr/../bin/su', '.config', 'bin', 'dev', 'usr', String.raw`b'\xc3\xa4' 00040000`],
    ]);
    for (const [name, command] of Object.entries({
      gzip: 'gzip -c',
      bzip2: `python3 -c 'import bz2, sys; sys.stdout.buffer.write(bz2.compress(sys.stdin.buffer.read()))'`,
      xz: 'xz -c',
      zstd: 'zstd -qc',
    })) {
      const compressed = await layerOf(await tarball(stage, `${command} < tarball > ${name}; mv ${name} tarball`));
      expect([name, compressed]).toEqual([name, plain]);
    }
  });

  it('may have a top folder that is left out, from the paths of devices too', async () => {
    const program = `${members('linux-1/')}
folder('')
folder('.dev')
add('.dev/zero', type=tarfile.CHRTYPE, devmajor=1, devminor=5)
add('.file', b'x')
tar.close()`;
    const layer = await layerOf(await tarball(program), true);
    expect(devicesOf([layer]).map(({ path }) => path)).toEqual(['/.dev/zero']);
    expect(await rig.look([layer], 'ls -A')).toEqual(['.dev', '.file']);
    const whole = await layerOf(await tarball(program));
    expect(devicesOf([whole]).map(({ path }) => path)).toEqual(['/linux-1/.dev/zero']);
    expect(await rig.look([whole], 'ls -A')).toEqual(['linux-1']);
  });

  it('lies in the layer, also where its names are absolute', async () => {
    const program = `${members('/')}
folder('etc')
add('etc/file', b'x')
add('etc/hard', type=tarfile.LNKTYPE, linkname='/etc/file')
add('etc/null', type=tarfile.CHRTYPE, devmajor=1, devminor=3)
tar.close()`;
    const layer = await layerOf(await tarball(program));
    expect(devicesOf([layer]).map(({ path }) => path)).toEqual(['/etc/null']);
    expect(await rig.look([layer], 'find . | sort; stat -c %h etc/file')).toEqual([
      ...['.', './etc', './etc/file', './etc/hard', '2'],
    ]);
  });

  it('is refused where its names lead out of it, or nobody here can own its files', async () => {
    const refused = async (...lines: string[]): Promise<string | undefined> =>
      (await complaint(layerOf(await tarball([members(''), ...lines, 'tar.close()'].join('\n')))))[0];
    expect(await refused("add('a/../../etc/passwd')")).toBe(
      'the tarball has a name that leads out of it: a/../../etc/passwd',
    );
    expect(await refused("add('a')", "add('b', type=tarfile.LNKTYPE, linkname='../a')")).toBe(
      'the tarball has a name that leads out of it: ../a',
    );
    expect(await refused("add('a', uid=65536)")).toBe('a in the tarball belongs to 65536:0');
    // a symlink is not followed out of it
    expect(await refused("add('a', type=tarfile.SYMTYPE, linkname='/strata/out')", "add('a/x', b'x')")).toBe(
      'the tarball cannot be unpacked',
    );
  });

  it('is refused where it is damaged, cut off, or something else', async () => {
    const large = stage.replace('tar.close()', "add('large', os.urandom(1 << 20))\ntar.close()");
    const refused = async (then: string): Promise<string[]> =>
      complaint(layerOf(await tarball(large, `${then}; mv new tarball`)));
    const half = 'truncate -s 500000 new';
    const plain = ['the tarball is no tar archive, or a damaged one', 'unexpected end of data'];
    expect(await refused(`cp tarball new; ${half}`)).toEqual(plain);
    for (const command of ['gzip', 'xz', 'zstd -q']) {
      const [message, ...words] = await refused(`${command} -c tarball > new; ${half}`);
      expect([command, message, words.length]).toEqual([command, 'the tarball cannot be decompressed', 1]);
      const [damaged] = await refused(
        `${command} -c tarball > new; printf '${'x'.repeat(64)}' | dd of=new bs=1 seek=200 conv=notrunc status=none`,
      );
      expect(damaged).toBe('the tarball cannot be decompressed');
    }
    expect((await refused('echo "<html>not found</html>" > new'))[0]).toBe(plain[0]);
    expect((await refused(': > new'))[0]).toBe(plain[0]);
    // a header in the middle: Python takes it for the end
    const overwrite = `printf '${'x'.repeat(512)}' | dd of=new bs=512 seek=4 conv=notrunc status=none`;
    expect((await refused(`cp tarball new; ${overwrite}`))[0]).toBe('the tarball cannot be unpacked');
  });
});
