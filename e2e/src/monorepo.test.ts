import { Workspace } from './rig.js';

const minutes = 60_000;

// the store outlives a run of this test: what it builds has to be new each time
const unique = `${process.pid}-${Date.now()}`;

describe('a monorepo that exists', () => {
  let workspace: Workspace;

  beforeAll(() => {
    workspace = new Workspace();
    workspace.write(
      'apps/api/project.json',
      JSON.stringify({
        name: 'api',
        targets: {
          build: {
            command: 'mkdir -p apps/api/dist && cp apps/api/src/main.js apps/api/dist/',
            inputs: ['{projectRoot}/src/**/*'],
            outputs: ['{projectRoot}/dist'],
            cache: true,
          },
        },
      }),
    );
    workspace.write('apps/api/src/main.js', `console.log("one ${unique}");\n`);
    workspace.write(
      'os/api-layer/layer.yaml',
      'name: api-layer\nfrom: scratch\ntoolchain: vm-toolchain\ntrees:\n  - { source: { task: "api:build", path: dist }, target: /srv/api, user: 100, mode: "0640" }\n',
    );
    workspace.write('os/api-image/image.yaml', 'name: api-image\nlayers: [api-layer]\n');
    workspace.commit('an application and an image that carries it');
  });

  afterAll(() => {
    workspace.dispose();
  });

  it(
    'builds an image that carries what another project built',
    () => {
      const { status, output, ran } = workspace.nx(['run', 'api-image:build', '--outputStyle=static']);
      expect([status, output.slice(-3000)]).toEqual([0, expect.anything()]);
      expect(ran).toEqual(expect.arrayContaining(['api-layer:build', 'api-image:build']));
      expect(output).toContain('/srv/api/main.js');
    },
    5 * minutes,
  );

  it(
    'names the image when the project’s source changes, and rebuilds it',
    () => {
      workspace.write('apps/api/src/main.js', `console.log("two ${unique}");\n`);
      workspace.commit('change the application');
      const { output } = workspace.nx([
        'show',
        'projects',
        '--affected',
        '--base=HEAD~1',
        '--head=HEAD',
        '--withTarget=build',
      ]);
      expect(output.split('\n')).toEqual(expect.arrayContaining(['api', 'api-layer', 'api-image']));
      expect(output.split('\n')).not.toContain('ram-os');
      const { ran } = workspace.nx(['run', 'api-image:build', '--outputStyle=static']);
      expect(ran).toEqual(['api-layer:build', 'api-image:build']);
    },
    5 * minutes,
  );

  it(
    'builds nothing after the layer when another project’s output comes out the same',
    () => {
      workspace.append('apps/api/project.json', '\n');
      workspace.write('apps/api/src/unused.js', '// not built\n');
      const { ran } = workspace.nx(['run', 'api-image:build', '--outputStyle=static']);
      expect(ran).toEqual([]);
    },
    5 * minutes,
  );
});
