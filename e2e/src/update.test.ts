import { Workspace } from './rig.js';

const minutes = 60_000;

describe('a lock file that its mirror has left behind', () => {
  let workspace: Workspace;

  beforeAll(() => {
    workspace = new Workspace();
  });

  afterAll(() => {
    workspace.dispose();
  });

  /** Pins versions that no mirror has, and gives back the lock file as it was. */
  const pinNothing = (file: string, ...names: string[]): string => {
    const before = workspace.read(file);
    const lines = before.split('\n').map((line) =>
      names.some((name) => line.includes(`name: "${name}"`))
        ? line
            .replace(/version: "([^"]+)"/, 'version: "$1.gone"')
            .replace('_amd64.deb', '.gone_amd64.deb')
            .replace(/sha256: "[0-9a-f]{4}/, 'sha256: "0000')
        : line,
    );
    workspace.write(file, lines.join('\n'));
    return before;
  };

  it(
    'is told in one line with one hint, and moved forward by the command that the hint names',
    () => {
      const file = 'os/vm-toolchain/layer.lock.yaml';
      // what the suite has now is what the next one compares with
      expect(workspace.strata('update', 'vm-toolchain')).toMatchObject({
        status: 0,
        output: `${file} is what the suite has now\n`,
      });
      const before = pinNothing(file, 'libstdc++6', 'zstd');
      const gone = workspace.nx(['run', 'vm-toolchain:fetch', '--outputStyle=static']);
      expect(gone.status).not.toBe(0);
      expect(gone.output).toMatch(
        /^error: \S+ no longer has libstdc\+\+6 \S+\.gone, zstd \S+\.gone\nhint: move the lock file forward: npx strata update vm-toolchain$/m,
      );
      expect(gone.output).not.toMatch(/^\s+at /m);
      expect(workspace.strata('update', 'vm-toolchain').status).toBe(0);
      expect(workspace.read(file)).toBe(before);
      expect(workspace.nx(['run', 'vm-toolchain:fetch', '--outputStyle=static']).status).toBe(0);
    },
    6 * minutes,
  );

  it(
    'can be a kernel’s',
    () => {
      const file = 'os/kernel/kernel.lock.yaml';
      workspace.write(file, 'suite: trixie\n');
      const broken = workspace.nx(['run', 'kernel:fetch', '--outputStyle=static']);
      expect(broken.output).toMatch(
        /error: os\/kernel\/kernel\.lock\.yaml is no lock file\nhint: write it anew: npx strata update kernel/,
      );
      expect(workspace.strata('update', 'kernel').status).toBe(0);
      expect(workspace.read(file)).toMatch(/^ {2}- \{ name: "linux-image-6\.\S+-cloud-amd64", version: "6\./m);
      expect(workspace.read(file).split('\n')).toHaveLength(7);
    },
    6 * minutes,
  );

  it(
    'is left alone where its definition asks for what the suite does not have',
    () => {
      const definition = workspace.read('os/kernel/kernel.yaml');
      const lock = workspace.read('os/kernel/kernel.lock.yaml');
      workspace.write('os/kernel/kernel.yaml', definition.replace('linux-image-cloud-amd64', 'linux-image-clod-amd64'));
      expect(workspace.strata('update', 'kernel')).toMatchObject({
        status: 1,
        output: expect.stringMatching(
          /^error: trixie of \S+ has no package linux-image-clod-amd64\nhint: .*\n$/,
        ) as unknown,
      });
      workspace.write('os/kernel/kernel.yaml', definition.replace('trixie', 'trixy'));
      const { status, output } = workspace.strata('update', 'kernel');
      expect(status).toBe(1);
      expect(output).toMatch(/^error: apt-get update failed for trixy of \S+\n( {2}\| E: .*\n)+hint: .*\n$/);
      expect(workspace.read('os/kernel/kernel.lock.yaml')).toBe(lock);
      expect(workspace.strata('update', 'base')).toMatchObject({ status: 1 });
      expect(workspace.strata('update', 'base').output).toMatch(/^error: \S+: base has no lock file\nhint: .*\n$/);
    },
    6 * minutes,
  );
});
