import { copyRun } from '../lib/bytes.ts';
import { EncodedTexts } from '../lib/encoded-texts.ts';
import { CODECS, type Codec, compress } from './compression/compression.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_END,
  BatchAttribute,
  BatchHeader,
  sealBatch,
  writeBatchHeader,
} from './record-batch.ts';
import type { RecordHeader } from './record-cursor.ts';

/** A record for {@link buildBatch}. */
export interface NewRecord {
  /** In milliseconds since 1970. */
  timestamp: number;
  key: Uint8Array | null;
  value: Uint8Array | null;
  headers?: readonly RecordHeader[];
}

/** The facts of a batch beside its records. */
export interface BatchOptions {
  /** 0 by default; see {@link setBaseOffset}. */
  baseOffset?: number;
  /** -1, not known, by default. */
  partitionLeaderEpoch?: number;
  /** `none` by default. */
  compression?: Codec;
  /** -1, not idempotent, by default; likewise the next two. */
  producerId?: number;
  producerEpoch?: number;
  baseSequence?: number;
  isTransactional?: boolean;
  isControl?: boolean;
}

/**
 * One batch of these records, of which there is at least one.
 *
 * @throws RangeError without a record.
 */
export function buildBatch(records: Iterable<NewRecord>, options: BatchOptions = {}): Uint8Array {
  const builder = new BatchBuilder();
  for (const { timestamp, key, value, headers } of records) {
    builder.append(timestamp, key, 0, key?.length ?? 0, value, 0, value?.length ?? 0, headers);
  }
  return builder.finish(options);
}

/**
 * Collects records into one batch after another. Appending copies the bytes into a buffer that is kept from
 * batch to batch, and makes nothing else.
 */
export class BatchBuilder {
  #buffer: Uint8Array;
  #end = BATCH_HEADER_BYTES;
  #count = 0;
  #baseTimestamp = 0;
  #maxTimestamp = 0;
  readonly #header = new BatchHeader();

  /** @param expectedBytes how large batches usually get; one that does not fit makes the buffer grow. */
  constructor(expectedBytes = 4096) {
    this.#buffer = new Uint8Array(Math.max(BATCH_HEADER_BYTES, expectedBytes));
  }

  /** The number of records that wait. */
  get count(): number {
    return this.#count;
  }

  /** The size that the batch has so far if it is not compressed. */
  get sizeBytes(): number {
    return this.#end;
  }

  /**
   * Adds a record whose key and value are slices of larger buffers; null for none.
   *
   * @param timestamp in milliseconds since 1970.
   */
  append(
    timestamp: number,
    keyBytes: Uint8Array | null,
    keyStart: number,
    keyEnd: number,
    valueBytes: Uint8Array | null,
    valueStart: number,
    valueEnd: number,
    headers: readonly RecordHeader[] = NO_HEADERS,
  ): void {
    if (this.#count === 0) this.#baseTimestamp = this.#maxTimestamp = timestamp;
    else if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp;
    const keyLength = keyBytes === null ? -1 : keyEnd - keyStart;
    const valueLength = valueBytes === null ? -1 : valueEnd - valueStart;
    const mostBytes =
      MOST_OVERHEAD_BYTES + keyLength + valueLength + (headers.length === 0 ? 0 : headersSize(headers));
    if (mostBytes > this.#buffer.length - this.#end) this.#grow(mostBytes);
    const into = this.#buffer;
    // The length comes first and is known last. Making room for the longest record that this can be, and
    // moving it in the rare case that its length takes less, is quicker than adding up all sizes before.
    const bodyAt = this.#end + varintSize(mostBytes);
    into[bodyAt] = 0;
    let at = writeVarlong(into, bodyAt + 1, timestamp - this.#baseTimestamp);
    at = writeVarint(into, at, this.#count);
    at = writeVarint(into, at, keyLength);
    if (keyBytes !== null) at = copyRun(keyBytes, keyStart, keyEnd, into, at);
    at = writeVarint(into, at, valueLength);
    if (valueBytes !== null) at = copyRun(valueBytes, valueStart, valueEnd, into, at);
    if (headers.length === 0) into[at++] = 0;
    else at = writeHeaders(into, at, headers);
    const lengthEnd = writeVarint(into, this.#end, at - bodyAt);
    if (lengthEnd !== bodyAt) {
      into.copyWithin(lengthEnd, bodyAt, at);
      at -= bodyAt - lengthEnd;
    }
    this.#end = at;
    this.#count++;
  }

  /**
   * The batch of all records since the last call, in a buffer of its own.
   *
   * @throws RangeError without a record.
   */
  finish(options: BatchOptions = {}): Uint8Array {
    if (this.#count === 0) throw new RangeError('a batch has at least one record');
    const codec = options.compression ?? 'none';
    const batch = codec === 'none' ? this.#buffer.slice(0, this.#end) : this.#compressed(codec);
    const header = this.#header;
    header.baseOffset = options.baseOffset ?? 0;
    header.batchLength = batch.length - BATCH_LENGTH_END;
    header.partitionLeaderEpoch = options.partitionLeaderEpoch ?? -1;
    header.attributes =
      CODECS.indexOf(codec) |
      (options.isTransactional ? BatchAttribute.transactional : 0) |
      (options.isControl ? BatchAttribute.control : 0);
    header.lastOffsetDelta = this.#count - 1;
    header.baseTimestamp = this.#baseTimestamp;
    header.maxTimestamp = this.#maxTimestamp;
    header.producerId = options.producerId ?? -1;
    header.producerEpoch = options.producerEpoch ?? -1;
    header.baseSequence = options.baseSequence ?? -1;
    header.recordCount = this.#count;
    writeBatchHeader(batch, 0, header);
    sealBatch(batch, 0);
    this.#count = 0;
    this.#end = BATCH_HEADER_BYTES;
    return batch;
  }

  #compressed(codec: Codec): Uint8Array {
    const records = compress(codec, this.#buffer.subarray(BATCH_HEADER_BYTES, this.#end));
    const batch = new Uint8Array(BATCH_HEADER_BYTES + records.length);
    batch.set(records, BATCH_HEADER_BYTES);
    return batch;
  }

  #grow(count: number): void {
    const larger = new Uint8Array(Math.max(this.#buffer.length * 2, this.#end + count));
    larger.set(this.#buffer.subarray(0, this.#end));
    this.#buffer = larger;
  }
}

const NO_HEADERS: readonly RecordHeader[] = [];
/** The most that a record takes beside key, value and headers: attributes, and its varints at their longest. */
const MOST_OVERHEAD_BYTES = 1 + 10 + 5 * 5;

function headersSize(headers: readonly RecordHeader[]): number {
  let size = varintSize(headers.length);
  for (const { key, value } of headers) {
    const keyLength = headerKeys.bytesOf(key).length;
    const valueLength = value === null ? -1 : value.length;
    size += varintSize(keyLength) + keyLength + varintSize(valueLength) + Math.max(0, valueLength);
  }
  return size;
}

function writeHeaders(into: Uint8Array, at: number, headers: readonly RecordHeader[]): number {
  at = writeVarint(into, at, headers.length);
  for (const { key, value } of headers) {
    const keyBytes = headerKeys.bytesOf(key);
    at = writeVarint(into, at, keyBytes.length);
    at = copyRun(keyBytes, 0, keyBytes.length, into, at);
    at = writeVarint(into, at, value === null ? -1 : value.length);
    if (value !== null) at = copyRun(value, 0, value.length, into, at);
  }
  return at;
}

const headerKeys = new EncodedTexts();

/** Bytes that {@link writeVarint} takes. */
export function varintSize(value: number): number {
  const raw = ((value << 1) ^ (value >> 31)) >>> 0;
  if (raw < 0x80) return 1;
  if (raw < 0x4000) return 2;
  if (raw < 0x20_0000) return 3;
  return raw < 0x1000_0000 ? 4 : 5;
}

/** Writes a zigzag varint of 32 bits at `at`. Returns where it ends. */
export function writeVarint(into: Uint8Array, at: number, value: number): number {
  let raw = ((value << 1) ^ (value >> 31)) >>> 0;
  for (; raw >= 0x80; raw >>>= 7) into[at++] = (raw & 0x7f) | 0x80;
  into[at++] = raw;
  return at;
}

/**
 * Writes a zigzag varint of a number up to 2^52 at `at`. Returns where it ends. Times lie close together: nearly all
 * deltas are as small as a varint.
 */
export function writeVarlong(into: Uint8Array, at: number, value: number): number {
  if (value === value << 0) return writeVarint(into, at, value);
  let raw = zigzag(value);
  for (; raw >= 0x80; raw = Math.floor(raw / 128)) into[at++] = (raw % 128) | 0x80;
  into[at++] = raw;
  return at;
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}
