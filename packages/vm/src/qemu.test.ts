import { qemuCommandLine } from './index.js';

describe('the command line of QEMU', () => {
  const machine = { kernel: 'vmlinuz', commandLine: ['quiet'], memory: '256M', cpus: 2, accelerator: 'kvm' };
  const valueOf = (words: readonly string[], option: string): string | undefined => words[words.indexOf(option) + 1];

  it('has the console, the panic and the user’s own words for the kernel, in this order', () => {
    expect(valueOf(qemuCommandLine(machine), '-append')).toBe('console=ttyS0 panic=-1 quiet');
  });

  it('leaves out what the machine does not have', () => {
    const words = qemuCommandLine(machine);
    for (const option of ['-initrd', '-drive', '-device', '-mon']) {
      expect(words).not.toContain(option);
    }
  });

  it('gives the disk read-only, whatever its path has in it', () => {
    expect(valueOf(qemuCommandLine({ ...machine, disk: 'a,b.squashfs' }), '-drive')).toBe(
      'file=a,,b.squashfs,format=raw,if=none,id=root,readonly=on',
    );
  });

  it('gives a parcel as another disk, read-only, after the root', () => {
    const words = qemuCommandLine({ ...machine, disk: 'root.squashfs', parcel: 'parcel.tar' });
    expect(words.filter((word) => word.startsWith('file='))).toEqual([
      'file=root.squashfs,format=raw,if=none,id=root,readonly=on',
      'file=parcel.tar,format=raw,if=none,id=parcel,readonly=on',
    ]);
  });

  it('has a way out for whoever sits at the console', () => {
    const words = qemuCommandLine({ ...machine, interactive: true });
    expect(valueOf(words, '-chardev')).toBe('stdio,id=console,mux=on,signal=off');
    expect(valueOf(words, '-mon')).toBe('chardev=console');
  });
});
