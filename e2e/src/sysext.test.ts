import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { absolutePath, digestOfFile, type AbsolutePath } from '@strata/fingerprint';
import { signatureAction, sysextAction, transferFiles, type SysextParameters } from '@strata/image';
import {
  actionKey,
  ActionFailed,
  runAction,
  type Action,
  type LayerDescriptor,
  type LayerStack,
} from '@strata/sandbox';
import type { Descriptor } from '@strata/store';
import { emulation, extensionTestAction } from '@strata/vm';
import { LayerRig, outputOf, type Files } from './layer-rig.js';
import { repositoryRoot } from './rig.js';

/** A line of a shell script that writes the header of an ELF file of 64 bits, for a machine in octal digits. */
const elf = (file: string, machine: string): string =>
  `mkdir -p usr/lib; printf '\\177ELF\\002\\001\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\${machine}\\0' > ${file}`;

const hello: Files = {
  'usr/bin/hello-extension': '#!/bin/sh\necho hello from an extension\n',
  'usr/lib/hello/again': '-> ../../bin/hello-extension',
  'usr/lib/systemd/system/hello.service':
    "[Service]\nExecStart=/bin/sh -c 'echo running > /run/hello; exec sleep infinity'\n",
  'opt/hello/data': 'data\n'.repeat(5000),
};

/** What a project of the example has left, where it was built before the tests. */
function built(project: string): Readonly<Record<string, Descriptor>> {
  const file = join(repositoryRoot, 'dist/examples/ram-os', project, 'strata/build.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { outputs: Record<string, Descriptor> }).outputs;
}

describe('an extension', () => {
  let rig: LayerRig;
  let folder: AbsolutePath;
  let content: LayerDescriptor;

  beforeAll(async () => {
    rig = await LayerRig.make();
    folder = absolutePath(mkdtempSync('/var/tmp/strata-keys-'));
    content = await rig.compose([], { trees: [await rig.tree(hello)] });
    const words = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '36500', '-subj', '/CN=test'];
    for (const name of ['mine', 'other']) {
      execFileSync('openssl', [...words, '-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.crt`)], {
        stdio: 'ignore',
      });
    }
  }, 60_000);

  afterAll(() => {
    rig.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  const action = (parameters: Partial<SysextParameters> = {}): Action =>
    sysextAction({
      label: 'test:extension',
      toolchain: rig.toolchain,
      layers: [content],
      base: [],
      name: 'hello',
      type: 'sysext',
      release: { ID: '_any', ARCHITECTURE: 'x86-64' },
      services: [],
      architecture: 'x86-64',
      exclude: [],
      format: 'squashfs',
      compression: undefined,
      verity: false,
      ...parameters,
    });

  const refusal = async (failing: Action): Promise<string[]> => {
    const error: unknown = await runAction(rig.store, failing).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ActionFailed);
    const { report } = error as ActionFailed;
    return [report?.message ?? '', ...(report?.details ?? [])];
  };

  it.each([
    ['squashfs', undefined, 'unsquashfs -quiet -no-progress -force -dest /strata/tmp/out /strata/in/image > /dev/null'],
    ['erofs', { algorithm: 'zstd' as const }, 'fsck.erofs --extract=/strata/tmp/out /strata/in/image > /dev/null'],
  ] as const)(
    'is a %s with what systemd reads, the same each time, which dm-verity accepts',
    async (format, compression, unpack) => {
      const parameters = { format, compression, verity: true, services: ['hello.service'] };
      const made = await runAction(rig.store, action(parameters));
      const again = await runAction(rig.store, action(parameters), { force: true });
      expect(again.ran).toBe(true);
      expect(again.result.outputs).toEqual(made.result.outputs);
      const inputs = (['raw', 'verity', 'roothash'] as const).map((name) => ({
        kind: 'artifact' as const,
        name: name === 'raw' ? 'image' : name,
        artifact: outputOf(made, `hello.${name}`),
      }));
      const lines = await rig.lines(
        rig.shell(
          `cd /strata/tmp; mkdir out; ${unpack}; cd out; find . -type f -o -type l | sort
           cat usr/lib/extension-release.d/* usr/lib/systemd/system/multi-user.target.d/*; readlink usr/lib/hello/again
           stat -c '%u %a' usr/bin/hello-extension
           veritysetup verify /strata/in/image /strata/in/verity "$(cat /strata/in/roothash)" && echo verified
           cp /strata/in/image /strata/tmp/damaged; printf x | dd of=/strata/tmp/damaged conv=notrunc seek=1100 bs=1 2> /dev/null
           veritysetup verify /strata/tmp/damaged /strata/in/verity "$(cat /strata/in/roothash)" 2> /dev/null || echo refused`,
          { inputs },
        ),
      );
      expect(lines).toEqual([
        './opt/hello/data',
        './usr/bin/hello-extension',
        './usr/lib/extension-release.d/extension-release.hello',
        './usr/lib/hello/again',
        './usr/lib/systemd/system/hello.service',
        './usr/lib/systemd/system/multi-user.target.d/10-hello.conf',
        'ID=_any',
        'ARCHITECTURE=x86-64',
        '[Unit]',
        'Upholds=hello.service',
        '../../bin/hello-extension',
        '0 755',
        'verified',
        'refused',
      ]);
    },
  );

  it('brings nothing from outside of its places, nor for another machine, nor what belongs to its base', async () => {
    const layer = async (files: Files, below: LayerStack = []): Promise<LayerStack> => [
      ...below,
      await rig.compose(below, { trees: [await rig.tree(files)] }),
    ];
    const outside = await layer({ 'usr/bin/a': 'a\n', 'etc/a.conf': 'a\n', 'var/lib/a/b': 'b\n', bin: '-> usr/bin' });
    expect(await refusal(action({ layers: outside }))).toEqual([
      'the extension has content outside of /usr and /opt',
      '/bin',
      '/etc/a.conf',
      '/var/lib/a/b',
    ]);
    await runAction(rig.store, action({ layers: outside, exclude: ['/etc', '/var/**', '/bin'] }));
    expect(await refusal(action({ layers: outside, type: 'confext', exclude: ['/usr', '/bin'] }))).toEqual([
      'the extension has content outside of /etc',
      '/var/lib/a/b',
    ]);

    const programs = [elf('usr/lib/arm', '267'), elf('usr/lib/here', '076'), elf('usr/lib/bpf', '367')];
    const arm = [await rig.changed([], programs.join('\n'))];
    expect(await refusal(action({ layers: arm }))).toEqual([
      'the extension is for x86-64, and has programs for others',
      '/usr/lib/arm: arm64',
    ]);
    expect(await refusal(action({ layers: arm, architecture: '_any' }))).toEqual([
      'the extension is for any architecture, and has programs for one',
      '/usr/lib/arm: arm64',
      '/usr/lib/here: x86-64',
    ]);

    const below = await layer({ 'usr/bin/tool': 'tool\n', 'usr/bin/gone': 'gone\n', 'usr/lib64': '-> lib' });
    const base = [...below, await rig.changed(below, 'rm usr/bin/gone')];
    const taking = await layer({ 'usr/bin/tool': 'mine\n', 'usr/bin/gone': 'back\n', 'usr/lib64/a/b': 'b\n' });
    expect(await refusal(action({ layers: taking, base }))).toEqual([
      'the extension has files that belong to its base',
      '/usr/bin/tool',
      '/usr/lib64',
      '/usr/lib64/a',
      '/usr/lib64/a/b',
    ]);
    const hidden = 'rm -r usr/share/hidden; mkdir usr/share/hidden; touch usr/share/hidden/new';
    const files = { 'usr/bin/tool': 'tool\n', 'usr/share/gone/a': 'a\n', 'usr/share/hidden/b': 'b\n', 'etc/c': 'c\n' };
    const whole = await layer(files);
    const own = await layer({ 'usr/bin/own': 'own\n' }, whole);
    const less = await rig.changed(own, `rm -r usr/bin/tool usr/bin/own usr/share/gone etc/c; ${hidden}`);
    const deleting = { layers: [...own.slice(1), less], base: whole };
    expect(await refusal(action(deleting))).toEqual([
      'the layers delete what belongs to the base, and an extension cannot',
      '/etc/c',
      '/usr/bin/tool',
      '/usr/share/gone',
      '/usr/share/hidden/b',
    ]);
    await runAction(
      rig.store,
      action({ ...deleting, exclude: ['/etc', '/usr/bin/tool', '/usr/share/{gone,hidden/b}'] }),
    );

    expect(await refusal(action({ services: ['hallo.service'] }))).toEqual(['the extension has no unit hallo.service']);
    expect(await refusal(action({ exclude: ['/usr', '/opt'] }))).toEqual(['the extension has no files']);
    expect(() => action({ format: 'erofs', compression: { algorithm: 'gzip', level: 12 } })).toThrow(
      'gzip has no level 12 in an erofs',
    );
  });

  it('is signed by a key of which nothing is kept but its digest', async () => {
    const { outputs } = (await runAction(rig.store, action({ verity: true }))).result;
    const key = (name: string): AbsolutePath => absolutePath(join(folder, name));
    const sign = (keyFile: string, certificate: string): Action =>
      signatureAction({
        label: 'test:signature',
        toolchain: rig.toolchain,
        rootHash: outputs['hello.roothash']!,
        key: key(keyFile),
        certificate: key(certificate),
        output: 'hello.roothash.p7s',
      });
    const signed = await runAction(rig.store, sign('mine.key', 'mine.crt'));
    const again = await runAction(rig.store, sign('mine.key', 'mine.crt'), { force: true });
    expect(again.result.outputs).toEqual(signed.result.outputs);
    const artifact = outputOf(signed, 'hello.roothash.p7s');
    const verify = (certificate: string): Action =>
      rig.shell(
        `openssl smime -verify -binary -inform der -in /strata/in/p7s -content /strata/in/roothash \
           -certfile /strata/in/crt -nointern -noverify > /dev/null 2>&1 && echo good || echo bad`,
        {
          inputs: [
            { kind: 'artifact', name: 'p7s', artifact },
            { kind: 'artifact', name: 'roothash', artifact: outputs['hello.roothash']! },
            { kind: 'file', name: 'crt', path: key(certificate) },
          ],
        },
      );
    expect([await rig.lines(verify('mine.crt')), await rig.lines(verify('other.crt'))]).toEqual([['good'], ['bad']]);
    const digest = await digestOfFile(key('mine.key'));
    expect((await actionKey(sign('mine.key', 'mine.crt'))).parts['input key.pem']).toMatchObject({ file: digest });
    expect(await rig.store.find(digest, 'text/plain')).toBeUndefined();

    expect(await refusal(sign('mine.key', 'other.crt'))).toEqual(['the key does not fit its certificate']);
    writeFileSync(key('none.key'), 'no key\n');
    expect((await refusal(sign('none.key', 'mine.crt')))[0]).toMatch(/^the key is no private key in PEM/);
    const curve = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    execFileSync('openssl', [...curve, '-subj', '/CN=test', '-keyout', key('ec.key'), '-out', key('ec.crt')], {
      stdio: 'ignore',
    });
    expect((await refusal(sign('ec.key', 'ec.crt')))[0]).toMatch(/^the key is no RSA key/);
  });

  it('is merged by a real systemd, seen by its tools, and leaves nothing; what it refuses, it says why', async () => {
    const made = await runAction(rig.store, action({ verity: true, services: ['hello.service'] }));
    const signature = await runAction(
      rig.store,
      signatureAction({
        label: 'test:signature',
        toolchain: rig.toolchain,
        rootHash: outputOf(made, 'hello.roothash'),
        key: absolutePath(join(folder, 'mine.key')),
        certificate: absolutePath(join(folder, 'mine.crt')),
        output: 'hello.roothash.p7s',
      }),
    );
    const flatcar = action({ name: 'flatcar', release: { ID: 'flatcar', VERSION_ID: '4081.2.0' } });
    const settings = await rig.compose([], { trees: [await rig.tree({ 'etc/hello.conf': 'greeting=hello\n' })] });
    const confext = action({
      name: 'settings',
      type: 'confext',
      format: 'erofs',
      layers: [settings],
      release: { ID: 'debian', VERSION_ID: '13' },
      architecture: '_any',
    });
    const [kernel, image] = [built('kernel'), built('debian-13')];
    const other = 'sh /run/other/extension.sh';
    const update = { name: 'hello', type: 'sysext', architecture: 'x86-64', url: 'file:///run/server', verify: false };
    const transfer = transferFiles({ ...update, type: 'sysext' }, ['hello.raw'])['10-hello-raw.conf'] ?? '';
    const outcome = await runAction(
      rig.store,
      extensionTestAction({
        label: 'test:debian-13',
        toolchain: rig.toolchain,
        system: 'debian-13',
        files: {
          kernel: kernel['vmlinuz']!,
          initramfs: built('debian-initramfs')['initramfs']!,
          disk: image['root.squashfs']!,
          commandLine: [
            'quiet',
            'systemd.condition-needs-update=no',
            'systemd.getty_auto=no',
            'systemd.unit=multi-user.target',
            'systemd.mask=systemd-logind.service',
          ],
          memory: '512M',
          cpus: 2,
        },
        timeoutSeconds: 240,
        logIn: [],
        extension: {
          name: 'hello',
          type: 'sysext',
          files: {
            ...made.result.outputs,
            ...signature.result.outputs,
            ...(await runAction(rig.store, flatcar)).result.outputs,
            ...(await runAction(rig.store, confext)).result.outputs,
          },
          certificate: absolutePath(join(folder, 'mine.crt')),
          services: ['hello.service'],
        },
        steps: [
          { run: 'hello-extension; cat /run/hello', output: 'hello from an extension\nrunning' },
          { run: 'systemctl is-active hello.service', output: 'active' },
          { run: 'dmsetup table | grep -c " verity "', output: '1' },
          {
            run: 'systemd-dissect /etc/extensions/hello.raw',
            output: '/✓ sysext for system[\\s\\S]*squashfs .*external/',
          },
          { run: 'cp -r /run/strata-test /run/other', status: 0 },
          {
            run: `mkdir /run/server /run/updates /var/lib/extensions; cd /run/server; cp /run/other/hello.raw hello-1.0-x86-64.raw
              sha256sum * > SHA256SUMS; cd /; printf '%s' '${transfer}' > /run/updates/10-hello-raw.conf
              /usr/lib/systemd/systemd-sysupdate --definitions=/run/updates update
              readlink -f /var/lib/extensions/hello.raw; cmp /var/lib/extensions/hello.raw /run/other/hello.raw`,
            output: '/\\/var\\/lib\\/extensions\\.d\\/hello\\/hello-1\\.0-x86-64\\.raw$/',
          },
          { run: 'rm -r /var/lib/extensions' },
          {
            run: `${other} merge sysext flatcar`,
            status: 1,
            output: "/flatcar.*is for OS 'flatcar', but deployed on top of 'debian'/",
          },
          { run: `${other} merge confext settings; cat /etc/hello.conf`, output: '/greeting=hello$/' },
          { run: `${other} unmerge confext settings`, output: "Unmerged '/etc'." },
          { run: `touch /etc/left; ${other} unmerge confext settings`, status: 1, output: '/> .*\\/etc\\/left/' },
        ],
        acceleration: emulation,
      }),
    );
    expect(JSON.parse(await rig.store.readText(outputOf(outcome, 'result.json')))).toMatchObject({
      steps: expect.arrayContaining([expect.objectContaining({ title: 'unmerge hello', passed: true })]) as unknown,
    });
  }, 300_000);
});
