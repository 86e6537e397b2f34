import type { BigIntStats } from 'node:fs';

/** What of lstat(2) is remembered, in this order, as 64-bit numbers. */
const fields = ['dev', 'ino', 'mode', 'size', 'mtimeNs', 'ctimeNs'] as const;
const at = { dev: 0, mode: 2, size: 3, ctimeNs: 5 } as const;

/** Bytes of a row. */
export const stateBytes = fields.length * 8;
const words = stateBytes / 4;

const typeMask = 0o170000n;
const types = { folder: 0o040000n, file: 0o100000n, symlink: 0o120000n } as const;

/**
 * What tells whether things on the disk were written to: a row of numbers for each. Rows lie in one piece of memory,
 * which is read, written and compared as such: as objects, those of a large tree would take a second and 200 MB.
 */
export class StateTable {
  #numbers: BigInt64Array<ArrayBuffer>;
  #words: Int32Array<ArrayBuffer>;
  #length: number;

  /** @param bytes rows to begin with: {@link stateBytes} each, in this machine's byte order */
  constructor(bytes: ArrayBuffer = new ArrayBuffer(0)) {
    this.#numbers = new BigInt64Array(bytes);
    this.#words = new Int32Array(bytes);
    this.#length = bytes.byteLength / stateBytes;
  }

  /** How many rows there are. */
  get length(): number {
    return this.#length;
  }

  /** The rows as bytes. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.#numbers.buffer, 0, this.#length * stateBytes);
  }

  /** Adds a row and gives back its number; `undefined` stands for something that is not there. */
  push(status: BigIntStats | undefined): number {
    const row = this.#add();
    this.set(row, status);
    return row;
  }

  /** Adds a row of another table. */
  pushFrom(other: StateTable, row: number): number {
    const own = this.#add();
    const [start, from] = [own * words, row * words];
    for (let index = 0; index < words; index++) {
      this.#words[start + index] = other.#words[from + index] ?? 0;
    }
    return own;
  }

  set(row: number, status: BigIntStats | undefined): void {
    let index = row * fields.length;
    for (const field of fields) {
      this.#numbers[index++] = status === undefined ? -1n : status[field];
    }
  }

  equal(row: number, other: StateTable, otherRow: number): boolean {
    const [start, from] = [row * words, otherRow * words];
    for (let index = 0; index < words; index++) {
      if (this.#words[start + index] !== other.#words[from + index]) {
        return false;
      }
    }
    return true;
  }

  /** Whether there was something. */
  isThere(row: number): boolean {
    return this.#field(row, at.mode) !== -1n;
  }

  /** What it is; undefined for sockets, FIFOs and device nodes. */
  type(row: number): keyof typeof types | undefined {
    const type = this.#field(row, at.mode) & typeMask;
    return type === types.file
      ? 'file'
      : type === types.folder
        ? 'folder'
        : type === types.symlink
          ? 'symlink'
          : undefined;
  }

  /** Whether the owner may execute it. */
  isExecutable(row: number): boolean {
    return (this.#field(row, at.mode) & 0o100n) !== 0n;
  }

  /** Size in bytes. */
  size(row: number): number {
    return Number(this.#field(row, at.size));
  }

  /** The number of its file system. */
  device(row: number): bigint {
    return this.#field(row, at.dev);
  }

  /** When its content, mode, links or name changed last, in nanoseconds since 1970: no program can set this. */
  changed(row: number): bigint {
    return this.#field(row, at.ctimeNs);
  }

  /** These rows, and then those of another table. */
  with(other: StateTable): StateTable {
    const bytes = new Uint8Array((this.#length + other.#length) * stateBytes);
    bytes.set(this.bytes);
    bytes.set(other.bytes, this.#length * stateBytes);
    return new StateTable(bytes.buffer);
  }

  /** The first rows. */
  first(count: number): StateTable {
    return new StateTable(this.#numbers.buffer.slice(0, count * stateBytes));
  }

  /** The rows of those numbers, in that order. */
  pick(rows: readonly number[]): StateTable {
    const picked = new StateTable(new ArrayBuffer(rows.length * stateBytes));
    picked.#length = 0;
    for (const row of rows) {
      picked.pushFrom(this, row);
    }
    return picked;
  }

  #field(row: number, field: number): bigint {
    return this.#numbers[row * fields.length + field] ?? -1n;
  }

  #add(): number {
    if ((this.#length + 1) * stateBytes > this.#numbers.byteLength) {
      const grown = new ArrayBuffer(Math.max(64, this.#length * 2) * stateBytes);
      new Uint8Array(grown).set(this.bytes);
      this.#numbers = new BigInt64Array(grown);
      this.#words = new Int32Array(grown);
    }
    return this.#length++;
  }
}
