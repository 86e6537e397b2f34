/** Projects for the fields and file kinds that the example does not use, by their files. */
export const definitions: Readonly<Record<string, string>> = {
  'os/extra/layer.yaml': `# Everything that a layer can have besides packages.
name: extra
description: For the proof
tags: [proof]
toolchain: toolchain
from: base
trees:
  - source: tree
    target: /srv
    user: 1
    group: 1
    mode: "0640"
    directoryMode: "0750"
    rules:
      - { match: "*.sh", user: 2, group: 2, mode: "0755" }
  - source: { task: "site:build", path: dist }
    target: /srv/site
scripts: [before.sh, after.sh]
devices:
  - { path: /dev/zero, type: char, major: 1, minor: 5, mode: "0666", user: 0, group: 0 }
exclude: [/srv/none]
`,
  'os/extra/tree/hostname': 'extra\n',
  'os/extra/tree/run.sh': 'true\n',
  'os/extra/before.sh': 'true\n',
  'os/extra/after.sh': 'true\n',
  'os/configured/layer.yaml': `# Everything that Portage can be told.
name: configured
from: base
repositories: [overlay]
profile: main:base
packages: [app-arch/lz4]
portageConfig: etc-portage
`,
  'os/configured/etc-portage/make.conf': 'CFLAGS="-O1"\nUSE="unused"\nMYCONF="plain"\nINSTALL_MASK="/usr/share/info"\n',
  'os/configured/etc-portage/bashrc': ': bashrc\n',
  'os/configured/etc-portage/bashrc.d/more': ': more\n',
  'os/configured/etc-portage/package.use': 'app-arch/lz4 static-libs\n',
  'os/configured/etc-portage/package.accept_keywords': 'app-arch/lz4 ~amd64\n',
  'os/configured/etc-portage/package.license': 'app-arch/lz4 GPL-2\n',
  'os/configured/etc-portage/package.mask': 'app-misc/nothing\n',
  'os/configured/etc-portage/package.unmask': 'app-misc/nothing\n',
  'os/configured/etc-portage/package.env': 'app-arch/lz4 own.conf\n',
  'os/configured/etc-portage/env/own.conf': 'OWN="one"\n',
  'os/configured/etc-portage/patches/app-arch/lz4/hello.patch': '--- a/NEWS\n+++ b/NEWS\n@@ -1,0 +1,1 @@\n+hello\n',
  'os/configured/etc-portage/env/app-arch/lz4': ': env\n',
  'os/configured/etc-portage/savedconfig/app-arch/lz4': 'saved=y\n',
  'os/configured/etc-portage/profile/package.provided': 'app-misc/provided-1\n',
  'os/configured/etc-portage/profile/package.bashrc': 'app-arch/lz4 hook\napp-misc/jq other\n',
  'os/configured/etc-portage/profile/bashrc/hook': ': hook\n',
  'os/configured/etc-portage/profile/bashrc/other': ': other\n',
  'os/overlay/repository.yaml': 'name: overlay\nsource: { folder: . }\npriority: 10\n',
  'os/overlay/profiles/repo_name': 'overlay\n',
  'os/overlay/profiles/eapi': '8\n',
  'os/overlay/metadata/layout.conf': 'masters = main\nthin-manifests = true\nsign-manifests = false\n',
  'os/repository/profiles/other/parent': '../base\n',
  'os/repository/profiles/other/eapi': '8\n',
  'os/repository/profiles/other/make.defaults': 'LDFLAGS="-Wl,-z,now"\n',
  'os/own-prefix/prefix.yaml': `name: own-prefix
toolchain: toolchain
path: /opt/own
board: amd64-usr
repositories: [main, prefixes, { name: overlay, priority: 30 }]
profile: prefixes:prefix
packages: [app-arch/lz4]
portageConfig: etc-portage
libc: bundled
masks: [/usr/share/man]
test: [{ run: [lz4, -V], input: none, output: /lz4/, status: 0 }]
`,
  'os/own-prefix/etc-portage/package.use': 'app-arch/lz4 static-libs\n',
  'os/prefix-repository/profiles/other/parent': '../prefix\n',
  'os/prefix-repository/profiles/other/eapi': '8\n',
  'os/prefix-repository/profiles/other/make.defaults': 'LDFLAGS="-Wl,-z,now"\n',
  'os/remote-git/repository.yaml': `name: remote-git
source: { git: "file:///nowhere.git", commit: "0123456789012345678901234567890123456789" }
`,
  'os/remote-tarball/repository.yaml': `name: remote-tarball
source: { tarball: "file:///nowhere.tar", digest: "sha256:${'1'.repeat(64)}" }
`,
  'os/stage/layer.yaml': `name: stage
from: { tarball: "file:///nowhere.tar.xz", digest: "sha256:${'2'.repeat(64)}" }
trees: [{ source: tree, target: / }]
`,
  'os/stage/tree/file': 'content\n',
  'os/own-kernel/kernel.yaml': `name: own-kernel
toolchain: kernel-toolchain
from:
  source: { tarball: "file:///nowhere/linux.tar.xz", digest: "sha256:${'3'.repeat(64)}" }
  config: config
  base: tinyconfig
`,
  'os/own-kernel/config': 'CONFIG_SQUASHFS=y\n',
  'os/own-initramfs/initramfs.yaml': `name: own-initramfs
toolchain: vm-toolchain
kernel: kernel
modules: [squashfs]
root: { label: root }
compression: { algorithm: gzip, level: 6 }
`,
  'os/own-image/image.yaml': `name: own-image
toolchain: vm-toolchain
layers: [extra]
kernel: kernel
initramfs: own-initramfs
compression: { algorithm: zstd, level: 5, blockSize: 256K }
exclude: [/usr/share/doc/**]
kernelCommandLine: [quiet]
vm: { memory: 128M, cpus: 1, toolchain: vm-toolchain }
test:
  timeout: 60s
  steps:
    - expect: "login:"
    - send: root
    - { run: "echo yes", output: "yes", status: 0 }
`,
  'os/own-sysext/sysext.yaml': `name: own-sysext
description: For the proof
tags: [proof]
toolchain: vm-toolchain
type: sysext
extension: own
version: "1"
from: { layers: [extra] }
base: base
exclude: [/srv]
id: debian
versionId: "13"
architecture: x86-64
format: squashfs
compression: { algorithm: zstd, level: 5, blockSize: 256K }
services: [own.service]
verity: { key: key.pem, certificate: certificate.pem }
publish: { url: "https://example.org/", verify: true }
test:
  on: [own-image]
  timeout: 60s
  steps:
    - expect: "merged"
    - send: root
    - { run: "echo yes", output: "yes", status: 0 }
`,
  'os/own-sysext/key.pem': 'a key\n',
  'os/own-sysext/certificate.pem': 'a certificate\n',
  'os/own-sysext/tree/usr/share/own': 'own\n',
};
