import { RecordBatchError } from './batch-error.ts';
import { CODECS, type Codec } from './compression/compression.ts';
import { crc32c } from './crc32c.ts';

/**
 * The record batch of Kafka, magic 2, big endian:
 *
 *      0 baseOffset (8)      8 batchLength (4)     12 partitionLeaderEpoch (4)   16 magic (1)   17 crc (4)
 *     21 attributes (2)     23 lastOffsetDelta (4) 27 baseTimestamp (8)          35 maxTimestamp (8)
 *     43 producerId (8)     51 producerEpoch (2)   53 baseSequence (4)           57 recordCount (4)
 *     61 records, compressed together as the attributes say
 *
 * batchLength counts from partitionLeaderEpoch on. The crc covers everything from attributes on, so that a
 * broker can give a batch its offsets without summing it up again.
 */
export const BATCH_HEADER_BYTES = 61;
/** The bytes of baseOffset and batchLength: a batch is this much longer than batchLength says. */
export const BATCH_LENGTH_END = 12;
export const SUPPORTED_MAGIC = 2;
const RECORD_COUNT_AT = 57;

export const BatchAttribute = {
  compressionMask: 0x07,
  logAppendTime: 0x08,
  transactional: 0x10,
  control: 0x20,
  /** Compaction has set baseTimestamp to the time at which the tombstones of the batch may go (KIP-534). */
  deleteHorizon: 0x40,
} as const;

/** Whose clock the timestamps of a batch are from. */
export type TimestampType = 'create' | 'log-append';

/**
 * The place and the header of a batch. One object serves for many batches: {@link parseBatchHeader}
 * overwrites it. Offsets, timestamps and ids are numbers; what is beyond 2^53 is refused.
 */
export class BatchHeader {
  /** The start of the batch in the bytes it was read from. */
  at = 0;
  /** Its end there, which may be beyond the bytes. */
  end = 0;
  baseOffset = 0;
  /** In bytes, from partitionLeaderEpoch to the end. */
  batchLength = 0;
  partitionLeaderEpoch = 0;
  magic = 0;
  crc = 0;
  /** All bits, as in {@link BatchAttribute}. */
  attributes = 0;
  lastOffsetDelta = 0;
  /** In milliseconds since 1970, as is maxTimestamp. */
  baseTimestamp = 0;
  maxTimestamp = 0;
  /** -1 where the producer is not idempotent, as are producerEpoch and baseSequence. */
  producerId = 0;
  producerEpoch = 0;
  baseSequence = 0;
  recordCount = 0;

  /** The codec's number, which may be one that is not known. */
  get compressionId(): number {
    return this.attributes & BatchAttribute.compressionMask;
  }

  get timestampType(): TimestampType {
    return (this.attributes & BatchAttribute.logAppendTime) !== 0 ? 'log-append' : 'create';
  }

  get isTransactional(): boolean {
    return (this.attributes & BatchAttribute.transactional) !== 0;
  }

  get isControl(): boolean {
    return (this.attributes & BatchAttribute.control) !== 0;
  }

  /** When its tombstones may go, in milliseconds since 1970; undefined as long as compaction has not seen them. */
  get deleteHorizonMs(): number | undefined {
    return (this.attributes & BatchAttribute.deleteHorizon) !== 0 ? this.baseTimestamp : undefined;
  }

  /** The offset of its last record, or what that was before compaction. */
  get lastOffset(): number {
    return this.baseOffset + this.lastOffsetDelta;
  }

  /** @throws RecordBatchError `unsupported-compression`. */
  get codec(): Codec {
    const codec = CODECS[this.compressionId];
    if (codec === undefined) {
      throw new RecordBatchError('unsupported-compression', `compression ${this.compressionId} is not known`);
    }
    return codec;
  }
}

/**
 * Reads the header of the batch at `at`. Only the header has to be there: compare `end` with what is, and see
 * {@link checkBatch}.
 *
 * @param into the object to fill; a new one by default.
 * @returns `into`.
 * @throws RecordBatchError `truncated` where the header is cut off, `unsupported-magic` for the older message
 * sets, `corrupt-message` for a length or number that no batch can have, `invalid-timestamp` for a time
 * beyond 2^53 ms.
 */
export function parseBatchHeader(bytes: Uint8Array, at: number, into = new BatchHeader()): BatchHeader {
  // The older formats have their magic byte at the same place, and may be shorter than this header.
  if (at + MAGIC_AT < bytes.length) checkMagic(bytes[at + MAGIC_AT]);
  if (at + BATCH_HEADER_BYTES > bytes.length) {
    throw new RecordBatchError(
      'truncated',
      `${bytes.length - at} bytes; a batch header has ${BATCH_HEADER_BYTES}`,
    );
  }
  const batchLength = readInt32(bytes, at + 8);
  if (batchLength < BATCH_HEADER_BYTES - BATCH_LENGTH_END) {
    throw new RecordBatchError('corrupt-message', `a batch length of ${batchLength} bytes`);
  }
  into.at = at;
  into.end = at + BATCH_LENGTH_END + batchLength;
  into.baseOffset = readInt64(bytes, at);
  into.batchLength = batchLength;
  into.partitionLeaderEpoch = readInt32(bytes, at + 12);
  into.magic = bytes[at + MAGIC_AT];
  into.crc = readInt32(bytes, at + CRC_AT) >>> 0;
  into.attributes = readInt16(bytes, at + ATTRIBUTES_AT);
  into.lastOffsetDelta = readInt32(bytes, at + 23);
  into.baseTimestamp = readInt64(bytes, at + 27);
  into.maxTimestamp = readInt64(bytes, at + MAX_TIMESTAMP_AT);
  into.producerId = readInt64(bytes, at + 43);
  into.producerEpoch = readInt16(bytes, at + 51);
  into.baseSequence = readInt32(bytes, at + 53);
  into.recordCount = readInt32(bytes, at + RECORD_COUNT_AT);
  if (!Number.isSafeInteger(into.baseOffset) || !Number.isSafeInteger(into.producerId)) {
    throw new RecordBatchError('corrupt-message', 'a base offset or producer id beyond 2^53');
  }
  if (!Number.isSafeInteger(into.baseTimestamp) || !Number.isSafeInteger(into.maxTimestamp)) {
    throw new RecordBatchError('invalid-timestamp', 'a timestamp beyond 2^53 ms');
  }
  return into;
}

/**
 * Whether the batch of this header lies there whole and as it was summed up: for reading what was validated
 * when it was written.
 *
 * @throws RecordBatchError `truncated` or `corrupt-message`.
 */
export function checkBatch(bytes: Uint8Array, header: BatchHeader): void {
  if (header.end > bytes.length) {
    throw new RecordBatchError(
      'truncated',
      `a batch of ${header.end - header.at} bytes, of which ${bytes.length - header.at} are there`,
    );
  }
  if (crc32c(bytes, header.at + ATTRIBUTES_AT, header.end) !== header.crc) {
    throw new RecordBatchError('corrupt-message', 'the checksum of a batch does not match');
  }
}

/** Records of a batch that are messages: all but marks of transactions. Allocates nothing. */
export function messageCountOf(batch: Uint8Array): number {
  const isControl = (batch[ATTRIBUTES_AT + 1]! & BatchAttribute.control) !== 0;
  return isControl ? 0 : readInt32(batch, RECORD_COUNT_AT);
}

/** Gives the batch at `at` its place in a log, in place. Its checksum does not cover that. */
export function setBaseOffset(bytes: Uint8Array, at: number, baseOffset: number, leaderEpoch: number): void {
  writeInt64(bytes, at, baseOffset);
  writeInt32(bytes, at + BATCH_LENGTH_END, leaderEpoch);
}

/**
 * Corrects maxTimestamp of the batch at `at` in place, with its checksum: some producers send a wrong one.
 *
 * @param maxTimestamp in milliseconds since 1970.
 */
export function setMaxTimestamp(bytes: Uint8Array, at: number, maxTimestamp: number): void {
  writeInt64(bytes, at + MAX_TIMESTAMP_AT, maxTimestamp);
  sealBatch(bytes, at);
}

/**
 * Gives all records of the batch at `at` the time of the broker's clock, in place, with its checksum.
 *
 * @param timestamp in milliseconds since 1970.
 */
export function setLogAppendTime(bytes: Uint8Array, at: number, timestamp: number): void {
  bytes[at + ATTRIBUTES_AT + 1] |= BatchAttribute.logAppendTime;
  setMaxTimestamp(bytes, at, timestamp);
}

/** Writes a header with everything but the checksum, see {@link sealBatch}. */
export function writeBatchHeader(into: Uint8Array, at: number, header: Readonly<BatchHeader>): void {
  writeInt64(into, at, header.baseOffset);
  writeInt32(into, at + 8, header.batchLength);
  writeInt32(into, at + BATCH_LENGTH_END, header.partitionLeaderEpoch);
  into[at + MAGIC_AT] = SUPPORTED_MAGIC;
  writeInt16(into, at + ATTRIBUTES_AT, header.attributes);
  writeInt32(into, at + 23, header.lastOffsetDelta);
  writeInt64(into, at + 27, header.baseTimestamp);
  writeInt64(into, at + MAX_TIMESTAMP_AT, header.maxTimestamp);
  writeInt64(into, at + 43, header.producerId);
  writeInt16(into, at + 51, header.producerEpoch);
  writeInt32(into, at + 53, header.baseSequence);
  writeInt32(into, at + RECORD_COUNT_AT, header.recordCount);
}

/** Writes the checksum of the whole batch at `at`. */
export function sealBatch(bytes: Uint8Array, at: number): void {
  const end = at + BATCH_LENGTH_END + readInt32(bytes, at + 8);
  writeInt32(bytes, at + CRC_AT, crc32c(bytes, at + ATTRIBUTES_AT, end));
}

const MAGIC_AT = 16;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const MAX_TIMESTAMP_AT = 35;

function checkMagic(magic: number): void {
  if (magic === SUPPORTED_MAGIC) return;
  throw new RecordBatchError(
    'unsupported-magic',
    magic < SUPPORTED_MAGIC
      ? `magic ${magic}: message sets from before Kafka 0.11 are not served; use record batches`
      : `magic ${magic} is not known`,
  );
}

function readInt16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) >> 16) | bytes[at + 1];
}

function readInt32(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}

/** Exact up to 2^53; beyond that a number that is not a safe integer. */
function readInt64(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at) * 2 ** 32 + (readInt32(bytes, at + 4) >>> 0);
}

function writeInt16(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 8;
  into[at + 1] = value;
}

function writeInt32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

function writeInt64(into: Uint8Array, at: number, value: number): void {
  writeInt32(into, at, Math.floor(value / 2 ** 32));
  writeInt32(into, at + 4, value >>> 0);
}
