import { RecordBatchError } from './batch-error.ts';
import { type Codec, decompress, decompressPaced } from './compression/compression.ts';
import { CompressionError } from './compression/compression-error.ts';
import type { Pace } from './pace.ts';
import { BATCH_HEADER_BYTES, type BatchHeader } from './record-batch.ts';
import { RecordCursor, type RecordHeader } from './record-cursor.ts';

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
  return walker(header)(recordBytes(bytes, header, maxBytes));
}

/** {@link records} of a batch that holds nobody while it expands. @throws RecordBatchError as that does. */
export async function recordsPaced(
  bytes: Uint8Array,
  header: BatchHeader,
  maxBytes: number,
  pace: Pace,
): Promise<Generator<KafkaRecord, void, undefined>> {
  const walk = walker(header);
  return walk(await recordBytesPaced(bytes, header, maxBytes, pace));
}

/** Reads the records of a batch where they lie; it keeps the part of the header that it needs. */
function walker(header: BatchHeader): (place: RecordBytes) => Generator<KafkaRecord, void, undefined> {
  const { baseOffset, baseTimestamp, recordCount } = header;
  const appendTime = header.timestampType === 'log-append' ? header.maxTimestamp : undefined;
  return walk;

  function* walk({ bytes: expanded, start, end }: RecordBytes): Generator<KafkaRecord, void, undefined> {
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
 * The place of the records of a whole batch, for a {@link RecordCursor}: in `bytes` itself, or expanded.
 *
 * @param maxBytes the most that a compressed batch may expand to.
 * @throws RecordBatchError `truncated`, `corrupt-message`, `too-large` or `unsupported-compression`.
 */
export function recordBytes(bytes: Uint8Array, header: BatchHeader, maxBytes: number): RecordBytes {
  const { codec, records } = packedRecords(bytes, header);
  if (codec === 'none') return { bytes, start: header.at + BATCH_HEADER_BYTES, end: header.end };
  try {
    return wholly(decompress(codec, records, maxBytes));
  } catch (error) {
    throw expansionError(error);
  }
}

/** {@link recordBytes} without holding others where a batch expands to much. @throws RecordBatchError as that does. */
export async function recordBytesPaced(
  bytes: Uint8Array,
  header: BatchHeader,
  maxBytes: number,
  pace: Pace,
): Promise<RecordBytes> {
  const { codec, records } = packedRecords(bytes, header);
  if (codec === 'none') return { bytes, start: header.at + BATCH_HEADER_BYTES, end: header.end };
  try {
    return wholly(await decompressPaced(codec, records, maxBytes, pace));
  } catch (error) {
    throw expansionError(error);
  }
}

/** The place of records. */
export interface RecordBytes {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

function packedRecords(bytes: Uint8Array, header: BatchHeader): { codec: Codec; records: Uint8Array } {
  if (header.end > bytes.length)
    throw new RecordBatchError('truncated', 'the records of a batch are cut off');
  return { codec: header.codec, records: bytes.subarray(header.at + BATCH_HEADER_BYTES, header.end) };
}

function wholly(bytes: Uint8Array): RecordBytes {
  return { bytes, start: 0, end: bytes.length };
}

function expansionError(error: unknown): unknown {
  if (!(error instanceof CompressionError)) return error;
  return new RecordBatchError(BATCH_CODE_OF[error.code], error.message);
}

const BATCH_CODE_OF = {
  // The checksum is right: this is what the producer made.
  corrupt: 'invalid-record',
  'too-large': 'too-large',
} as const;
