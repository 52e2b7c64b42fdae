import { decompress } from './compression.ts';
import { CompressionError } from './compression-error.ts';
import { BATCH_HEADER_BYTES, type BatchHeader } from './record-batch.ts';
import { RecordCursor, type RecordHeader } from './record-batch-cursor.ts';
import { RecordBatchError } from './record-batch-error.ts';

/** One record as values; its bytes are views. */
export interface KafkaRecord {
  offset: number;
  /** In milliseconds since 1970. */
  timestamp: number;
  key: Uint8Array | null;
  value: Uint8Array | null;
  headers: RecordHeader[];
}

/**
 * The records of one whole batch, each read when it is asked for.
 *
 * @param header of {@link parseBatchHeader}; it may be used for another batch as soon as this returns.
 * @param maxBytes the most that a compressed batch may expand to.
 * @throws RecordBatchError `truncated`, `corrupt-message`, `too-large` or `unsupported-compression`; from the
 * iterator `invalid-record` or `invalid-timestamp`.
 */
export function records(
  bytes: Uint8Array,
  header: BatchHeader,
  maxBytes: number,
): Generator<KafkaRecord, void, undefined> {
  const { baseOffset, baseTimestamp, recordCount } = header;
  const appendTime = header.timestampType === 'log-append' ? header.maxTimestamp : undefined;
  const { bytes: expanded, start, end } = recordBytes(bytes, header, maxBytes);
  return walk();

  function* walk(): Generator<KafkaRecord, void, undefined> {
    const cursor = new RecordCursor();
    let at = start;
    for (let index = 0; index < recordCount; index++) {
      cursor.read(expanded, at, end, index);
      at = cursor.end;
      yield {
        offset: baseOffset + cursor.offsetDelta,
        timestamp: appendTime ?? baseTimestamp + cursor.timestampDelta,
        key: cursor.keyStart < 0 ? null : expanded.subarray(cursor.keyStart, cursor.keyEnd),
        value: cursor.valueStart < 0 ? null : expanded.subarray(cursor.valueStart, cursor.valueEnd),
        headers: cursor.headerCount === 0 ? [] : cursor.headers(expanded),
      };
    }
  }
}

/**
 * Where the records of a whole batch lie, for a {@link RecordCursor}: in `bytes` itself, or expanded.
 *
 * @param maxBytes the most that a compressed batch may expand to.
 * @throws RecordBatchError `truncated`, `corrupt-message`, `too-large` or `unsupported-compression`.
 */
export function recordBytes(
  bytes: Uint8Array,
  header: BatchHeader,
  maxBytes: number,
): { bytes: Uint8Array; start: number; end: number } {
  const start = header.at + BATCH_HEADER_BYTES;
  if (header.end > bytes.length)
    throw new RecordBatchError('truncated', 'the records of a batch are cut off');
  const codec = header.codec;
  if (codec === 'none') return { bytes, start, end: header.end };
  try {
    const expanded = decompress(codec, bytes.subarray(start, header.end), maxBytes);
    return { bytes: expanded, start: 0, end: expanded.length };
  } catch (error) {
    if (!(error instanceof CompressionError)) throw error;
    throw new RecordBatchError(BATCH_CODE_OF[error.code], error.message);
  }
}

const BATCH_CODE_OF = {
  // The checksum is right: this is what the producer made.
  corrupt: 'invalid-record',
  'too-large': 'too-large',
  'unsupported-codec': 'unsupported-compression',
} as const;
