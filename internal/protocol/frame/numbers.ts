/** Numbers as frames have them: big endian. */

const TWO_TO_32 = 2 ** 32;

export function writeUint32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

/** Two's complement; exact for whole numbers that are safe, and for powers of two. */
export function writeInt64(into: Uint8Array, at: number, value: number): void {
  writeUint32(into, at, Math.floor(value / TWO_TO_32));
  writeUint32(into, at + 4, value);
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

export function readInt64(bytes: Uint8Array, at: number): number {
  return (readUint32(bytes, at) | 0) * TWO_TO_32 + readUint32(bytes, at + 4);
}
