/** A virtual machine that boots a kernel, an initramfs and a disk, with its serial console on the standard streams. */
export interface Machine {
  /** Paths as QEMU finds them. */
  readonly kernel: string;
  readonly initramfs?: string | undefined;
  /** A squashfs, which the machine sees as `/dev/vda`. */
  readonly disk?: string | undefined;
  /** Another file, which the machine sees as `/dev/vdb` and can only read. */
  readonly parcel?: string | undefined;
  /** Words for the kernel, besides those for the console. */
  readonly commandLine: readonly string[];
  /** As QEMU takes it: `256M`. */
  readonly memory: string;
  readonly cpus: number;
  /** As QEMU takes it: `kvm`, `tcg,thread=multi`. */
  readonly accelerator: string;
  /** Whether a person sits at the console, who leaves it by `Ctrl-a x`. */
  readonly interactive?: boolean;
}

/**
 * The command line of QEMU for a machine, in the order of qemu(1). A plain PC without a network card: measured, that
 * boots as fast under emulation as `microvm` does with a kernel that has its drivers as modules.
 */
export function qemuCommandLine(machine: Machine): string[] {
  const words = ['console=ttyS0', 'panic=-1', ...machine.commandLine];
  const { disk, parcel } = machine;
  const interactive = machine.interactive === true;
  return [
    'qemu-system-x86_64',
    ...['-machine', 'q35'],
    ...['-cpu', 'max'],
    ...['-accel', machine.accelerator],
    ...['-smp', String(machine.cpus)],
    ...['-m', machine.memory],
    ...(disk === undefined ? [] : driveWords('root', disk)),
    ...(parcel === undefined ? [] : driveWords('parcel', parcel)),
    ...['-display', 'none'],
    ...['-nic', 'none'],
    ...['-chardev', `stdio,id=console,mux=${interactive ? 'on' : 'off'},signal=off`],
    ...['-kernel', machine.kernel],
    ...['-append', words.join(' ')],
    ...(machine.initramfs === undefined ? [] : ['-initrd', machine.initramfs]),
    ...['-serial', 'chardev:console'],
    ...(interactive ? ['-mon', 'chardev=console'] : []),
    '-no-reboot',
    '-nodefaults',
    '-no-user-config',
  ];
}

function driveWords(id: string, file: string): string[] {
  return [
    ...['-device', `virtio-blk-pci,drive=${id}`],
    ...['-drive', `file=${escaped(file)},format=raw,if=none,id=${id},readonly=on`],
  ];
}

/** A value among others that commas separate. */
function escaped(value: string): string {
  return value.replaceAll(',', ',,');
}
