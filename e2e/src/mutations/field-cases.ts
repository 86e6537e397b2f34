import { field, type Case } from './case.js';
import { packagesOfPrefix } from './graph.js';
import { configured, extra, image } from './subjects.js';
import { otherDigest } from './workspace.js';

const initramfs = 'os/own-initramfs/initramfs.yaml';
const kernel = 'os/own-kernel/kernel.yaml';
const prefix = 'os/own-prefix/prefix.yaml';
const prefixTasks = ['own-prefix:merge', 'own-prefix:build', 'own-prefix:test'];
const wholePrefix = ['own-prefix:plan', ...packagesOfPrefix, ...prefixTasks];
const imageBoth = ['own-image:build'];
/** Tests on what boots in the same way. */
const imageBooted = ['own-image:test', 'own-sysext:test-own-image'];

/** Every field of the definitions, but those of extensions. */
export const fieldCases: readonly Case[] = [
  // every definition
  ...(
    [
      ['repository', 'os/overlay/repository.yaml'],
      ['layer', extra],
      ['kernel', kernel],
      ['initramfs', initramfs],
      ['image', image],
      ['prefix', prefix],
    ] as const
  ).flatMap(([kind, path]) => [
    field(kind, 'description', path, ['description'], 'Other words', []),
    field(kind, 'tags', path, ['tags'], ['other'], []),
  ]),
  field('repository', 'name', 'os/remote-git/repository.yaml', ['name'], 'renamed', [
    'renamed:fetch',
    'remote-git:fetch',
  ]),
  field('layer', 'name', 'os/stage/layer.yaml', ['name'], 'renamed', ['renamed:build', 'stage:build']),
  field('kernel', 'name', kernel, ['name'], 'renamed', ['renamed:build', 'own-kernel:build']),
  field('initramfs', 'name', initramfs, ['name'], 'renamed', ['renamed:build', 'own-initramfs:build'], {
    refuses: ['own-image:test'],
  }),
  field(
    'image',
    'name',
    image,
    ['name'],
    'renamed',
    ['renamed:build', 'renamed:test', 'own-image:build', 'own-image:test'],
    { refuses: ['own-sysext:test-own-image'] },
  ),

  // repositories
  field('repository', 'priority', 'os/overlay/repository.yaml', ['priority'], 20, [
    'configured:plan',
    'configured:app-arch/lz4',
    'configured:merge',
  ]),
  field('repository', 'source.folder', 'os/overlay/repository.yaml', ['source', 'folder'], 'metadata', [
    'configured:plan',
    'configured:app-arch/lz4',
    'configured:merge',
    ...wholePrefix,
  ]),
  field('repository', 'source.git', 'os/remote-git/repository.yaml', ['source', 'git'], 'file:///other.git', [
    'remote-git:fetch',
  ]),
  field('repository', 'source.commit', 'os/remote-git/repository.yaml', ['source', 'commit'], 'f'.repeat(40), [
    'remote-git:fetch',
  ]),
  field(
    'repository',
    'source.tarball',
    'os/remote-tarball/repository.yaml',
    ['source', 'tarball'],
    'file:///other.tar',
    [],
  ),
  field('repository', 'source.digest', 'os/remote-tarball/repository.yaml', ['source', 'digest'], otherDigest('a'), [
    'remote-tarball:fetch',
  ]),

  // layers
  field('layer', 'toolchain', extra, ['toolchain'], 'kernel-toolchain', ['extra:build']),
  field('layer', 'from', extra, ['from'], 'tools', ['extra:build', 'own-image:build']),
  field('layer', 'from.tarball', 'os/stage/layer.yaml', ['from', 'tarball'], 'file:///other.tar.xz', []),
  field('layer', 'from.digest', 'os/stage/layer.yaml', ['from', 'digest'], otherDigest('b'), ['stage:build']),
  ...(
    [
      ['suite', 'bookworm'],
      ['components', ['main', 'contrib']],
      ['packages', ['gcc']],
      ['wheels', ['portage==3.0.82']],
    ] as const
  ).map(([name, value]) =>
    field('layer', `from.debian.${name}`, 'os/toolchain/layer.yaml', ['from', 'debian', name], value, [], {
      refuses: ['toolchain:build'],
    }),
  ),
  field(
    'layer',
    'from.debian.mirror',
    'os/toolchain/layer.yaml',
    ['from', 'debian', 'mirror'],
    'http://127.0.0.1/debian',
    [],
  ),
  field('layer', 'from.debian.lock', 'os/toolchain/layer.yaml', ['from', 'debian', 'lock'], 'other.lock.yaml', [], {
    refuses: ['toolchain:build'],
  }),
  field(
    'layer',
    'repositories',
    configured,
    ['repositories'],
    [],
    ['configured:plan', 'configured:app-arch/lz4', 'configured:merge'],
  ),
  field('layer', 'profile', configured, ['profile'], 'main:other', [
    'configured:plan',
    'configured:app-arch/lz4',
    'configured:merge',
  ]),
  field(
    'layer',
    'packages',
    configured,
    ['packages'],
    ['app-arch/lz4', 'dev-lang/lua'],
    ['configured:plan', 'configured:dev-lang/lua', 'configured:merge'],
  ),
  field('layer', 'portageConfig', configured, ['portageConfig'], undefined, [
    'configured:plan',
    'configured:app-arch/lz4',
    'configured:merge',
  ]),
  field('layer', 'trees[].source', extra, ['trees', 0, 'source'], '../stage/tree', ['extra:build']),
  field('layer', 'trees[].source.task', extra, ['trees', 1, 'source', 'task'], 'site:other', [], {
    refuses: ['extra:build'],
  }),
  field('layer', 'trees[].source.path', extra, ['trees', 1, 'source', 'path'], 'other', [], {
    refuses: ['extra:build'],
  }),
  field('layer', 'trees[].target', extra, ['trees', 0, 'target'], '/other', ['extra:build']),
  field('layer', 'trees[].user', extra, ['trees', 0, 'user'], 3, ['extra:build']),
  field('layer', 'trees[].group', extra, ['trees', 0, 'group'], 3, ['extra:build']),
  field('layer', 'trees[].mode', extra, ['trees', 0, 'mode'], '0600', ['extra:build']),
  field('layer', 'trees[].directoryMode', extra, ['trees', 0, 'directoryMode'], '0700', ['extra:build']),
  field('layer', 'trees[].rules[].match', extra, ['trees', 0, 'rules', 0, 'match'], '*', ['extra:build']),
  field('layer', 'trees[].rules[].user', extra, ['trees', 0, 'rules', 0, 'user'], 4, ['extra:build']),
  field('layer', 'trees[].rules[].group', extra, ['trees', 0, 'rules', 0, 'group'], 4, ['extra:build']),
  field('layer', 'trees[].rules[].mode', extra, ['trees', 0, 'rules', 0, 'mode'], '4755', ['extra:build']),
  field('layer', 'scripts', extra, ['scripts'], ['after.sh', 'before.sh'], ['extra:build']),
  field('layer', 'devices[].path', extra, ['devices', 0, 'path'], '/dev/full', ['extra:build']),
  field('layer', 'devices[].type', extra, ['devices', 0, 'type'], 'block', ['extra:build']),
  field('layer', 'devices[].major', extra, ['devices', 0, 'major'], 2, ['extra:build']),
  field('layer', 'devices[].minor', extra, ['devices', 0, 'minor'], 7, ['extra:build']),
  field('layer', 'devices[].mode', extra, ['devices', 0, 'mode'], '0600', ['extra:build']),
  field('layer', 'devices[].user', extra, ['devices', 0, 'user'], 1, ['extra:build']),
  field('layer', 'devices[].group', extra, ['devices', 0, 'group'], 1, ['extra:build']),
  field('layer', 'exclude', extra, ['exclude'], ['/srv/site/**'], ['extra:build']),

  // prefixes
  field('prefix', 'name', prefix, ['name'], 'renamed', [
    ...wholePrefix,
    ...wholePrefix.map((label) => label.replace('own-prefix', 'renamed')),
  ]),
  field('prefix', 'toolchain', prefix, ['toolchain'], 'vm-toolchain', [], { refuses: ['own-prefix:plan'] }),
  field('prefix', 'path', prefix, ['path'], '/opt/other', wholePrefix),
  field('prefix', 'board', prefix, ['board'], 'arm64-usr', [], { refuses: ['own-prefix:plan'] }),
  field(
    'prefix',
    'repositories[].name',
    prefix,
    ['repositories'],
    ['main', 'prefixes'],
    ['own-prefix:plan', 'own-prefix:merge', 'own-prefix:build', ...packagesOfPrefix],
  ),
  field('prefix', 'repositories[].priority', prefix, ['repositories', 2, 'priority'], 40, [
    'own-prefix:plan',
    'own-prefix:merge',
    'own-prefix:build',
    ...packagesOfPrefix,
  ]),
  field('prefix', 'profile', prefix, ['profile'], 'prefixes:other', wholePrefix),
  field(
    'prefix',
    'packages',
    prefix,
    ['packages'],
    ['app-arch/lz4', 'dev-lang/lua'],
    ['own-prefix:plan', 'own-prefix:dev-lang/lua', 'own-prefix:merge', 'own-prefix:build'],
  ),
  field('prefix', 'portageConfig', prefix, ['portageConfig'], undefined, [
    'own-prefix:plan',
    'own-prefix:app-arch/lz4',
    'own-prefix:merge',
    'own-prefix:build',
  ]),
  field('prefix', 'libc', prefix, ['libc'], 'host', wholePrefix),
  field('prefix', 'masks', prefix, ['masks'], ['/usr/share/doc'], ['own-prefix:build']),
  field('prefix', 'test[].run', prefix, ['test', 0, 'run'], ['lz4', '--version'], ['own-prefix:test']),
  field('prefix', 'test[].input', prefix, ['test', 0, 'input'], 'other', ['own-prefix:test']),
  field('prefix', 'test[].output', prefix, ['test', 0, 'output'], 'other', ['own-prefix:test']),
  field('prefix', 'test[].status', prefix, ['test', 0, 'status'], 3, ['own-prefix:test']),

  // kernels
  field('kernel', 'toolchain', kernel, ['toolchain'], 'toolchain', ['own-kernel:build']),
  field('kernel', 'from.source.tarball', kernel, ['from', 'source', 'tarball'], 'file:///other/linux.tar.xz', []),
  field('kernel', 'from.source.digest', kernel, ['from', 'source', 'digest'], otherDigest('c'), ['own-kernel:build']),
  field('kernel', 'from.config', kernel, ['from', 'config'], '../kernel-from-source/config', ['own-kernel:build']),
  field('kernel', 'from.base', kernel, ['from', 'base'], 'defconfig', ['own-kernel:build']),
  ...(['debian', 'source.debian'] as const).flatMap((where) => {
    const project = where === 'debian' ? 'kernel' : 'kernel-from-source';
    const path = `os/${project}/kernel.yaml`;
    const steps = ['from', ...where.split('.')];
    return [
      field('kernel', `from.${where}.mirror`, path, [...steps, 'mirror'], 'http://127.0.0.1/debian', []),
      ...(
        [
          ['suite', 'bookworm'],
          ['components', ['contrib']],
          ['package', 'linux-other'],
          ['lock', 'other.lock.yaml'],
        ] as const
      ).map(([name, value]) =>
        field('kernel', `from.${where}.${name}`, path, [...steps, name], value, [], { refuses: [`${project}:build`] }),
      ),
    ];
  }),

  // initramfs
  field('initramfs', 'toolchain', initramfs, ['toolchain'], 'toolchain', ['own-initramfs:build']),
  field('initramfs', 'kernel', initramfs, ['kernel'], 'own-kernel', ['own-initramfs:build'], {
    refuses: ['own-image:test'],
  }),
  field('initramfs', 'modules', initramfs, ['modules'], ['squashfs', 'overlay'], ['own-initramfs:build']),
  field('initramfs', 'root.label', initramfs, ['root', 'label'], 'other', ['own-initramfs:build']),
  field('initramfs', 'root.device', initramfs, ['root'], { device: '/dev/vdb' }, ['own-initramfs:build']),
  field('initramfs', 'compression.algorithm', initramfs, ['compression', 'algorithm'], 'xz', ['own-initramfs:build']),
  field('initramfs', 'compression.level', initramfs, ['compression', 'level'], 7, ['own-initramfs:build']),

  // images
  field('image', 'toolchain', image, ['toolchain'], 'toolchain', imageBoth),
  field('image', 'layers', image, ['layers'], ['base'], imageBoth),
  field('image', 'kernel', image, ['kernel'], 'own-kernel', [], { refuses: ['own-image:test'] }),
  field('image', 'initramfs', image, ['initramfs'], 'initramfs', imageBooted),
  field('image', 'compression.algorithm', image, ['compression', 'algorithm'], 'gzip', imageBoth),
  field('image', 'compression.level', image, ['compression', 'level'], 6, imageBoth),
  field('image', 'compression.blockSize', image, ['compression', 'blockSize'], '512K', imageBoth),
  field('image', 'exclude', image, ['exclude'], ['/usr/share/man/**'], imageBoth),
  field('image', 'kernelCommandLine', image, ['kernelCommandLine'], ['loglevel=7'], imageBooted),
  field('image', 'vm.memory', image, ['vm', 'memory'], '512M', imageBooted),
  field('image', 'vm.cpus', image, ['vm', 'cpus'], 2, imageBooted),
  field('image', 'vm.toolchain', image, ['vm', 'toolchain'], 'toolchain', imageBooted),
  field('image', 'test.timeout', image, ['test', 'timeout'], '90s', ['own-image:test']),
  field('image', 'test.steps[].expect', image, ['test', 'steps', 0, 'expect'], 'ready', imageBooted),
  field('image', 'test.steps[].send', image, ['test', 'steps', 1, 'send'], 'user', imageBooted),
  field('image', 'test.steps[].run', image, ['test', 'steps', 2, 'run'], 'echo no', ['own-image:test']),
  field('image', 'test.steps[].output', image, ['test', 'steps', 2, 'output'], 'no', ['own-image:test']),
  field('image', 'test.steps[].status', image, ['test', 'steps', 2, 'status'], 1, ['own-image:test']),
];
