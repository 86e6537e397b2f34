import type { PrefixSettings } from '@strata/portage';

/** What of this machine holds its C library, as Debian, Fedora, Arch and Gentoo lay it out. */
const hostLibraries = '--ro-bind /usr /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64';

/**
 * The command line that runs a program of an exported prefix in a root that has nothing else but /proc and /dev, and with
 * `libc: host` the libraries of this machine.
 *
 * @param tree folder of the export
 * @param program its path when it runs
 */
export function runCommand(tree: string, { path, arch, libc }: PrefixSettings, program: string): string {
  if (arch === 'arm64' && process.arch !== 'arm64') {
    return `qemu-aarch64 -L ${tree} ${tree}${program} --version`;
  }
  const host = libc === 'host' ? ` ${hostLibraries}` : '';
  return `bwrap --unshare-all --die-with-parent${host} --ro-bind ${tree}${path} ${path} --proc /proc --dev /dev --chdir / ${program} --version`;
}
