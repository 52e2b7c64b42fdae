import { BatchHeader, checkBatch, parseBatchHeader } from './record-batch.ts';
import { RecordCursor } from './record-batch-cursor.ts';
import { RecordBatchError } from './record-batch-error.ts';
import { recordBytes } from './record-batch-read.ts';

/** What a broker accepts from a producer. */
export interface BatchLimits {
  /** The largest batch as it is sent, in bytes with its header (Kafka's `max.message.bytes`). */
  maxBatchBytes: number;
  /** The most that the records of a compressed batch may expand to, in bytes. */
  maxExpandedBytes: number;
  /** Whether every record needs a key, as in a compacted topic. */
  requireKeys?: boolean;
}

/**
 * Is told of each batch that is in order, with the latest and the earliest time of its records. The header is
 * overwritten for the next one; where its maxTimestamp is not `maxTimestamp`, {@link setMaxTimestamp} corrects it.
 */
export type BatchSink = (header: BatchHeader, maxTimestamp: number, minTimestamp: number) => void;

/**
 * Checks all batches that a producer sent for a partition, down to every record: complete, magic 2, within
 * the limits, checksum right, no control batch, offsets 0, 1, 2…, as many records as promised. Nothing is
 * kept, and nothing made except for the expanded records of a compressed batch. To be all or nothing, wait
 * for the return before using what `accept` was told.
 *
 * @returns how many records there are.
 * @throws RecordBatchError with the first thing that is wrong.
 */
export function validateBatches(bytes: Uint8Array, limits: BatchLimits, accept?: BatchSink): number {
  if (bytes.length === 0) throw new RecordBatchError('invalid-record', 'no batch at all');
  const header = new BatchHeader();
  const times: Times = { min: 0, max: 0 };
  let total = 0;
  for (let at = 0; at < bytes.length; at = header.end) {
    parseBatchHeader(bytes, at, header);
    checkHeader(header, limits);
    checkBatch(bytes, header);
    checkRecords(bytes, header, limits, times);
    total += header.recordCount;
    accept?.(header, times.max, times.min);
  }
  return total;
}

function checkHeader(header: BatchHeader, limits: BatchLimits): void {
  const size = header.end - header.at;
  if (size > limits.maxBatchBytes) {
    throw new RecordBatchError(
      'too-large',
      `a batch of ${size} bytes; at most ${limits.maxBatchBytes} are accepted`,
    );
  }
  if (header.recordCount <= 0) {
    throw new RecordBatchError('invalid-record', `a batch of ${header.recordCount} records`);
  }
  if (header.lastOffsetDelta !== header.recordCount - 1) {
    throw new RecordBatchError(
      'invalid-record',
      `${header.recordCount} records, and the last has offset ${header.lastOffsetDelta}`,
    );
  }
  if (header.isControl) {
    throw new RecordBatchError('invalid-record', 'only a broker writes control batches');
  }
  if (header.timestampType !== 'create') {
    throw new RecordBatchError('invalid-timestamp', 'only a broker sets log append time');
  }
  if (header.producerId >= 0 && header.baseSequence < 0) {
    throw new RecordBatchError('invalid-record', `sequence ${header.baseSequence} of an idempotent producer`);
  }
}

/** Of the records of a batch, in milliseconds since 1970. */
interface Times {
  min: number;
  max: number;
}

function checkRecords(bytes: Uint8Array, header: BatchHeader, limits: BatchLimits, times: Times): void {
  const { bytes: expanded, start, end } = recordBytes(bytes, header, limits.maxExpandedBytes);
  const cursor = new RecordCursor();
  let at = start;
  let maxTimestampDelta = -Infinity;
  let minTimestampDelta = Infinity;
  for (let index = 0; index < header.recordCount; index++) {
    cursor.read(expanded, at, end, index);
    if (cursor.offsetDelta !== index) {
      throw new RecordBatchError('invalid-record', `record ${index} has offset ${cursor.offsetDelta}`, index);
    }
    if (limits.requireKeys && cursor.keyStart < 0) {
      throw new RecordBatchError('invalid-record', `record ${index} has no key`, index);
    }
    if (cursor.timestampDelta > maxTimestampDelta) maxTimestampDelta = cursor.timestampDelta;
    if (cursor.timestampDelta < minTimestampDelta) minTimestampDelta = cursor.timestampDelta;
    at = cursor.end;
  }
  if (at !== end) {
    throw new RecordBatchError(
      'invalid-record',
      `${end - at} bytes after the last of ${header.recordCount} records`,
    );
  }
  times.max = header.baseTimestamp + maxTimestampDelta;
  times.min = header.baseTimestamp + minTimestampDelta;
  if (!Number.isSafeInteger(times.max) || !Number.isSafeInteger(times.min)) {
    throw new RecordBatchError('invalid-timestamp', 'a timestamp beyond 2^53 ms');
  }
}
