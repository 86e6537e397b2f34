import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { WorkspaceContext } from 'nx/src/native/index.js';
import { readDefinition, type PlacedDefinition } from '@strata/definitions';
import { Model } from './model.js';
import { inferProject } from './targets.js';

function placed(file: string, text: string): PlacedDefinition {
  const read = readDefinition(file, text);
  if (!read.ok) {
    throw new Error(read.problems.map(({ message }) => message).join('\n'));
  }
  const { definition, place } = read;
  return { file, root: file.slice(0, file.lastIndexOf('/')), name: definition.name ?? '', definition, place };
}

describe('the project of an extension', () => {
  const bootable = (name: string): PlacedDefinition =>
    placed(
      `os/${name.replace('@', '')}/image.yaml`,
      `name: "${name}"\nlayers: [base]\nkernel: kernel\ninitramfs: initramfs\n`,
    );
  const extension = placed(
    'os/jq/sysext.yaml',
    `name: jq
from: { layers: [tools] }
verity: { key: ~/keys/jq's.key, certificate: jq.crt }
test: { on: [debian, "@acme/flatcar"], steps: [{ run: jq --version }] }
`,
  );
  const model = new Model([extension, bootable('debian'), bootable('@acme/flatcar')], {
    toolchain: 'toolchain',
    vm: { toolchain: 'vm' },
  });
  const { targets = {} } = inferProject(model, extension, {}, new Map());

  it('has a cached test for each image, and one that stands for all of them', () => {
    expect(Object.keys(targets)).toEqual(['build', 'test-debian', 'test-acme-flatcar', 'test', 'export']);
    expect(targets['test-acme-flatcar']).toMatchObject({
      executor: 'nx-strata:test',
      options: { target: 'test-acme-flatcar' },
      cache: true,
      outputs: ['{workspaceRoot}/dist/os/jq/strata/test-acme-flatcar.json'],
    });
    expect(targets['test']?.dependsOn).toEqual([
      { projects: ['jq'], target: 'test-debian' },
      { projects: ['jq'], target: 'test-acme-flatcar' },
    ]);
    expect(targets['test-debian']?.dependsOn).toEqual(
      ['jq', 'debian', 'kernel', 'initramfs', 'vm'].map((project) => ({ projects: [project], target: 'build' })),
    );
  });

  it('is packed anew for another key, of which Nx sees the digest only', () => {
    expect(targets['build']?.inputs).toContainEqual({
      runtime: `sha256sum < "$HOME"/'keys/jq'\\''s.key' 2> /dev/null || true`,
    });
    expect(targets['build']?.inputs).toContainEqual({ fileset: '{workspaceRoot}/os/jq/jq.crt' });
    expect(targets['test-debian']?.inputs).toContainEqual({ fileset: '{workspaceRoot}/os/debian/image.yaml' });
  });
});

describe('a folder whose name is a pattern', () => {
  it.each(['(app)', '[slug]', '{a,b}', 'a+(b)', '@(a)', '!(a)', 'a\\b', 'a*', 'a?', 'a|b'])(
    '%s: Nx hashes what lies in it, and nothing else',
    (name) => {
      const file = `os/${name}/layer.yaml`;
      const layer = placed(file, 'name: app\nfrom: scratch\ntoolchain: vm\ntrees: [{ source: tree, target: / }]\n');
      const { targets = {} } = inferProject(new Model([layer], {}), layer, {}, new Map());
      const globs = (targets['build']?.inputs ?? []).flatMap((input) =>
        typeof input === 'object' && 'fileset' in input ? [input.fileset.replace('{workspaceRoot}/', '')] : [],
      );
      const root = mkdtempSync('/var/tmp/strata-globs-');
      try {
        for (const path of [file, `os/${name}/tree/file`, 'os/a/tree/file', 'os/ab/tree/file', 'os/s/tree/file']) {
          mkdirSync(dirname(join(root, path)), { recursive: true });
          writeFileSync(join(root, path), '');
        }
        const found = new WorkspaceContext(root, join(root, '.nx')).glob(globs);
        expect(found.sort()).toEqual([file, `os/${name}/tree/file`]);
      } finally {
        rmSync(root, { recursive: true });
      }
    },
  );
});
