import { RecordBatchError } from './batch-error.ts';
import { BatchBuilder, varintSize, writeVarint, writeVarlong } from './build.ts';
import { compress } from './compression/compression.ts';
import { recordBytes, records } from './read.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_END,
  BatchAttribute,
  BatchHeader,
  parseBatchHeader,
  sealBatch,
  writeBatchHeader,
} from './record-batch.ts';
import { RecordCursor } from './record-cursor.ts';

/** The records of a batch that are to stay. */
export interface KeepRules {
  /** Whether no later record with the key of this one is known; `key` lies in `bytes` from `start` to before `end`. */
  isLatest(offset: number, bytes: Uint8Array, start: number, end: number): boolean;
  /** Records from this offset on stay, whatever they are. */
  untilOffset: number;
  /** Whether the header stays where no record does, because it has the last sequence of its producer. */
  keepsHeader: boolean;
  /** In milliseconds since 1970. */
  nowMs: number;
  /** The time that a tombstone stays after it was first compacted, in milliseconds. */
  deleteRetentionMs: number;
}

/** The rest of a batch. A horizon is when its tombstones may go; undefined if it has none. */
export type RebuiltBatch =
  | { kind: 'same'; count: number; deleteHorizonMs: number | undefined }
  | { kind: 'gone' }
  | {
      kind: 'rebuilt';
      bytes: Uint8Array;
      count: number;
      maxTimestamp: number;
      deleteHorizonMs: number | undefined;
    };

/**
 * A batch without the records that compaction removes, as Kafka's cleaner makes it. Offsets stay what they were, with
 * gaps; so do the last offset, sequence, epochs and codec. A tombstone goes `deleteRetentionMs` after the first time
 * that it was here: that time is set as the batch's baseTimestamp.
 *
 * @param maxExpandedBytes the most that a compressed batch may expand to.
 * @throws RecordBatchError for a batch that cannot be read.
 */
export function rebuildBatch(bytes: Uint8Array, rules: KeepRules, maxExpandedBytes: number): RebuiltBatch {
  const header = parseBatchHeader(bytes, 0);
  const source = recordBytes(bytes, header, maxExpandedBytes);
  const kept = keptRecords(source, header, rules);
  if (kept.count === 0) {
    if (!rules.keepsHeader) return { kind: 'gone' };
    if (header.recordCount === 0) return { kind: 'same', count: 0, deleteHorizonMs: undefined };
    const { maxTimestamp } = header;
    return { kind: 'rebuilt', bytes: emptyBatch(header), count: 0, maxTimestamp, deleteHorizonMs: undefined };
  }
  const before = header.deleteHorizonMs;
  const newHorizonMs =
    kept.hasTombstone && before === undefined ? horizonFor(rules, header, kept) : undefined;
  const deleteHorizonMs = kept.hasTombstone ? (newHorizonMs ?? before) : undefined;
  if (kept.count === header.recordCount && newHorizonMs === undefined) {
    return { kind: 'same', count: kept.count, deleteHorizonMs };
  }
  const plain =
    newHorizonMs === undefined
      ? joined(source.bytes, kept.runs)
      : rebased(source.bytes, kept, header.baseTimestamp - newHorizonMs);
  if (newHorizonMs !== undefined) {
    header.attributes |= BatchAttribute.deleteHorizon;
    header.baseTimestamp = newHorizonMs;
  }
  if (header.timestampType === 'create') header.maxTimestamp = kept.maxTimestamp;
  header.recordCount = kept.count;
  const { maxTimestamp } = header;
  const rebuilt = batchOf(header, compress(header.codec, plain));
  return { kind: 'rebuilt', bytes: rebuilt, count: kept.count, maxTimestamp, deleteHorizonMs };
}

/** A batch that a broker built, without its first records: the others get offsets of their own. */
export function batchWithoutFirst(
  bytes: Uint8Array,
  count: number,
): { bytes: Uint8Array; maxTimestamp: number } {
  const builder = new BatchBuilder(bytes.length);
  let maxTimestamp = -1;
  const header = parseBatchHeader(bytes, 0);
  for (const { offset, timestamp, key, value, headers } of records(bytes, header, bytes.length)) {
    if (offset - header.baseOffset < count) continue;
    maxTimestamp = Math.max(maxTimestamp, timestamp);
    builder.append(timestamp, key, 0, key?.length ?? 0, value, 0, value?.length ?? 0, headers);
  }
  return { bytes: builder.finish(), maxTimestamp };
}

/**
 * Tells of the key of each record of a batch; of records without one it does not. Stops when `visit` says false.
 *
 * @param maxExpandedBytes the most that a compressed batch may expand to.
 * @throws RecordBatchError for a batch that cannot be read.
 */
export function visitKeys(
  bytes: Uint8Array,
  maxExpandedBytes: number,
  visit: (offset: number, bytes: Uint8Array, start: number, end: number) => boolean,
): void {
  const header = parseBatchHeader(bytes, 0);
  const source = recordBytes(bytes, header, maxExpandedBytes);
  const cursor = new RecordCursor();
  let at = source.start;
  for (let index = 0; index < header.recordCount; index++) {
    cursor.read(source.bytes, at, source.end, index);
    at = cursor.end;
    if (cursor.keyStart < 0) continue;
    if (!visit(header.baseOffset + cursor.offsetDelta, source.bytes, cursor.keyStart, cursor.keyEnd)) return;
  }
}

/** Whose batch it is (-1: no idempotent producer's), and whether compaction must leave it as it is. */
export function compactionFacts(bytes: Uint8Array): { producerId: number; isFixed: boolean } {
  const header = parseBatchHeader(bytes, 0);
  // Whether the records of a transaction count is said by its mark, which comes later, if at all.
  return { producerId: header.producerId, isFixed: header.isControl || header.isTransactional };
}

/** Whether an error of the functions above says that the batch cannot be read. */
export function isUnreadable(error: unknown): boolean {
  return error instanceof RecordBatchError;
}

/** The places of records that stay in the expanded bytes: starts and ends in turn, neighbours as one. */
interface Kept {
  runs: number[];
  count: number;
  hasTombstone: boolean;
  /** In milliseconds since 1970, as is the next. */
  minTimestamp: number;
  maxTimestamp: number;
}

function keptRecords(
  { bytes, start, end }: { bytes: Uint8Array; start: number; end: number },
  header: BatchHeader,
  rules: KeepRules,
): Kept {
  const { baseOffset, baseTimestamp, recordCount, deleteHorizonMs } = header;
  const tombstonesGo = deleteHorizonMs !== undefined && rules.nowMs >= deleteHorizonMs;
  const runs: number[] = [];
  const kept: Kept = { runs, count: 0, hasTombstone: false, minTimestamp: Infinity, maxTimestamp: -Infinity };
  const cursor = new RecordCursor();
  let at = start;
  for (let index = 0; index < recordCount; index++) {
    cursor.read(bytes, at, end, index);
    const isTombstone = cursor.valueStart < 0;
    const offset = baseOffset + cursor.offsetDelta;
    const stays =
      offset >= rules.untilOffset ||
      (cursor.keyStart >= 0 &&
        !(isTombstone && tombstonesGo) &&
        rules.isLatest(offset, bytes, cursor.keyStart, cursor.keyEnd));
    if (stays) {
      if (runs.at(-1) === at) runs[runs.length - 1] = cursor.end;
      else runs.push(at, cursor.end);
      kept.count++;
      if (isTombstone) kept.hasTombstone = true;
      const timestamp = baseTimestamp + cursor.timestampDelta;
      kept.minTimestamp = Math.min(kept.minTimestamp, timestamp);
      kept.maxTimestamp = Math.max(kept.maxTimestamp, timestamp);
    }
    at = cursor.end;
  }
  return kept;
}

/** Undefined where a time is so far away that the difference has no varint: such tombstones stay. */
function horizonFor(rules: KeepRules, header: BatchHeader, kept: Kept): number | undefined {
  const horizonMs = rules.nowMs + rules.deleteRetentionMs;
  const furthest = Math.max(
    Math.abs(kept.minTimestamp - horizonMs),
    Math.abs(kept.maxTimestamp - horizonMs),
    Math.abs(header.baseTimestamp - horizonMs),
  );
  return Number.isSafeInteger(horizonMs) && furthest < MAX_TIMESTAMP_DELTA_MS ? horizonMs : undefined;
}

/** The cursor reads no larger ones. */
const MAX_TIMESTAMP_DELTA_MS = 2 ** 52;

function joined(bytes: Uint8Array, runs: readonly number[]): Uint8Array {
  const into = new Uint8Array(lengthOf(runs));
  let at = 0;
  for (let run = 0; run < runs.length; run += 2) {
    const part = bytes.subarray(runs[run], runs[run + 1]);
    into.set(part, at);
    at += part.length;
  }
  return into;
}

/** The bytes in all of them. */
function lengthOf(runs: readonly number[]): number {
  let length = 0;
  for (let run = 0; run < runs.length; run += 2) length += runs[run + 1]! - runs[run]!;
  return length;
}

/** The records with other timestamp deltas, larger by `shiftMs`; all behind the delta is as it was. */
function rebased(bytes: Uint8Array, { runs, count }: Kept, shiftMs: number): Uint8Array {
  const into = new Uint8Array(lengthOf(runs) + count * MOST_GROWTH_BYTES);
  const cursor = new RecordCursor();
  let to = 0;
  for (let run = 0; run < runs.length; run += 2) {
    const end = runs[run + 1]!;
    for (let at = runs[run]!; at < end; at = cursor.end) {
      cursor.read(bytes, at, end, 0);
      const attributesAt = afterVarint(bytes, at);
      const restAt = afterVarint(bytes, attributesAt + 1);
      // The new delta is written where nothing is yet, for its length comes before it.
      const deltaAt = to + MOST_VARINT_BYTES + 1;
      const deltaLength = writeVarlong(into, deltaAt, cursor.timestampDelta + shiftMs) - deltaAt;
      const bodyLength = 1 + deltaLength + cursor.end - restAt;
      into[deltaAt - 1] = bytes[attributesAt]!;
      const bodyAt = to + varintSize(bodyLength);
      into.copyWithin(bodyAt, deltaAt - 1, deltaAt + deltaLength);
      writeVarint(into, to, bodyLength);
      into.set(bytes.subarray(restAt, cursor.end), bodyAt + 1 + deltaLength);
      to = bodyAt + bodyLength;
    }
  }
  return into.subarray(0, to);
}

const MOST_VARINT_BYTES = 5;
/** A record may get a longer length and a longer delta. */
const MOST_GROWTH_BYTES = MOST_VARINT_BYTES + 10;

function afterVarint(bytes: Uint8Array, at: number): number {
  while (bytes[at]! >= 0x80) at++;
  return at + 1;
}

function emptyBatch(from: BatchHeader): Uint8Array {
  const header = Object.assign(new BatchHeader(), from);
  header.attributes &= ~(BatchAttribute.compressionMask | BatchAttribute.deleteHorizon);
  header.baseTimestamp = -1;
  header.recordCount = 0;
  return batchOf(header, new Uint8Array(0));
}

function batchOf(header: BatchHeader, records: Uint8Array): Uint8Array {
  const batch = new Uint8Array(BATCH_HEADER_BYTES + records.length);
  batch.set(records, BATCH_HEADER_BYTES);
  header.batchLength = batch.length - BATCH_LENGTH_END;
  writeBatchHeader(batch, 0, header);
  sealBatch(batch, 0);
  return batch;
}
