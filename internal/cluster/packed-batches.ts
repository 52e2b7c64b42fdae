import { isCount, isInteger } from '../lib/shape.ts';
import { packBatches, packBytes } from '../limits/cluster.ts';
import type { BatchSpan, NewBatch, StoredBatch } from '../store/log-store.ts';

/**
 * Batches of one partition and one producer that wait together, as one message: each message costs the servers a write of its own, which is
 * most of what a small batch costs them.
 */
export class Pack {
  readonly batches: NewBatch[] = [];
  /** The largest timestamp of the partition up to the last one. */
  maxTimestamp: number;
  /** Bytes of all batches of the partition before the first one. */
  readonly bytesBefore: number;
  bytes = 0;

  constructor(batch: NewBatch, maxTimestamp: number, bytesBefore: number) {
    this.maxTimestamp = maxTimestamp;
    this.bytesBefore = bytesBefore;
    this.add(batch, maxTimestamp);
  }

  /** Whether a batch may come behind those that are in it. */
  hasRoomFor({ bytes, producer }: NewBatch): boolean {
    const { batches } = this;
    return (
      batches.length < packBatches &&
      this.bytes + bytes.length <= packBytes &&
      batches[0]!.producer?.id === producer?.id
    );
  }

  /** @param maxTimestamp the largest one of the partition up to this batch. */
  add(batch: NewBatch, maxTimestamp: number): void {
    this.batches.push(batch);
    this.bytes += batch.bytes.length;
    this.maxTimestamp = maxTimestamp;
  }
}

/*
 * A body with several batches begins with what is known of each:
 *
 *     bytes u32 | records u32 | last offset f64 | largest timestamp f64       of each batch
 *     the batches
 */
const HEAD_BYTES = 24;

/** One behind the other. A single one is the body by itself. */
export function packedBody(batches: readonly NewBatch[]): Uint8Array {
  if (batches.length === 1) return batches[0]!.bytes;
  const headBytes = batches.length * HEAD_BYTES;
  const bodyBytes = batches.reduce((sum, { bytes }) => sum + bytes.length, headBytes);
  const body = new Uint8Array(bodyBytes);
  const view = new DataView(body.buffer);
  let head = 0;
  let at = headBytes;
  for (const { bytes, count, lastOffset, maxTimestamp } of batches) {
    view.setUint32(head, bytes.length);
    view.setUint32(head + 4, count);
    view.setFloat64(head + 8, lastOffset);
    view.setFloat64(head + 16, maxTimestamp);
    head += HEAD_BYTES;
    body.set(bytes, at);
    at += bytes.length;
  }
  return body;
}

/** What is known of a body from the facts of its message. */
export interface BodyFacts extends BatchSpan {
  readonly count: number;
  readonly batchCount: number;
}

/** Whether a body holds what is known of it. */
export function isBodyOf(
  { batchCount, baseOffset, lastOffset, byteLength }: BodyFacts & { readonly byteLength: number },
  body: Uint8Array,
): boolean {
  if (batchCount === 1) return body.length === byteLength;
  const headBytes = batchCount * HEAD_BYTES;
  if (body.length !== headBytes + byteLength) return false;
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  let next = baseOffset;
  let left = byteLength;
  for (let head = 0; head < headBytes; head += HEAD_BYTES) {
    const last = view.getFloat64(head + 8);
    if (!isCount(last) || last < next || !isInteger(view.getFloat64(head + 16))) return false;
    left -= view.getUint32(head);
    next = last + 1;
  }
  return left === 0 && next === lastOffset + 1;
}

/** The batches of a body. */
export function batchesOf(
  { batchCount, baseOffset, lastOffset: end, count, maxTimestamp }: BodyFacts,
  body: Uint8Array,
): StoredBatch[] {
  if (batchCount === 1) return [{ baseOffset, lastOffset: end, count, maxTimestamp, bytes: body }];
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const batches: StoredBatch[] = [];
  let next = baseOffset;
  let at = batchCount * HEAD_BYTES;
  for (let head = 0; head < batchCount * HEAD_BYTES; head += HEAD_BYTES) {
    const lastOffset = view.getFloat64(head + 8);
    const bytes = body.subarray(at, at + view.getUint32(head));
    batches.push({
      ...{ baseOffset: next, lastOffset, bytes },
      count: view.getUint32(head + 4),
      maxTimestamp: view.getFloat64(head + 16),
    });
    next = lastOffset + 1;
    at += bytes.length;
  }
  return batches;
}
