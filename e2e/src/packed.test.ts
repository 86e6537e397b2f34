import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { packAll } from './packed.js';
import { Workspace } from './rig.js';

const minutes = 60_000;

// the store outlives a run of this test: what it builds has to be new each time
const unique = `${process.pid}-${Date.now()}`;

describe('the packed packages', () => {
  it('hold what they need when they run, and no tests', () => {
    const folder = mkdtempSync('/var/tmp/strata-packed-');
    try {
      const packed = packAll(folder);
      const files = packed.flatMap(({ name, files: paths }) => paths.map((path) => `${name}/${path}`));
      expect(files).toEqual(
        expect.arrayContaining([
          'nx-strata/README.md',
          'nx-strata/LICENSE',
          'nx-strata/executors.json',
          'nx-strata/schemas/executor.json',
          'nx-strata/bin/strata.js',
          'nx-strata/dist/index.js',
          '@strata/definitions/schemas/layer.schema.json',
          '@strata/sandbox/guest/pack.py',
          '@strata/sandbox/host/launch.py',
          '@strata/portage/guest/merge.py',
          '@strata/image/guest/compose.py',
          '@strata/vm/guest/boot_test.py',
        ]),
      );
      expect(files.filter((file) => /\.test\.|\.map$|testing|tsbuildinfo|__pycache__|\/src\//.test(file))).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('a monorepo that installs them, beside ordinary JavaScript projects', () => {
  let workspace: Workspace;

  beforeAll(() => {
    workspace = new Workspace('shared', {
      projects: ['vm-toolchain'],
      packages: 'packed',
      files: {
        'package.json': '{ "name": "shop", "private": true, "workspaces": ["libs/*"] }\n',
        'nx.json': '{ "plugins": [{ "plugin": "nx-strata", "options": { "toolchain": "vm-toolchain" } }] }\n',
        '.gitignore': 'dist\nout\n.nx\n*.tgz\n',
        'libs/api/package.json': '{ "name": "@shop/api", "scripts": { "build": "mkdir -p dist && cp src/* dist/" } }\n',
        'libs/api/src/main.js': `console.log("one ${unique}");\n`,
        'libs/site/package.json': '{ "name": "@shop/site", "scripts": { "build": "mkdir -p out && cp src/* out/" } }\n',
        'libs/site/src/index.html': `<p>one ${unique}</p>\n`,
        'os/api-layer/layer.yaml':
          'from: scratch\ntrees:\n  - { source: { task: "@shop/api:build", path: dist }, target: /srv/api }\n',
        'os/api-image/image.yaml': 'layers: [api-layer]\n',
        'os/site-layer/layer.yaml':
          'from: scratch\ntrees:\n  - { source: { task: "@shop/site:build", path: out }, target: /srv/site }\n',
      },
    });
  }, 2 * minutes);

  afterAll(() => {
    workspace.dispose();
  });

  it('shows the projects of both', () => {
    expect(realpathSync(join(workspace.root, 'node_modules/nx-strata'))).toContain(workspace.root);
    expect(workspace.nx(['show', 'projects']).output.split('\n')).toEqual(
      expect.arrayContaining(['@shop/api', '@shop/site', 'vm-toolchain', 'api-layer', 'api-image', 'site-layer']),
    );
    expect(workspace.strata('--help').status).toBe(0);
  });

  it(
    'builds an image that carries what a JavaScript project builds, and again when its source changes',
    () => {
      const first = workspace.nx(['run', 'api-image:build', '--outputStyle=static']);
      expect([first.status, first.output.slice(-3000)]).toEqual([0, expect.stringContaining('/srv/api/main.js')]);
      expect(first.ran.slice(-2)).toEqual(['api-layer:build', 'api-image:build']);
      workspace.write('libs/api/src/main.js', `console.log("two ${unique}");\n`);
      workspace.commit('change the application');
      const range = ['--base=HEAD~1', '--head=HEAD'];
      const affected = workspace.nx(['show', 'projects', '--affected', ...range]).output.split('\n');
      expect(affected).toEqual(expect.arrayContaining(['@shop/api', 'api-layer', 'api-image']));
      expect(affected).not.toContain('site-layer');
      const second = workspace.nx(['affected', '--targets=build', ...range, '--outputStyle=static']);
      expect(second.ran).toEqual(['api-layer:build', 'api-image:build']);
    },
    3 * minutes,
  );

  it('takes no folder of which Nx would not notice that it changes', () => {
    const refused = workspace.nx(['run', 'site-layer:build', '--outputStyle=static']);
    expect(refused.status).toBe(1);
    expect(refused.output).toContain(
      'error: os/site-layer/layer.yaml:2: @shop/site:build left libs/site/out, and does not declare it: Nx would not notice when it changes\n' +
        'hint: add "{workspaceRoot}/libs/site/out" to the `outputs` of @shop/site:build\n',
    );
    workspace.write(
      'libs/site/package.json',
      '{ "name": "@shop/site", "scripts": { "build": "mkdir -p out && cp src/* out/" }, "nx": { "targets": { "build": { "outputs": ["{projectRoot}/out"] } } } }\n',
    );
    expect(workspace.nx(['run', 'site-layer:build', '--outputStyle=static']).ran).toEqual(['site-layer:build']);
    workspace.write('libs/site/src/index.html', `<p>two ${unique}</p>\n`);
    expect(workspace.nx(['run', 'site-layer:build', '--outputStyle=static']).ran).toEqual(['site-layer:build']);
  });
});
