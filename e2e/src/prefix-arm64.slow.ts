import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './rig.js';

const minutes = 60_000;
const project = 'jq-arm64-prefix';

/** Takes some minutes, and 250 MB of cross compiler: run by `npm test -- --testMatch '**\/*.slow.js'`. */
describe('a prefix for another machine', () => {
  let output: string;

  beforeAll(() => {
    const words = ['run-many', '--targets=build,test,export', `--projects=${project}`, '--outputStyle=static'];
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
});
