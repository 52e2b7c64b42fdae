import { MAX_VARINT } from './reader.ts';

/** Bytes of the first buffer: most packets that are written this way fit. */
const FIRST_BYTES = 256;

/** Writes the fields of one packet one after another, into a buffer that grows. */
export class FieldWriter {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  length = 0;

  uint8(value: number): void {
    this.#room(1);
    this.#bytes[this.length++] = value;
  }

  uint16(value: number): void {
    this.#room(2);
    this.length = this.#bytes.writeUInt16BE(value, this.length);
  }

  uint32(value: number): void {
    this.#room(4);
    this.length = this.#bytes.writeUInt32BE(value, this.length);
  }

  varint(value: number): void {
    this.#room(varintBytes(value));
    this.length = writeVarint(this.#bytes, this.length, value);
  }

  text(value: string): void {
    const length = Buffer.byteLength(value);
    checkLength(length);
    this.uint16(length);
    this.#room(length);
    this.length += this.#bytes.write(value, this.length);
  }

  binary(value: Uint8Array): void {
    checkLength(value.length);
    this.uint16(value.length);
    this.raw(value);
  }

  raw(value: Uint8Array): void {
    this.#room(value.length);
    this.#bytes.set(value, this.length);
    this.length += value.length;
  }

  /** What was written. The writer is not used again. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  #room(bytes: number): void {
    if (this.length + bytes <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.length + bytes));
    grown.set(this.#bytes.subarray(0, this.length));
    this.#bytes = grown;
  }
}

/** How many bytes a variable byte integer takes. */
export function varintBytes(value: number): number {
  if (value < 128) return 1;
  if (value < 16_384) return 2;
  return value < 2_097_152 ? 3 : 4;
}

/** Writes a variable byte integer and returns where it ends. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  if (!(value >= 0 && value <= MAX_VARINT)) throw new RangeError(`${value} is no variable byte integer`);
  let rest = value;
  while (rest >= 128) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

/** Of strings and binary data. */
const MAX_FIELD_BYTES = 65_535;

/** @throws RangeError for a field that is longer than its length can say. */
export function checkLength(length: number): void {
  if (length > MAX_FIELD_BYTES) throw new RangeError(`a field of ${length} bytes`);
}
