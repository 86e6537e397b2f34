import { crc32 } from 'node:zlib';

const sector = 512;
const entries = 128;
const entrySize = 128;
const first = 2048;
const linuxData = Buffer.from('af3dc60f838472478e793d69d8477de4', 'hex');

/** A disk with one partition that holds `content` and has a name (UEFI specification, 5.3: GUID partition table). */
export function partitioned(content: Buffer, name: string): Buffer {
  const sectors = Math.ceil(content.length / sector);
  const last = first + sectors + 33;
  const disk = Buffer.alloc((last + 1) * sector);
  // the protective record of old partition tables
  disk.set([0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], 446);
  disk.set([0x55, 0xaa], 510);
  const table = disk.subarray(2 * sector, 2 * sector + entries * entrySize);
  linuxData.copy(table, 0);
  table.fill(0x11, 16, 32);
  table.writeBigUInt64LE(BigInt(first), 32);
  table.writeBigUInt64LE(BigInt(first + sectors - 1), 40);
  table.write(name, 56, 'utf16le');
  const header = disk.subarray(sector, sector + 92);
  header.write('EFI PART', 0, 'latin1');
  header.writeUInt32LE(0x00010000, 8);
  header.writeUInt32LE(92, 12);
  header.writeBigUInt64LE(1n, 24);
  header.writeBigUInt64LE(BigInt(last), 32);
  header.writeBigUInt64LE(34n, 40);
  header.writeBigUInt64LE(BigInt(last - 33), 48);
  header.fill(0x22, 56, 72);
  header.writeBigUInt64LE(2n, 72);
  header.writeUInt32LE(entries, 80);
  header.writeUInt32LE(entrySize, 84);
  header.writeUInt32LE(crc32(table), 88);
  header.writeUInt32LE(crc32(header), 16);
  content.copy(disk, first * sector);
  return disk;
}
