/** Names by number (capabilities(7), linux/capability.h). */
const names = [
  ...['chown', 'dac_override', 'dac_read_search', 'fowner', 'fsetid', 'kill', 'setgid', 'setuid', 'setpcap'],
  ...['linux_immutable', 'net_bind_service', 'net_broadcast', 'net_admin', 'net_raw', 'ipc_lock', 'ipc_owner'],
  ...['sys_module', 'sys_rawio', 'sys_chroot', 'sys_ptrace', 'sys_pacct', 'sys_admin', 'sys_boot', 'sys_nice'],
  ...['sys_resource', 'sys_time', 'sys_tty_config', 'mknod', 'lease', 'audit_write', 'audit_control', 'setfcap'],
  ...['mac_override', 'mac_admin', 'syslog', 'wake_alarm', 'block_suspend', 'audit_read', 'perfmon', 'bpf'],
  'checkpoint_restore',
];

const effectiveFlag = 1;

/**
 * Capabilities of a file, in the way of `getcap`: `cap_net_raw=ep`; undefined for what is no such attribute.
 *
 * @param value of `security.capability`, in hexadecimal digits (linux/capability.h, struct vfs_cap_data)
 */
export function formatCapabilities(value: string): string | undefined {
  const bytes = Buffer.from(value, 'hex');
  if (bytes.length < 20) {
    return undefined;
  }
  const word = (index: number): number => bytes.readUInt32LE(index * 4);
  const has = (low: number, high: number, number: number): boolean =>
    ((number < 32 ? word(low) : word(high)) & (1 << (number % 32))) !== 0;
  const effective = (word(0) & effectiveFlag) === 0 ? '' : 'e';
  const sets = new Map<string, string[]>();
  for (let number = 0; number < 64; number++) {
    const kinds = `${has(2, 4, number) ? 'i' : ''}${has(1, 3, number) ? 'p' : ''}`;
    if (kinds !== '') {
      const name = `cap_${names[number] ?? String(number)}`;
      sets.set(`${effective}${kinds}`, [...(sets.get(`${effective}${kinds}`) ?? []), name]);
    }
  }
  return [...sets].map(([kinds, list]) => `${list.join(',')}=${kinds}`).join(' ');
}
