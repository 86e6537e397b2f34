import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Descriptor } from '@strata/store';
import { LayerRig } from './layer-rig.js';
import { repositoryRoot } from './rig.js';

const minutes = 60_000;
const project = 'jq-arm64-prefix';
const extension = 'jq-arm64-sysext';

/** Takes some minutes, and 250 MB of cross compiler: run by `npm test -- --testMatch '**\/*.slow.js'`. */
describe('a prefix for another machine', () => {
  let output: string;

  beforeAll(() => {
    const projects = `--projects=${project},${extension}`;
    const words = ['run-many', '--targets=build,test,export', projects, '--outputStyle=static'];
    const nx = spawnSync(join(repositoryRoot, 'node_modules/.bin/nx'), words, {
      cwd: repositoryRoot,
      encoding: 'utf8',
    });
    output = `${nx.stdout}${nx.stderr}`;
    expect([nx.status, output]).toEqual([0, expect.any(String)]);
  }, 30 * minutes);

  it('holds programs for it, which name its loader below the path', () => {
    const program = `dist/examples/ram-os/${project}/tree/opt/jq/usr/bin/jq`;
    const headers = execFileSync('readelf', ['-hl', program], { cwd: repositoryRoot, encoding: 'utf8' });
    expect(headers).toMatch(/Machine: +AArch64/);
    expect(headers).toContain('/opt/jq/usr/lib64/ld-linux-aarch64.so.1');
  });

  it('runs by qemu-user in a root that has nothing else', () => {
    const file = join(repositoryRoot, `dist/examples/ram-os/${project}/strata/test.json`);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
      outputs: { 'test.txt': { mediaType: 'text/plain' } },
    });
    expect(output).toMatch(/qemu-aarch64 -L .*\/opt\/jq\/usr\/bin\/jq --version/);
  });

  it('is taken by an extension for that machine, which dm-verity accepts', async () => {
    const rig = await LayerRig.make();
    try {
      const file = join(repositoryRoot, `dist/examples/ram-os/${extension}/strata/build.json`);
      const { outputs } = JSON.parse(readFileSync(file, 'utf8')) as { outputs: Record<string, Descriptor> };
      const inputs = Object.entries(outputs).map(([name, artifact]) => ({ kind: 'artifact' as const, name, artifact }));
      const look = `cd /strata/in; veritysetup verify jq.raw jq.verity "$(cat jq.roothash)" && echo verified
        unsquashfs -quiet -no-progress -force -dest /strata/tmp/out jq.raw > /dev/null
        cat /strata/tmp/out/usr/lib/extension-release.d/extension-release.jq
        od --address-radix=n --skip-bytes=18 --read-bytes=2 --format=u2 /strata/tmp/out/opt/jq/usr/bin/jq`;
      expect(await rig.lines(rig.shell(look, { inputs }))).toEqual([
        'verified',
        'ID=_any',
        'ARCHITECTURE=arm64',
        // e_machine, EM_AARCH64
        expect.stringMatching(/^ *183$/),
      ]);
    } finally {
      rig.dispose();
    }
    expect(existsSync(join(repositoryRoot, `dist/examples/ram-os/${extension}/update/jq-1.7.1-arm64.raw`))).toBe(true);
  });
});
