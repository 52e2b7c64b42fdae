import { RecordBatchError, type RejectedRecord } from './batch-error.ts';
import type { Pace } from './pace.ts';
import { type RecordBytes, recordBytes, recordBytesPaced } from './read.ts';
import { BatchHeader, checkBatch, parseBatchHeader } from './record-batch.ts';
import { RecordCursor, type RecordHeader } from './record-cursor.ts';

/** The batches that a broker accepts from a producer. */
export interface BatchLimits {
  /** The largest batch as it is sent, in bytes with its header (Kafka's `max.message.bytes`). */
  maxBatchBytes: number;
  /** The most that the records of a compressed batch may expand to, in bytes. */
  maxExpandedBytes: number;
  /** Whether every record needs a key, as in a compacted topic. */
  requireKeys?: boolean;
  /** The times that a record may have, in milliseconds since 1970; a record without one (-1) may have none. */
  timestamps?: { readonly earliest: number; readonly latest: number };
  /** Is shown the headers of each record that has some. */
  onHeaders?: (headers: readonly RecordHeader[]) => void;
}

/**
 * Is told of each batch that is in order, with the latest time of its records. The header is overwritten for the next
 * one; where its maxTimestamp is not `maxTimestamp`, {@link setMaxTimestamp} corrects it.
 */
export type BatchSink = (header: BatchHeader, maxTimestamp: number) => void;

/**
 * Checks all batches that a producer sent for a partition, down to every record: complete, magic 2, within
 * the limits, checksum right, no control batch, offsets 0, 1, 2…, as many records as promised. Nothing is
 * kept, and nothing made except for the expanded records of a compressed batch. To be all or nothing, wait
 * for the return before using what `accept` was told.
 *
 * @returns how many records there are.
 * @throws RecordBatchError with the first thing that is wrong, or with every record that must not be accepted.
 */
export function validateBatches(bytes: Uint8Array, limits: BatchLimits, accept?: BatchSink): number {
  const header = new BatchHeader();
  let total = 0;
  for (let at = 0; total === 0 || at < bytes.length; at = header.end) {
    beginBatch(bytes, at, header, limits);
    const records = recordBytes(bytes, header, limits.maxExpandedBytes);
    const check = new RecordsCheck(header, limits, records);
    while (!check.isComplete) check.some();
    const maxTimestamp = check.maxTimestamp();
    total += header.recordCount;
    accept?.(header, maxTimestamp);
  }
  return total;
}

/** {@link validateBatches} without holding others. @throws RecordBatchError as that does. */
export async function validateBatchesPaced(
  bytes: Uint8Array,
  limits: BatchLimits,
  pace: Pace,
  accept?: BatchSink,
): Promise<number> {
  const header = new BatchHeader();
  let total = 0;
  for (let at = 0; total === 0 || at < bytes.length; at = header.end) {
    beginBatch(bytes, at, header, limits);
    const records = await recordBytesPaced(bytes, header, limits.maxExpandedBytes, pace);
    const check = new RecordsCheck(header, limits, records);
    while (!check.isComplete) {
      check.some();
      if (pace.isOver) await pace.turn();
    }
    const maxTimestamp = check.maxTimestamp();
    total += header.recordCount;
    accept?.(header, maxTimestamp);
  }
  return total;
}

/** Reads a batch's header and checks all but its records. */
function beginBatch(bytes: Uint8Array, at: number, header: BatchHeader, limits: BatchLimits): void {
  if (bytes.length === 0) throw new RecordBatchError('invalid-record', 'no batch at all');
  parseBatchHeader(bytes, at, header);
  checkHeader(header, limits);
  checkBatch(bytes, header);
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

/** The records that are checked in one step: some hundred microseconds. */
const STEP_RECORDS = 4_096;

/** So many rejected records of a batch are told one by one, as nobody reads more. */
const MOST_TOLD = 1_000;
/** The timestamp that producers give to records without a time. */
const NO_TIMESTAMP = -1;

/** Checks the records of one batch, in steps. */
class RecordsCheck {
  readonly #cursor = new RecordCursor();
  readonly #records: RecordBytes;
  readonly #count: number;
  readonly #baseTimestamp: number;
  readonly #requireKeys: boolean;
  /** Whether there are times that records may not have. */
  readonly #hasTimes: boolean;
  readonly #earliest: number;
  readonly #latest: number;
  readonly #onHeaders: BatchLimits['onHeaders'];
  readonly #rejected: RejectedRecord[] = [];
  #rejectedCount = 0;
  #hasWrongTime = false;
  #index = 0;
  #at: number;
  #minDelta = Infinity;
  #maxDelta = -Infinity;

  constructor(header: BatchHeader, limits: BatchLimits, records: RecordBytes) {
    const { requireKeys = false, timestamps, onHeaders } = limits;
    this.#onHeaders = onHeaders;
    this.#records = records;
    this.#at = records.start;
    this.#count = header.recordCount;
    this.#baseTimestamp = header.baseTimestamp;
    this.#requireKeys = requireKeys;
    this.#hasTimes = timestamps !== undefined;
    this.#earliest = timestamps?.earliest ?? -Infinity;
    this.#latest = timestamps?.latest ?? Infinity;
  }

  get isComplete(): boolean {
    return this.#index === this.#count;
  }

  /** Checks the next records, up to {@link STEP_RECORDS}. */
  some(): void {
    const { bytes, end } = this.#records;
    const cursor = this.#cursor;
    const onHeaders = this.#onHeaders;
    const until = Math.min(this.#count, this.#index + STEP_RECORDS);
    let at = this.#at;
    let minDelta = this.#minDelta;
    let maxDelta = this.#maxDelta;
    for (let index = this.#index; index < until; index++) {
      cursor.read(bytes, at, end, index);
      if (cursor.offsetDelta !== index) throw misplaced(index, cursor.offsetDelta);
      const delta = cursor.timestampDelta;
      if (delta > maxDelta) maxDelta = delta;
      if (delta < minDelta) minDelta = delta;
      if (onHeaders !== undefined && cursor.headerCount > 0) onHeaders(cursor.headers(bytes));
      if (this.#requireKeys && cursor.keyStart < 0) this.#rejectKeyless(index);
      else if (this.#hasTimes) this.#checkTime(index, this.#baseTimestamp + delta);
      at = cursor.end;
    }
    this.#minDelta = minDelta;
    this.#maxDelta = maxDelta;
    this.#index = until;
    this.#at = at;
  }

  /** The latest time of all records. @throws RecordBatchError where some of them must not be accepted. */
  maxTimestamp(): number {
    const left = this.#records.end - this.#at;
    if (left > 0) {
      const message = `${left} bytes after the last of ${this.#count} records`;
      throw new RecordBatchError('invalid-record', message);
    }
    const latest = this.#baseTimestamp + this.#maxDelta;
    const earliest = this.#baseTimestamp + this.#minDelta;
    if (!Number.isSafeInteger(latest) || !Number.isSafeInteger(earliest)) {
      throw new RecordBatchError('invalid-timestamp', 'a timestamp beyond 2^53 ms');
    }
    if (this.#rejectedCount > 0) throw this.#rejection();
    return latest;
  }

  #checkTime(index: number, timestamp: number): void {
    if (timestamp <= this.#latest && (timestamp >= this.#earliest || timestamp === NO_TIMESTAMP)) return;
    this.#hasWrongTime = true;
    if (++this.#rejectedCount > MOST_TOLD) return;
    const bound = timestamp > this.#latest ? `later than ${this.#latest}` : `earlier than ${this.#earliest}`;
    this.#rejected.push({ index, problem: `record ${index} has timestamp ${timestamp}, ${bound}` });
  }

  #rejectKeyless(index: number): void {
    if (++this.#rejectedCount > MOST_TOLD) return;
    this.#rejected.push({ index, problem: `record ${index} has no key` });
  }

  #rejection(): RecordBatchError {
    const [first] = this.#rejected;
    const others = this.#rejectedCount > 1 ? `, and ${this.#rejectedCount - 1} more of ${this.#count}` : '';
    return new RecordBatchError(
      this.#hasWrongTime ? 'invalid-timestamp' : 'invalid-record',
      `${first!.problem}${others}`,
      first!.index,
      this.#rejected,
    );
  }
}

function misplaced(index: number, offsetDelta: number): RecordBatchError {
  return new RecordBatchError('invalid-record', `record ${index} has offset ${offsetDelta}`, index);
}
