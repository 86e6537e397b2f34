import { chmodSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { layerMediaType, packScript, scriptInput } from './index.js';
import { asLayer, Rig } from './testing/rig.js';

describe('a layer', () => {
  let rig: Rig;

  beforeAll(async () => {
    rig = await Rig.make();
  });

  afterAll(() => rig.dispose());

  it('carries owners, modes, attributes and links to whoever stands on it', async () => {
    const make = `
      mkdir -p a/empty; chmod 2750 a/empty; echo text > a/tool; chown 33:42 a/tool; chmod 4755 a/tool
      ln a/tool a/hard; ln -s ${'long/'.repeat(60)}target a/soft; chown -h 7:8 a/soft; mkfifo a/pipe
      python3 - <<'END'
import os, struct
os.setxattr('a/hard', 'user.note', bytes(range(256)))
capability = struct.pack('<IIIII', 0x02000001, 0x400, 0, 0, 0)
open('a/ping', 'w').close()
os.setxattr('a/ping', 'security.capability', capability)
END`;
    const show = `
      cd /strata/root
      stat -c '%n %F %u:%g %a %h' a/*; readlink a/soft
      python3 - <<'END'
import os
print(os.getxattr('a/tool', 'user.note') == bytes(range(256)))
print(os.getxattr('a/ping', 'security.capability').hex())
END`;
    const layer = await rig.pack([], make);
    const expected = [
      'a/empty directory 0:0 2750 2',
      'a/hard regular file 33:42 4755 2',
      'a/ping regular empty file 0:0 644 1',
      'a/pipe fifo 0:0 644 1',
      'a/soft symbolic link 7:8 777 1',
      'a/tool regular file 33:42 4755 2',
      `${'long/'.repeat(60)}target`,
      'True',
    ];
    const printed = await rig.lines(show, { rootfs: { lower: [layer] } });
    expect(printed.slice(0, -1)).toEqual(expected);
    // a namespace whose root is the machine's own reads what it wrote; others read revision 2
    expect(printed.at(-1)).toMatch(/^010000020004000000000000000000000000000000000000$|^0100000200040000(00){12}$/);
    const again = await rig.pack([layer], 'touch -h a/soft; chmod 4755 a/tool; mkfifo b');
    expect((await rig.pack([layer], 'mkfifo b; chmod 4755 a/tool; touch -h a/soft')).digest).toBe(again.digest);
  });

  it('carries any name, and a path of any length', async () => {
    const make = `
      python3 - <<'END'
import os
for name in (b'\\xff\\xfe', 'ä'.encode(), b'new\\nline', b'a b', b'=', b'x' * 255):
    open(name, 'wb').write(name)
os.makedirs('/'.join(['y' * 200] * 15))
END`;
    const show = `
      cd /strata/root
      python3 - <<'END'
import os
print(sorted(name for name in os.listdir(b'.') if os.path.isfile(name) and open(name, 'rb').read() == name))
print(max(len(path) for path, _, _ in os.walk('.')))
END`;
    const printed = await rig.lines(show, { rootfs: { lower: [await rig.pack([], make)] } });
    expect(printed).toEqual([
      `[b'=', b'a b', b'new\\nline', b'${'x'.repeat(255)}', b'\\xc3\\xa4', b'\\xff\\xfe']`,
      `${15 * 201 + 1}`,
    ]);
  });

  it('is packed in memory that does not grow with the number of files', async () => {
    const measure = `
      python3 - <<'END'
import io, os, sys, tracemalloc
sys.path.insert(0, '/strata/in/bin')
import pack
class Nowhere(io.RawIOBase):
    def writable(self):
        return True
    def write(self, data):
        return len(data)
def peak(folders):
    for number in range(folders):
        os.makedirs(f'tree/a long enough name {number}', exist_ok=True)
        for file in range(250):
            open(f'tree/a long enough name {number}/the name of a file {file}', 'w').close()
    tracemalloc.start()
    pack.write_tar(pack.tree_entries('tree', None), Nowhere())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most
peak(1)
print((peak(32) - peak(4)) // 1024 < 512)
END`;
    expect(await rig.lines(measure, { inputs: [scriptInput('pack.py', packScript)] })).toEqual(['True']);
  });

  it('has its entries in the order of the bytes of their paths, hard links behind what they name', async () => {
    const make = `
      mkdir -p a a-b a0; echo x > a/z; ln a/z a-b/z; ln a/z a.file; ln a/z a0/z; ln -s a a-link; touch a/b 'a b'
      python3 -c "open(b'\\xff', 'w'); open('\\uffee', 'w'); open('\\U0001f600', 'w')"`;
    const layer = await rig.pack([], make);
    const list = `
      zstd -dc /strata/in/layer > plain.tar
      python3 - <<'END'
import os, tarfile
for info in tarfile.open('plain.tar', errors='surrogateescape'):
    print(ascii(os.fsencode(info.name))[2:-1], info.linkname)
END`;
    const inputs = [{ kind: 'artifact', name: 'layer', artifact: layer } as const];
    expect((await rig.lines(list, { inputs })).map((line) => line.trimEnd())).toEqual([
      ...['a', 'a b', 'a-b', 'a-b/z', 'a-link a', 'a.file a-b/z', 'a/b', 'a/z a-b/z', 'a0', 'a0/z a-b/z'],
      ...['\\xef\\xbf\\xae', '\\xf0\\x9f\\x98\\x80', '\\xff'],
    ]);
  });

  it('deletes and replaces what is below it', async () => {
    const bottom = await rig.pack(
      [],
      'mkdir -p kept gone opaque/deep; touch kept/file kept/other gone/file opaque/old',
    );
    const top = await rig.pack([bottom], 'rm -r gone kept/other opaque; mkdir opaque; touch opaque/new; mv kept moved');
    const show = 'cd /strata/root; find . | sort';
    expect(await rig.lines(show, { rootfs: { lower: [bottom, top] } })).toEqual([
      ...['.', './moved', './moved/file', './opaque', './opaque/new'],
    ]);
    // the same tar, whether the changes were made on the layer or on an unpacked copy of the changes
    const copy = await rig.pack([bottom, top], 'touch -c moved; rm opaque/new; touch opaque/new');
    expect(await rig.lines(show, { rootfs: { lower: [bottom, top, copy] } })).toContain('./opaque/new');
  });

  it('stands on forty others', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `layer-${index}`);
    const make = `
      python3 - <<'END'
import os, sys
sys.path.insert(0, '/strata/in/bin')
import pack
for name in '${names.join(' ')}'.split():
    os.makedirs(f'upper/{name}')
    for file in (name, 'top'):
        open(f'upper/{name}/{file}', 'w').write(name)
    pack.pack_layer(pack.delta_entries(f'upper/{name}'), name, [])
END`;
    const outputs = Object.fromEntries(names.map((name) => [name, layerMediaType]));
    const { result } = await rig.run(rig.shell(make, { inputs: [scriptInput('pack.py', packScript)], outputs }));
    const layers = names.map((name) => asLayer(result.outputs[name]));
    const printed = await rig.lines('cd /strata/root; ls | wc -l; cat top', { rootfs: { lower: layers } });
    expect(printed).toEqual(['41', 'layer-39']);
  });

  it('refuses names that mean deletions', async () => {
    await expect(rig.pack([], 'touch .wh.name')).rejects.toMatchObject({
      report: { message: expect.stringContaining('/.wh.name') as unknown },
    });
  });

  it('is not taken for whole when its bytes are damaged', async () => {
    const layer = await rig.pack([], 'head -c 100000 /dev/urandom > file');
    const file = await rig.store.path(layer);
    const times = statSync(file);
    chmodSync(file, 0o644);
    writeFileSync(file, Buffer.alloc(layer.size, 'damaged'));
    // as a disk does it that loses bits by itself: nothing tells that the file is another
    utimesSync(file, times.atime, times.mtime);
    const use = rig.lines('ls /strata/root', { rootfs: { lower: [layer] } });
    await expect(use).rejects.toThrow('is damaged');
    const trees = await rig.store.status();
    await expect(rig.lines('ls /strata/root', { rootfs: { lower: [layer] } })).rejects.toThrow('is damaged');
    expect((await rig.store.status()).trees).toEqual(trees.trees);
  });
});
