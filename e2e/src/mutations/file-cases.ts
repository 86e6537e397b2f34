import { chmodSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { file, type Case } from './case.js';
import { repositoryPlans, ebuild, lz4, portage } from './subjects.js';

/** Every kind of file that definitions name or Portage reads: contents, modes, links. */
export const fileCases: readonly Case[] = [
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
    changes: [...repositoryPlans, 'tools:dev-lang/lua'],
  },
  {
    name: 'an ebuild: RDEPEND',
    apply: (workspace) => {
      workspace.append(ebuild(workspace.ebuild('dev-lang/lua')), '\nRDEPEND+=" app-arch/lz4"\n');
    },
    changes: [...repositoryPlans, 'tools:dev-lang/lua'],
  },
  {
    name: 'an ebuild: a new file in files/',
    apply: (workspace) => {
      workspace.write('os/repository/dev-lang/lua/files/new.patch', 'text\n');
    },
    changes: [...repositoryPlans, 'tools:dev-lang/lua'],
  },
  {
    name: 'an ebuild of a package that no layer has',
    apply: (workspace) => {
      workspace.write(
        'os/repository/app-misc/unused/unused-1.ebuild',
        'EAPI=8\nDESCRIPTION="unused"\nSLOT="0"\nKEYWORDS="amd64"\n',
      );
    },
    changes: repositoryPlans,
  },
  {
    name: 'an eclass that a package comes to inherit',
    apply: (workspace) => {
      workspace.write('os/repository/eclass/hello.eclass', 'hello_greet() {\n\telog hello\n}\n');
      workspace.replace(ebuild(workspace.ebuild('dev-lang/lua')), 'EAPI=8\n', 'EAPI=8\n\ninherit hello\n');
    },
    changes: [...repositoryPlans, 'tools:dev-lang/lua'],
  },
  {
    name: 'an eclass that no package inherits',
    apply: (workspace) => {
      workspace.write('os/repository/eclass/nobody.eclass', 'nobody_calls() {\n\t:\n}\n');
    },
    changes: repositoryPlans,
  },
  {
    name: 'the Manifest: a distfile with another hash',
    apply: (workspace) => {
      workspace.replace('os/repository/dev-lang/lua/Manifest', /BLAKE2B [0-9a-f]{128}/, `BLAKE2B ${'0'.repeat(128)}`);
    },
    changes: [...repositoryPlans, 'tools:dev-lang/lua'],
  },
  {
    name: 'a profile: make.defaults',
    apply: (workspace) => {
      workspace.append('os/repository/profiles/base/make.defaults', 'LDFLAGS="-Wl,-O1"\n');
    },
    changes: [...repositoryPlans, 'base:sys-apps/baselayout', 'base:merge', 'tools:merge', 'configured:merge'],
  },
  {
    name: 'a profile: profile.bashrc',
    apply: (workspace) => {
      workspace.write('os/repository/profiles/base/profile.bashrc', ': hello\n');
    },
    changes: [...repositoryPlans, 'base:sys-apps/baselayout', 'base:merge', 'tools:merge', 'configured:merge'],
  },
  {
    name: 'a profile: @system without what is not implied',
    apply: (workspace) => {
      workspace.append('os/repository/profiles/base/packages', '*sys-apps/busybox\n');
    },
    changes: [
      ...repositoryPlans,
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
