import { readFileSync } from 'node:fs';
import { prebuiltKernelAction, type InitramfsParameters } from '@strata/image';
import { openUserStore, runAction } from '@strata/sandbox';
import type { Descriptor, Store } from '@strata/store';
import type { BootFiles } from '@strata/vm';
import { boot, complaint, exampleKernel, kernelPackage, makeInitramfs, makeMachine, type Kernel } from './machine.js';
import { partitioned } from './partitioned.js';
import { toolchain } from './rig.js';

describe('a kernel and an initramfs', () => {
  const vm = toolchain('vm-toolchain');
  let store: Store;
  let kernel: Kernel;
  let machine: BootFiles;

  beforeAll(async () => {
    store = await openUserStore();
    kernel = await exampleKernel(store);
    machine = await makeMachine(store, kernel);
  });

  /** What a script prints. */
  const lines = async (script: string, files: Readonly<Record<string, Descriptor>>): Promise<string[]> => {
    const printed: string[] = [];
    await runAction(
      store,
      {
        label: 'test:look',
        toolchain: vm,
        inputs: Object.entries(files).map(([name, artifact]) => ({ kind: 'artifact', name, artifact })),
        argv: ['sh', '-euc', script],
        outputs: {},
      },
      { force: true, onEvent: (event) => event.type === 'line' && printed.push(event.line) },
    );
    return printed;
  };

  it('is taken out of its package, the same each time', async () => {
    const action = prebuiltKernelAction({ label: 'test:kernel', toolchain: vm, deb: kernelPackage() });
    expect((await runAction(store, action, { force: true })).result.outputs).toEqual(kernel);
    expect(JSON.parse(await store.readText(kernel['kernel.json']!))).toMatchObject({
      version: expect.stringMatching(/^6\./) as unknown,
      squashfs: expect.arrayContaining(['zstd']) as unknown,
    });
  });

  it('is refused where its config lacks what an image needs, or where there is no kernel', async () => {
    const deb = async (files: string): Promise<Descriptor> => {
      const script = `
        mkdir -p deb/DEBIAN deb/boot; printf 'Package: p\\nVersion: 1\\nArchitecture: all\\nMaintainer: m\\nDescription: d\\n' > deb/DEBIAN/control
        ${files}
        dpkg-deb --build deb /strata/out/kernel.deb`;
      const outputs = { 'kernel.deb': 'application/vnd.debian.binary-package' };
      const inputs = [{ kind: 'artifact', name: 'config', artifact: kernel['config']! } as const];
      const action = { label: 'test:package', toolchain: vm, inputs, argv: ['sh', '-euc', script], outputs };
      return (await runAction(store, action)).result.outputs['kernel.deb']!;
    };
    const refused = async (files: string): Promise<string | undefined> => {
      const action = prebuiltKernelAction({ label: 'test:kernel', toolchain: vm, deb: await deb(files) });
      return (await complaint(runAction(store, action)))[0];
    };
    const without = (options: string): string =>
      `sed -E '/^CONFIG_(${options})=/d' /strata/in/config > deb/boot/config-1; : > deb/boot/vmlinuz-1`;
    expect(await refused(without('SQUASHFS|OVERLAY_FS'))).toBe(
      "the kernel's config lacks CONFIG_OVERLAY_FS, CONFIG_SQUASHFS",
    );
    expect(await refused(without('SQUASHFS_.*'))).toBe(
      "the kernel's config lacks CONFIG_SQUASHFS_ZSTD or CONFIG_SQUASHFS_XZ or CONFIG_SQUASHFS_ZLIB or CONFIG_SQUASHFS_LZ4",
    );
    expect(await refused('')).toBe('the package holds no kernel');
    expect(await refused('cp /strata/in/config deb/boot/config-1')).toBe('the package holds no kernel');
    expect(
      await refused('for n in 1 2; do cp /strata/in/config deb/boot/config-$n; : > deb/boot/vmlinuz-$n; done'),
    ).toBe('the package holds no kernel');
    const other = await store.put('no package', { mediaType: 'application/vnd.debian.binary-package' });
    const action = prebuiltKernelAction({ label: 'test:kernel', toolchain: vm, deb: other });
    expect(await complaint(runAction(store, action))).toEqual(['this is no Debian package']);
  });

  it('has just the modules that its package has, and a description of what it can read', async () => {
    const look = `
      mkdir tree; zstd -dc /strata/in/modules | tar -x -C tree; cd tree; ls -A . usr usr/lib
      cd usr/lib/modules/*; basename $PWD; ls -A | grep -E '^(build|source|modules.dep)$'; find . -name 'virtio_net.ko*'
      grep -c '^kernel/.*/squashfs.ko' modules.dep`;
    const { version, squashfs, initramfs } = JSON.parse(await store.readText(kernel['kernel.json']!)) as Readonly<
      Record<string, unknown>
    >;
    expect(await lines(look, { modules: kernel['modules.tar.zst']! })).toEqual([
      ...['.:', 'usr', '', 'usr:', 'lib', '', 'usr/lib:', 'modules', version, 'modules.dep'],
      ...[expect.stringMatching(/^\.\/kernel\/.*\/virtio_net\.ko/) as unknown, '1'],
    ]);
    expect(squashfs).toEqual(['gzip', 'lz4', 'xz', 'zstd']);
    expect(initramfs).toContain('zstd');
  });

  it('becomes the same initramfs each time, with the modules in the order in which they need each other', async () => {
    // ext4 is built into this kernel
    const include = ['virtio-net', 'ext4', 'squashfs'];
    const made = await makeInitramfs(store, kernel, { include });
    const again = await makeInitramfs(store, kernel, { include }, true);
    expect(again.result.outputs).toEqual(made.result.outputs);
    const look = 'zstd -dc /strata/in/initramfs | cpio --quiet --extract --to-stdout etc/strata-modules';
    const loaded = await lines(look, { initramfs: made.result.outputs['initramfs']! });
    expect(loaded).toEqual(['failover.ko', 'net_failover.ko', 'virtio_net.ko', 'squashfs.ko']);
  });

  it('includes no module that the kernel does not have, and is compressed only as the kernel can read it', async () => {
    const refused = async (changes: Partial<InitramfsParameters>): Promise<string | undefined> =>
      (await complaint(makeInitramfs(store, kernel, changes)))[0];
    expect(await refused({ include: ['squahsfs'] })).toMatch(/^the kernel 6\S+ has no module squahsfs$/);
    expect(await refused({ compression: { algorithm: 'lz4', level: 15 } })).toBe('lz4 has no level 15');
    const old = await store.put('{"version":"1","initramfs":["gzip"],"squashfs":[]}', {
      mediaType: 'application/json',
    });
    expect(await refused({ kernel: old })).toBe('the kernel cannot read an initramfs compressed with zstd');
    expect(await refused({ toolchain: toolchain('toolchain') })).toBe('busybox is missing in the toolchain');
  });

  it('takes any compression, and holds the same files', async () => {
    const list = async (algorithm: 'zstd' | 'gzip' | 'xz' | 'lz4' | 'none', level?: number): Promise<string[]> => {
      const { result } = await makeInitramfs(store, kernel, { compression: { algorithm, level } });
      const command = { zstd: 'zstd -dc', gzip: 'gzip -dc', xz: 'xz -dc', lz4: 'lz4 -dc', none: 'cat' }[algorithm];
      return lines(`${command} /strata/in/initramfs | cpio --quiet --list --verbose --numeric-uid-gid`, {
        initramfs: result.outputs['initramfs']!,
      });
    };
    const listed = await list('none');
    expect(listed).toContainEqual(expect.stringMatching(/^crw------- +1 0 +0 +5, +1 Nov 14 +2023 dev\/console$/));
    expect(listed).toContainEqual(expect.stringMatching(/^-rwxr-xr-x +1 0 +0 +\d+ Nov 14 +2023 init$/));
    for (const [algorithm, level] of [
      ['zstd', 22],
      ['gzip', 9],
      ['xz', 1],
      ['lz4', 12],
    ] as const) {
      expect([algorithm, await list(algorithm, level)]).toEqual([algorithm, listed]);
    }
  });

  it('find their root by the label of its partition', async () => {
    const disk = await store.put(partitioned(readFileSync(await store.path(machine.disk)), 'system'), {
      mediaType: 'application/vnd.strata.disk',
    });
    const commandLine = ['strata.root=LABEL=system', '--', 'an argument'];
    await boot(store, { ...machine, disk, commandLine }, [
      { expect: '/strata: reading \\d+ KiB from \\/dev\\/vda1 into RAM/' },
      { expect: 'strata: starting /sbin/init' },
      { expect: 'ready: an argument' },
      { run: 'mount | grep " / "', output: '/^overlay on / type overlay/' },
    ]);
  });

  it('stop with one line where the disk holds no squashfs', async () => {
    const disk = await store.put(Buffer.alloc(1 << 20), { mediaType: 'application/vnd.strata.disk' });
    const said = await complaint(boot(store, { ...machine, disk }, [{ expect: 'ready' }]));
    expect(said[0]).toBe('step 1 (expect: ready): /dev/vda holds no squashfs');
  });

  it('are typed to at the console: several lines, tabs, quotes, long ones', async () => {
    await boot(store, machine, [
      { expect: 'ready' },
      { run: 'if true; then\n\techo "it\'s" $((6 * 7))%\\\\n\nfi', output: "it's 42%\\n" },
      { run: `echo ${'long '.repeat(400)}| wc -w`, output: '400' },
      { run: 'printf "a\\tb\\n\\nünï"', output: 'a\tb\n\nünï' },
      { run: 'cd /etc' },
      { run: 'pwd; echo "<0>kernel: speaks" > /dev/kmsg; echo told', output: '/^\\/etc\\n(.*speaks\\n)?told$/' },
      { run: 'sh -c "exit 3"', status: 3 },
      { send: 'echo se""nt' },
      { expect: '/^sent$/' },
    ]);
  });
});
