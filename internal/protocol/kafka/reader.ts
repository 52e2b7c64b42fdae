import { KafkaProtocolError } from './protocol-error.ts';

/**
 * The greatest number of list elements in one message. An element of two bytes becomes an object of some
 * fifty: this bounds what a message can grow to, far above what any client asks for in one request.
 */
export const MAX_ELEMENTS = 500_000;

const UINT32 = 2 ** 32;

/** Reads Kafka's primitive types, one after the other. Nothing is reserved before the bytes are known to be there. */
export class KafkaReader {
  readonly bytes: Buffer;
  /** The offset of the next value. */
  at: number;
  /** The end of the bytes that may be read. */
  end: number;
  #elementsLeft: number;

  /** @param maxElements how many list elements are read before the message is refused. */
  constructor(bytes: Uint8Array, at = 0, maxElements = MAX_ELEMENTS) {
    this.bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
    this.end = bytes.length;
    this.#elementsLeft = maxElements;
  }

  get remaining(): number {
    return this.end - this.at;
  }

  bool(): boolean {
    return this.int8() !== 0;
  }

  int8(): number {
    const at = this.#take(1);
    return (this.bytes[at] << 24) >> 24;
  }

  int16(): number {
    const at = this.#take(2);
    return (((this.bytes[at] << 8) | this.bytes[at + 1]) << 16) >> 16;
  }

  uint16(): number {
    const at = this.#take(2);
    return (this.bytes[at] << 8) | this.bytes[at + 1];
  }

  int32(): number {
    const { bytes } = this;
    const at = this.#take(4);
    return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  }

  uint32(): number {
    return this.int32() >>> 0;
  }

  int64(): number {
    this.#check(8);
    const high = this.int32();
    return high * UINT32 + this.uint32();
  }

  float64(): number {
    return this.bytes.readDoubleBE(this.#take(8));
  }

  varint(): number {
    const zigzag = this.uvarint();
    return (zigzag >>> 1) ^ -(zigzag & 1);
  }

  /** An unsigned number below 2^32, one to five bytes. */
  uvarint(): number {
    const { bytes, end } = this;
    const start = this.at;
    let value = 0;
    for (let at = start, shift = 0; at < end; at++, shift += 7) {
      const byte = bytes[at];
      if (shift === 28 && byte > 0x0f) throw this.fault('invalid-value', 'varint above 32 bits', start);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.at = at + 1;
        return value >>> 0;
      }
    }
    throw this.fault('truncated', 'varint without an end', start);
  }

  /** @param length as it was read before. */
  string(length: number): string {
    const at = this.#take(length);
    return length === 0 ? '' : this.bytes.toString('utf8', at, at + length);
  }

  uuid(): string {
    const at = this.#take(16);
    return this.bytes.toString('base64url', at, at + 16);
  }

  /** A view of the input. */
  view(length: number): Buffer {
    const at = this.#take(length);
    return this.bytes.subarray(at, at + length);
  }

  /** Goes over bytes that nobody asked for. */
  skip(length: number): void {
    this.#take(length);
  }

  /** Refuses a number of elements that cannot be there, before anything is made for them. */
  checkElements(count: number, minElementBytes: number, offset: number): void {
    if (count * minElementBytes > this.remaining) {
      throw this.fault('invalid-length', `${count} elements in ${this.remaining} bytes`, offset);
    }
    this.#elementsLeft -= count;
    if (this.#elementsLeft < 0) throw this.fault('invalid-length', 'too many elements in all', offset);
  }

  fault(code: KafkaProtocolError['code'], problem: string, offset = this.at): KafkaProtocolError {
    return new KafkaProtocolError(code, problem, offset);
  }

  #take(length: number): number {
    const { at } = this;
    if (at + length > this.end) throw this.#truncated(length);
    this.at = at + length;
    return at;
  }

  #check(length: number): void {
    if (this.at + length > this.end) throw this.#truncated(length);
  }

  #truncated(length: number): KafkaProtocolError {
    return this.fault('truncated', `${length} bytes wanted, ${this.remaining} left`);
  }
}
