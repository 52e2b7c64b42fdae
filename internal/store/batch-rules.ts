import { maxStoredBatchBytes } from '../limits.ts';
import type { GroupOffset, NewBatch, NewTopic } from './log-store.ts';
import { StoreError } from './store-error.ts';

/** The checks of what is handed to a store, the same for every store. */

/** @throws StoreError `invalid` */
export function checkBatch(batch: NewBatch): void {
  const { baseOffset, lastOffset, count, maxTimestamp, bytes } = batch;
  if (!isOffset(baseOffset) || !isOffset(lastOffset) || lastOffset < baseOffset) {
    throw new StoreError('invalid', `a batch cannot have the offsets ${baseOffset} to ${lastOffset}`);
  }
  if (!isOffset(count)) throw new StoreError('invalid', `a batch cannot have ${count} records`);
  if (!Number.isSafeInteger(maxTimestamp)) {
    throw new StoreError('invalid', `${maxTimestamp} is no timestamp in milliseconds`);
  }
  if (bytes.length === 0 || bytes.length > maxStoredBatchBytes) {
    throw new StoreError('invalid', `a batch has 1 to ${maxStoredBatchBytes} bytes, not ${bytes.length}`);
  }
}

/** Batches that replace others: ascending, without overlap, inside the range. @throws StoreError */
export function checkReplacement(fromOffset: number, toOffset: number, batches: NewBatch[]): void {
  checkOffset(fromOffset);
  checkOffset(toOffset);
  let next = fromOffset;
  for (const batch of batches) {
    checkBatch(batch);
    if (batch.baseOffset < next || batch.lastOffset > toOffset) {
      throw new StoreError('conflict', `offsets ${batch.baseOffset} to ${batch.lastOffset} do not fit there`);
    }
    next = batch.lastOffset + 1;
  }
}

/** @throws StoreError `invalid` for an offset that was given already */
export function checkSkip(offset: number, nextOffset: number): void {
  if (offset < nextOffset) {
    throw new StoreError('invalid', `offset ${offset} is before the next one, ${nextOffset}`);
  }
}

/** @throws StoreError `invalid` */
export function checkTopic(topic: NewTopic): void {
  if (topic.name.length === 0) throw new StoreError('invalid', 'a topic has a name');
  if (topic.topicId.length !== 16) throw new StoreError('invalid', 'a topic id has 16 bytes');
  if (!Number.isSafeInteger(topic.createdAtMs)) {
    throw new StoreError('invalid', `${topic.createdAtMs} is no timestamp in milliseconds`);
  }
  checkPartitionCount(topic.partitionCount);
}

/** @throws StoreError `invalid` */
export function checkPartitionCount(count: number): void {
  if (!isOffset(count) || count === 0) {
    throw new StoreError('invalid', `a topic cannot have ${count} partitions`);
  }
}

/** @throws StoreError `invalid` */
export function checkOffset(offset: number): void {
  if (!isOffset(offset)) throw new StoreError('invalid', `${offset} is no offset`);
}

/** @throws StoreError `invalid` */
export function checkGroupOffsets(offsets: GroupOffset[]): void {
  for (const { offset, partition, leaderEpoch, committedAtMs } of offsets) {
    checkOffset(offset);
    checkOffset(partition);
    if (!Number.isSafeInteger(leaderEpoch) || !Number.isSafeInteger(committedAtMs)) {
      throw new StoreError('invalid', 'a leader epoch and a time are whole numbers');
    }
  }
}

function isOffset(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
