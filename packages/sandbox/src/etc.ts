import { readFile } from 'node:fs/promises';

/**
 * Files below /etc that an action sees besides those of its toolchain. Nothing of this machine is in them; `passwd` and
 * `group` are for toolchains that have none.
 */
export async function etcFiles(network: boolean): Promise<Readonly<Record<string, string>>> {
  return {
    hosts: '127.0.0.1\tlocalhost strata\n::1\t\tlocalhost ip6-localhost ip6-loopback\n',
    'resolv.conf': network ? await readFile('/etc/resolv.conf', 'utf8').catch(() => '') : '',
    passwd: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
    group: 'root:x:0:\nnogroup:x:65534:\n',
  };
}
