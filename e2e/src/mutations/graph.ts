/**
 * Which actions stand on which, written down by hand: what the keys are checked against. Packages are named without
 * their versions.
 */
const packagesOfBase = [
  'base:sys-apps/baselayout',
  'base:sys-libs/toolchain-libc',
  'base:virtual/libc',
  'base:sys-apps/busybox',
];

const packagesOfTools = [
  'tools:dev-libs/oniguruma',
  'tools:app-arch/lz4',
  'tools:app-arch/xz-utils',
  'tools:dev-lang/lua',
  'tools:app-misc/jq',
];

const upperPackages = [...packagesOfTools, 'configured:app-arch/lz4'];

/** Those that its programs need to run come last. */
export const packagesOfPrefix: readonly string[] = [
  'own-prefix:sys-libs/prefix-libc-dev',
  'own-prefix:virtual/os-headers',
  'own-prefix:sys-libs/prefix-libc',
  'own-prefix:sys-libs/prefix-gcc-runtime',
  'own-prefix:virtual/libc',
  'own-prefix:app-arch/lz4',
];

const followers: Readonly<Record<string, readonly string[]>> = {
  'toolchain:build': [
    'base:plan',
    'tools:plan',
    'configured:plan',
    ...packagesOfBase,
    ...upperPackages,
    'base:merge',
    'base:build',
    'tools:merge',
    'tools:build',
    'configured:merge',
    'own-prefix:plan',
    ...packagesOfPrefix,
    'own-prefix:merge',
    'own-prefix:build',
    'own-prefix:test',
    'extra:build',
    'stage:build',
    'remote-git:fetch',
    'remote-tarball:fetch',
    'kernel:build',
  ],
  'vm-toolchain:build': [
    'initramfs:build',
    'own-initramfs:build',
    'ram-os:build',
    'ram-os:test',
    'rescue:build',
    'rescue:test',
    'own-image:build',
    'own-image:test',
    'own-sysext:build',
    'own-sysext:signature',
    'own-sysext:test-own-image',
  ],
  'kernel-toolchain:build': ['kernel-from-source:build', 'own-kernel:build'],
  'base:sys-apps/baselayout': [
    'base:sys-libs/toolchain-libc',
    'base:virtual/libc',
    'base:sys-apps/busybox',
    ...upperPackages,
    'base:merge',
  ],
  'base:sys-libs/toolchain-libc': ['base:virtual/libc', 'base:sys-apps/busybox', ...upperPackages, 'base:merge'],
  'base:virtual/libc': ['base:sys-apps/busybox', ...upperPackages, 'base:merge'],
  'base:sys-apps/busybox': ['base:merge'],
  'tools:dev-libs/oniguruma': ['tools:app-misc/jq', 'tools:merge'],
  'tools:app-arch/lz4': ['tools:merge'],
  'tools:app-arch/xz-utils': ['tools:merge'],
  'tools:dev-lang/lua': ['tools:merge'],
  'tools:app-misc/jq': ['tools:merge'],
  'configured:app-arch/lz4': ['configured:merge'],
  'own-prefix:sys-libs/prefix-libc-dev': ['own-prefix:virtual/os-headers', 'own-prefix:merge'],
  'own-prefix:virtual/os-headers': ['own-prefix:virtual/libc', 'own-prefix:app-arch/lz4', 'own-prefix:merge'],
  'own-prefix:sys-libs/prefix-libc': [
    'own-prefix:sys-libs/prefix-libc-dev',
    'own-prefix:virtual/libc',
    'own-prefix:merge',
    'own-prefix:build',
  ],
  'own-prefix:sys-libs/prefix-gcc-runtime': ['own-prefix:virtual/libc', 'own-prefix:merge', 'own-prefix:build'],
  'own-prefix:virtual/libc': ['own-prefix:app-arch/lz4', 'own-prefix:merge', 'own-prefix:build'],
  'own-prefix:app-arch/lz4': ['own-prefix:merge', 'own-prefix:build'],
  'own-prefix:build': ['own-prefix:test'],
  'base:merge': ['base:build'],
  'base:build': ['own-sysext:build', 'tools:merge', 'configured:merge', 'extra:build', 'rescue:build', 'tools:build'],
  'tools:merge': ['tools:build'],
  'tools:build': ['ram-os:build'],
  'extra:build': ['own-image:build', 'own-sysext:build'],
  'kernel:build': [
    'initramfs:build',
    'own-initramfs:build',
    'ram-os:test',
    'rescue:test',
    'own-image:test',
    'own-sysext:test-own-image',
  ],
  'initramfs:build': ['ram-os:test', 'rescue:test'],
  'own-initramfs:build': ['own-image:test', 'own-sysext:test-own-image'],
  'ram-os:build': ['ram-os:test'],
  'rescue:build': ['rescue:test'],
  'own-image:build': ['own-image:test', 'own-sysext:test-own-image'],
  'own-sysext:build': ['own-sysext:signature', 'own-sysext:test-own-image'],
  'own-sysext:signature': ['own-sysext:test-own-image'],
  'own-sysext:tree': ['own-sysext:build'],
};

/** Some actions, and all that stands on them. Plans are real, so that what they leave is known whatever is beneath. */
export function withFollowers(first: readonly string[]): string[] {
  const found = new Set<string>();
  const rest = [...first];
  for (let label = rest.pop(); label !== undefined; label = rest.pop()) {
    if (!found.has(label)) {
      found.add(label);
      rest.push(...(followers[label] ?? []));
    }
  }
  return [...found].sort();
}
