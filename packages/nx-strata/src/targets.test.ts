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
