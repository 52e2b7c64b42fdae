import { KafkaProtocolError } from './protocol-error.ts';
import { INT64_MAX } from './schema.ts';

const SLAB_BYTES = 16 * 1024;
/** A message begins in a new slab when there is less left than most messages need. */
const MIN_ROOM_BYTES = 512;
const MAX_SLAB_BYTES = 1024 * 1024;
/** Smaller pieces are copied: one write of a little more is cheaper than two. */
const COPY_BELOW_BYTES = 1024;
/** Text that is shorter is written without a call into the engine's own code. */
const SHORT_STRING_CHARACTERS = 40;

const UINT32 = 2 ** 32;

/** The chunk that many messages are written into, one after the other. Bytes that were handed out are not written again. */
let sharedSlab = Buffer.allocUnsafeSlow(SLAB_BYTES);
let sharedSlabUsed = 0;

/**
 * Writes Kafka's primitive types, one after the other, into a list of chunks: large record batches become
 * chunks of their own and are not copied.
 */
export class KafkaWriter {
  #bytes: Buffer;
  /** The start of the chunk in the making. */
  #start: number;
  #at: number;
  readonly #chunks: Uint8Array[] = [];
  #closedBytes = 0;

  /** @param own what to write into at first; without it, memory that messages share. */
  constructor(own?: Buffer) {
    if (own !== undefined) {
      this.#bytes = own;
      this.#start = 0;
      this.#at = 0;
      return;
    }
    if (SLAB_BYTES - sharedSlabUsed < MIN_ROOM_BYTES) {
      sharedSlab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      sharedSlabUsed = 0;
    }
    this.#bytes = sharedSlab;
    this.#start = sharedSlabUsed;
    this.#at = sharedSlabUsed;
    // Nobody else writes here until it is known where this message ends.
    sharedSlabUsed = SLAB_BYTES;
  }

  /** Bytes that were written so far. */
  get length(): number {
    return this.#closedBytes + this.#at - this.#start;
  }

  /** Ends the message and hands out its chunks, none of them empty. Nothing may be written after that. */
  finish(): Uint8Array[] {
    this.#closeChunk();
    if (this.#bytes === sharedSlab) sharedSlabUsed = this.#at;
    return this.#chunks;
  }

  bool(value: boolean): void {
    this.int8(value ? 1 : 0);
  }

  int8(value: number): void {
    if ((value << 24) >> 24 !== value) throw this.#outOfRange(value, 'int8');
    const at = this.#reserve(1);
    this.#bytes[at] = value;
  }

  int16(value: number): void {
    if ((value << 16) >> 16 !== value) throw this.#outOfRange(value, 'int16');
    const at = this.#reserve(2);
    this.#bytes[at] = value >> 8;
    this.#bytes[at + 1] = value;
  }

  uint16(value: number): void {
    if ((value & 0xffff) !== value) throw this.#outOfRange(value, 'uint16');
    const at = this.#reserve(2);
    this.#bytes[at] = value >> 8;
    this.#bytes[at + 1] = value;
  }

  int32(value: number): void {
    if ((value | 0) !== value) throw this.#outOfRange(value, 'int32');
    this.#write32(value);
  }

  uint32(value: number): void {
    if (value >>> 0 !== value) throw this.#outOfRange(value, 'uint32');
    this.#write32(value);
  }

  int64(value: number): void {
    if (value >= INT64_MAX && value !== Number.POSITIVE_INFINITY) {
      this.#write32(0x7fff_ffff);
      this.#write32(-1);
      return;
    }
    if (!Number.isInteger(value) || value < -INT64_MAX) throw this.#outOfRange(value, 'int64');
    const high = Math.floor(value / UINT32);
    this.#write32(high);
    this.#write32(value - high * UINT32);
  }

  float64(value: number): void {
    if (typeof value !== 'number') throw this.#outOfRange(value, 'float64');
    const at = this.#reserve(8);
    this.#bytes.writeDoubleBE(value, at);
  }

  varint(value: number): void {
    if ((value | 0) !== value) throw this.#outOfRange(value, 'varint');
    this.uvarint(((value << 1) ^ (value >> 31)) >>> 0);
  }

  uvarint(value: number): void {
    if (value >>> 0 !== value) throw this.#outOfRange(value, 'unsigned varint');
    let at = this.#reserve(uvarintBytes(value));
    for (; value > 0x7f; value >>>= 7) this.#bytes[at++] = value | 0x80;
    this.#bytes[at] = value;
  }

  /** A string with its length before it: two bytes, or one more than it as a varint. */
  string(value: string, isCompact: boolean): void {
    if (typeof value !== 'string') throw this.#outOfRange(value, 'string');
    if (value.length <= SHORT_STRING_CHARACTERS && this.#shortAscii(value, isCompact)) return;
    const length = Buffer.byteLength(value);
    if (length > 0x7fff) throw this.fault('invalid-value', `string of ${length} bytes; at most 32767 fit`);
    if (isCompact) this.uvarint(length + 1);
    else this.int16(length);
    const at = this.#reserve(length);
    this.#bytes.write(value, at, length, 'utf8');
  }

  uuid(value: string): void {
    const at = this.#reserve(16);
    if (
      typeof value !== 'string' ||
      value.length !== 22 ||
      this.#bytes.write(value, at, 16, 'base64url') !== 16
    ) {
      throw this.#outOfRange(value, 'uuid');
    }
  }

  /** Bytes without their length: copied where they are few, a chunk of their own otherwise. */
  piece(value: Uint8Array): void {
    if (value.length < COPY_BELOW_BYTES) {
      this.copy(value);
      return;
    }
    this.#closeChunk();
    this.#chunks.push(value);
    this.#closedBytes += value.length;
  }

  /** Bytes without their length. */
  copy(value: Uint8Array): void {
    const at = this.#reserve(value.length);
    this.#bytes.set(value, at);
  }

  fault(code: KafkaProtocolError['code'], problem: string): KafkaProtocolError {
    return new KafkaProtocolError(code, problem, this.length);
  }

  #shortAscii(value: string, isCompact: boolean): boolean {
    const { length } = value;
    const before = isCompact ? 1 : 2;
    const at = this.#reserve(before + length);
    const bytes = this.#bytes;
    for (let index = 0; index < length; index++) {
      const character = value.charCodeAt(index);
      if (character > 0x7f) {
        this.#at = at;
        return false;
      }
      bytes[at + before + index] = character;
    }
    if (isCompact) {
      bytes[at] = length + 1;
    } else {
      bytes[at] = 0;
      bytes[at + 1] = length;
    }
    return true;
  }

  #write32(value: number): void {
    const at = this.#reserve(4);
    const bytes = this.#bytes;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
  }

  /** Makes room and returns where it is in `#bytes`, which may be another slab than before. */
  #reserve(length: number): number {
    if (this.#at + length > this.#bytes.length) this.#openChunk(length);
    const at = this.#at;
    this.#at = at + length;
    return at;
  }

  /** Goes on in a new slab; those of a long message double. */
  #openChunk(length: number): void {
    this.#closeChunk();
    const doubled = Math.min(2 * this.#closedBytes, MAX_SLAB_BYTES);
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, doubled, length));
    this.#start = 0;
    this.#at = 0;
  }

  #closeChunk(): void {
    if (this.#at === this.#start) return;
    this.#chunks.push(this.#bytes.subarray(this.#start, this.#at));
    this.#closedBytes += this.#at - this.#start;
    this.#start = this.#at;
  }

  #outOfRange(value: unknown, type: string): KafkaProtocolError {
    const shown = typeof value === 'number' || value == null ? String(value) : typeof value;
    return this.fault('invalid-value', `${shown} is no ${type}`);
  }
}

function uvarintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}
