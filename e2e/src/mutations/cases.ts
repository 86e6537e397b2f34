import { chmodSync, renameSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import { field, file, type Case } from './case.js';
import { packagesOfPrefix } from './graph.js';
import { sysextCases } from './sysext-cases.js';
import { otherDigest } from './workspace.js';

const extra = 'os/extra/layer.yaml';
const configured = 'os/configured/layer.yaml';
const image = 'os/own-image/image.yaml';
const initramfs = 'os/own-initramfs/initramfs.yaml';
const kernel = 'os/own-kernel/kernel.yaml';
const prefix = 'os/own-prefix/prefix.yaml';
const prefixTasks = ['own-prefix:merge', 'own-prefix:build', 'own-prefix:test'];
const wholePrefix = ['own-prefix:plan', ...packagesOfPrefix, ...prefixTasks];
const imageBoth = ['own-image:build'];
/** Tests on what boots in the same way. */
const imageBooted = ['own-image:test', 'own-sysext:test-own-image'];

const fields: Case[] = [
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

const ebuild = (name: string): string => `os/repository/${name}`;
const bothPlans = ['base:plan', 'tools:plan', 'configured:plan', 'own-prefix:plan'];
const portage = 'os/configured/etc-portage';
const lz4 = ['configured:app-arch/lz4'];

const files: Case[] = [
  file('os/extra/tree/hostname', ['extra:build']),
  file('os/extra/before.sh', ['extra:build']),
  file('site/dist/index.html', ['extra:build']),
  file('os/own-kernel/config', ['own-kernel:build'], {}, '# CONFIG_NET is not set\n'),
  file('os/kernel-from-source/config', ['kernel-from-source:build'], {}, '# CONFIG_NET is not set\n'),
  {
    name: 'os/extra/tree/run.sh: made executable',
    apply: (workspace) => {
      chmodSync(workspace.path('os/extra/tree/run.sh'), 0o755);
    },
    changes: ['extra:build'],
  },
  {
    name: 'os/extra/after.sh: no longer executable',
    apply: (workspace) => {
      chmodSync(workspace.path('os/extra/after.sh'), 0o644);
    },
    changes: ['extra:build'],
  },
  {
    name: 'os/extra/tree/name: a link that points elsewhere',
    apply: (workspace) => {
      rmSync(workspace.path('os/extra/tree/name'));
      symlinkSync('run.sh', workspace.path('os/extra/tree/name'));
    },
    changes: ['extra:build'],
  },
  {
    name: 'os/extra/tree/name: a file instead of a link',
    apply: (workspace) => {
      rmSync(workspace.path('os/extra/tree/name'));
      workspace.write('os/extra/tree/name', 'extra\n');
    },
    changes: ['extra:build'],
  },
  {
    name: 'os/extra/tree/run.sh: renamed',
    apply: (workspace) => {
      renameSync(workspace.path('os/extra/tree/run.sh'), workspace.path('os/extra/tree/go.sh'));
    },
    changes: ['extra:build'],
  },
  {
    name: 'os/extra/tree/hostname: removed',
    apply: (workspace) => {
      workspace.remove('os/extra/tree/hostname');
    },
    changes: ['extra:build'],
  },
  {
    name: 'os/extra/tree/new: added',
    apply: (workspace) => {
      workspace.write('os/extra/tree/new', 'new\n');
    },
    changes: ['extra:build'],
  },

  // what a user tells Portage
  {
    name: 'make.conf: CFLAGS',
    apply: (workspace) => {
      workspace.replace(`${portage}/make.conf`, '-O1', '-O3');
    },
    changes: ['configured:plan', ...lz4, 'configured:merge'],
  },
  {
    name: 'make.conf: a variable of an ebuild',
    apply: (workspace) => {
      workspace.replace(`${portage}/make.conf`, 'plain', 'fancy');
    },
    changes: ['configured:plan', ...lz4, 'configured:merge'],
  },
  {
    name: 'make.conf: INSTALL_MASK, which only merging reads',
    apply: (workspace) => {
      workspace.replace(`${portage}/make.conf`, '/usr/share/info', '/usr/share/doc');
    },
    changes: ['configured:plan', 'configured:merge'],
  },
  {
    name: 'make.conf: a USE flag that no package has',
    apply: (workspace) => {
      workspace.replace(`${portage}/make.conf`, 'unused', 'unheard-of');
    },
    changes: ['configured:plan'],
  },
  {
    name: 'make.conf: how documentation is compressed',
    apply: (workspace) => {
      workspace.append(`${portage}/make.conf`, 'PORTAGE_COMPRESS="xz"\n');
    },
    changes: ['configured:plan', ...lz4, 'configured:merge'],
  },
  {
    name: 'make.conf: MAKEOPTS',
    apply: (workspace) => {
      workspace.append(`${portage}/make.conf`, 'MAKEOPTS="-j7"\n');
    },
    changes: ['configured:plan'],
  },
  file(`${portage}/bashrc`, ['configured:plan', ...lz4, 'configured:merge'], {}, ': more\n'),
  file(`${portage}/bashrc.d/more`, ['configured:plan', ...lz4, 'configured:merge'], {}, ': more\n'),
  {
    name: 'package.use: a flag of the package',
    apply: (workspace) => {
      workspace.replace(`${portage}/package.use`, 'static-libs', '-static-libs');
    },
    changes: ['configured:plan', ...lz4, 'configured:merge'],
  },
  file(`${portage}/package.use`, ['configured:plan'], {}, 'app-misc/jq -oniguruma\n'),
  file(`${portage}/package.accept_keywords`, ['configured:plan'], {}, 'app-misc/jq ~amd64\n'),
  file(`${portage}/package.license`, ['configured:plan'], {}, 'app-misc/jq MIT\n'),
  file(`${portage}/package.mask`, ['configured:plan'], {}, 'app-misc/nothing-else\n'),
  file(`${portage}/package.unmask`, ['configured:plan'], {}, 'app-misc/nothing-else\n'),
  file(`${portage}/package.env`, ['configured:plan'], {}, 'app-misc/jq own.conf\n'),
  {
    name: 'package.env: taken from the package',
    apply: (workspace) => {
      workspace.write(`${portage}/package.env`, 'app-misc/jq own.conf\n');
    },
    changes: ['configured:plan', ...lz4, 'configured:merge'],
  },
  file(`${portage}/env/own.conf`, ['configured:plan', ...lz4, 'configured:merge'], {}, 'MORE="two"\n'),
  file(`${portage}/patches/app-arch/lz4/hello.patch`, ['configured:plan', ...lz4]),
  {
    name: 'patches of another package',
    apply: (workspace) => {
      workspace.write(`${portage}/patches/app-misc/jq/other.patch`, 'text\n');
    },
    changes: ['configured:plan'],
  },
  file(`${portage}/env/app-arch/lz4`, ['configured:plan', ...lz4, 'configured:merge'], {}, ': more\n'),
  file(`${portage}/savedconfig/app-arch/lz4`, ['configured:plan', ...lz4]),
  file(`${portage}/profile/bashrc/hook`, ['configured:plan', ...lz4, 'configured:merge'], {}, ': more\n'),
  file(`${portage}/profile/bashrc/other`, ['configured:plan'], {}, ': more\n'),
  file(`${portage}/profile/package.bashrc`, ['configured:plan'], {}, 'app-misc/jq hook\n'),
  file(`${portage}/profile/package.provided`, ['configured:plan'], {}, 'app-misc/provided-2\n'),

  // ebuild repositories
  {
    name: 'an ebuild: a phase',
    apply: (workspace) => {
      workspace.append(ebuild(workspace.ebuild('dev-lang/lua')), '\npkg_postinst() {\n\telog hello\n}\n');
    },
    changes: [...bothPlans, 'tools:dev-lang/lua'],
  },
  {
    name: 'an ebuild: RDEPEND',
    apply: (workspace) => {
      workspace.append(ebuild(workspace.ebuild('dev-lang/lua')), '\nRDEPEND+=" app-arch/lz4"\n');
    },
    changes: [...bothPlans, 'tools:dev-lang/lua'],
  },
  {
    name: 'an ebuild: a new file in files/',
    apply: (workspace) => {
      workspace.write('os/repository/dev-lang/lua/files/new.patch', 'text\n');
    },
    changes: [...bothPlans, 'tools:dev-lang/lua'],
  },
  {
    name: 'an ebuild of a package that no layer has',
    apply: (workspace) => {
      workspace.write(
        'os/repository/app-misc/unused/unused-1.ebuild',
        'EAPI=8\nDESCRIPTION="unused"\nSLOT="0"\nKEYWORDS="amd64"\n',
      );
    },
    changes: bothPlans,
  },
  {
    name: 'an eclass that a package comes to inherit',
    apply: (workspace) => {
      workspace.write('os/repository/eclass/hello.eclass', 'hello_greet() {\n\telog hello\n}\n');
      workspace.replace(ebuild(workspace.ebuild('dev-lang/lua')), 'EAPI=8\n', 'EAPI=8\n\ninherit hello\n');
    },
    changes: [...bothPlans, 'tools:dev-lang/lua'],
  },
  {
    name: 'an eclass that no package inherits',
    apply: (workspace) => {
      workspace.write('os/repository/eclass/nobody.eclass', 'nobody_calls() {\n\t:\n}\n');
    },
    changes: bothPlans,
  },
  {
    name: 'the Manifest: a distfile with another hash',
    apply: (workspace) => {
      workspace.replace('os/repository/dev-lang/lua/Manifest', /BLAKE2B [0-9a-f]{128}/, `BLAKE2B ${'0'.repeat(128)}`);
    },
    changes: [...bothPlans, 'tools:dev-lang/lua'],
  },
  {
    name: 'a profile: make.defaults',
    apply: (workspace) => {
      workspace.append('os/repository/profiles/base/make.defaults', 'LDFLAGS="-Wl,-O1"\n');
    },
    changes: [...bothPlans, 'base:sys-apps/baselayout', 'base:merge', 'tools:merge', 'configured:merge'],
  },
  {
    name: 'a profile: profile.bashrc',
    apply: (workspace) => {
      workspace.write('os/repository/profiles/base/profile.bashrc', ': hello\n');
    },
    changes: [...bothPlans, 'base:sys-apps/baselayout', 'base:merge', 'tools:merge', 'configured:merge'],
  },
  {
    name: 'a profile: @system without what is not implied',
    apply: (workspace) => {
      workspace.append('os/repository/profiles/base/packages', '*sys-apps/busybox\n');
    },
    changes: [
      ...bothPlans,
      'tools:dev-libs/oniguruma',
      'tools:app-arch/lz4',
      'tools:app-arch/xz-utils',
      'tools:dev-lang/lua',
      ...lz4,
    ],
  },

  // lock files
  {
    name: 'the lock file of a toolchain',
    apply: (workspace) => {
      workspace.replace('os/toolchain/layer.lock.yaml', /(name: "zstd".*sha256: ")[0-9a-f]{64}/, `$1${'0'.repeat(64)}`);
    },
    changes: ['toolchain:build'],
  },
  {
    name: 'the lock file of the toolchain with QEMU',
    apply: (workspace) => {
      workspace.replace(
        'os/vm-toolchain/layer.lock.yaml',
        /(name: "lz4".*sha256: ")[0-9a-f]{64}/,
        `$1${'0'.repeat(64)}`,
      );
    },
    changes: ['vm-toolchain:build'],
  },
  {
    name: 'the lock file of a kernel',
    apply: (workspace) => {
      workspace.replace('os/kernel/kernel.lock.yaml', /(sha256: ")[0-9a-f]{64}/, `$1${'0'.repeat(64)}`);
    },
    changes: ['kernel:build'],
  },
];

/** Edits that change no key but those of plans, which come out the same. */
const neutral: Case[] = [
  {
    name: 'a comment in a definition',
    apply: (workspace) => {
      workspace.append(extra, '# a comment\n');
    },
    changes: [],
  },
  {
    name: 'the order of keys in a definition',
    apply: (workspace) => {
      workspace.write(image, `${workspace.read(image).split('\n').slice(1).join('\n')}name: own-image\n`);
    },
    changes: [],
  },
  {
    name: 'a comment and blank lines in an ebuild',
    apply: (workspace) => {
      workspace.append(ebuild(workspace.ebuild('dev-lang/lua')), '\n\n# a comment\n');
    },
    changes: bothPlans,
  },
  {
    name: 'a comment in package.use',
    apply: (workspace) => {
      workspace.append(`${portage}/package.use`, '# a comment\n');
    },
    changes: ['configured:plan'],
  },
  {
    name: 'a comment in make.conf',
    apply: (workspace) => {
      workspace.append(`${portage}/make.conf`, '# a comment\n');
    },
    changes: ['configured:plan'],
  },
  {
    name: 'metadata.xml of a package',
    apply: (workspace) => {
      workspace.append('os/repository/dev-lang/lua/metadata.xml', '<!-- hello -->\n');
    },
    changes: bothPlans,
  },
  {
    name: 'the times of files',
    apply: (workspace) => {
      for (const name of [
        'os/extra/tree/hostname',
        'os/extra/layer.yaml',
        'os/repository/profiles/base/make.defaults',
      ]) {
        utimesSync(workspace.path(name), 1, 1);
      }
    },
    changes: [],
  },
  {
    name: 'modes that git does not know',
    apply: (workspace) => {
      chmodSync(workspace.path('os/extra/tree/hostname'), 0o600);
      chmodSync(workspace.path('os/extra/tree'), 0o700);
    },
    changes: [],
  },
  {
    name: 'a file that git ignores, in a tree',
    apply: (workspace) => {
      workspace.append('.gitignore', '*.swp\n');
      workspace.write('os/extra/tree/.hostname.swp', 'editor\n');
    },
    changes: [],
  },
  {
    name: 'nx.json, .gitignore, package.json',
    apply: (workspace) => {
      workspace.replace('nx.json', '{', '{ "parallel": 2,');
      workspace.append('.gitignore', '# a comment\n');
      workspace.write('package.json', '{ "name": "workspace", "private": true, "devDependencies": { "x": "1" } }\n');
    },
    changes: [],
  },
  {
    name: 'another project of the workspace',
    apply: (workspace) => {
      workspace.write('libs/other/package.json', '{ "name": "other" }\n');
      workspace.write('libs/other/index.js', 'export {};\n');
    },
    changes: [],
  },
  {
    name: 'a broken definition of somebody else',
    apply: (workspace) => {
      workspace.write('os/broken/layer.yaml', 'form: scratch\n');
    },
    changes: [],
  },
];

/** Every case of the proof. */
export const cases: readonly Case[] = [...fields, ...sysextCases, ...files, ...neutral];
