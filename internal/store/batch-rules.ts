import { maxStoredBatchBytes } from '../limits/store.ts';
import type { GroupOffset, NewBatch, NewTopic, StoredPartition } from './log-store.ts';
import { StoreError } from './store-error.ts';

/**
 * The refusals of every store, in the same words: first values that are wrong by themselves, then those that do not fit to what the store
 * has.
 */

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

/** @throws StoreError `batch-too-large` */
export function checkBatchSize(bytes: number, most: number, what = 'batch'): void {
  if (bytes <= most) return;
  throw new StoreError('batch-too-large', `a ${what} of ${bytes} bytes: the store takes at most ${most}`);
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

/** @throws StoreError `conflict` unless a batch begins at the next offset */
export function checkNext(baseOffset: number, nextOffset: number): void {
  if (baseOffset !== nextOffset) {
    throw new StoreError('conflict', `offset ${baseOffset} is not the next one, ${nextOffset}`);
  }
}

/** @throws StoreError `invalid` for an offset that was given already */
export function checkSkip(offset: number, nextOffset: number): void {
  if (offset < nextOffset) {
    throw new StoreError('invalid', `offset ${offset} is before the next one, ${nextOffset}`);
  }
}

/** @throws StoreError `invalid` for a first offset that was not given yet */
export function checkFirst(offset: number, nextOffset: number): void {
  if (offset > nextOffset) {
    throw new StoreError('invalid', `offset ${offset} is beyond the next one, ${nextOffset}`);
  }
}

/** @throws StoreError `invalid` for batches before the first offset or beyond the last */
export function checkReplaced(
  toOffset: number,
  batches: readonly NewBatch[],
  { firstOffset, nextOffset }: Pick<StoredPartition, 'firstOffset' | 'nextOffset'>,
): void {
  if (toOffset >= nextOffset) {
    throw new StoreError('invalid', `offset ${toOffset} is beyond the last one, ${nextOffset - 1}`);
  }
  const [first] = batches;
  if (first !== undefined && first.lastOffset < firstOffset) {
    throw new StoreError('invalid', `offset ${first.lastOffset} is before the first, ${firstOffset}`);
  }
}

/** @throws StoreError `invalid` */
export function checkMorePartitions(topic: string, before: number, wanted: number): void {
  if (before > wanted) throw new StoreError('invalid', `topic ${topic} has ${before} partitions already`);
}

/** The refusal of a batch that lies only partly in the range that is replaced. */
export function reachesOver(baseOffset: number, lastOffset: number): StoreError {
  return new StoreError(
    'conflict',
    `the batch at offsets ${baseOffset} to ${lastOffset} reaches over the range`,
  );
}

export function topicExists(name: string): StoreError {
  return new StoreError('exists', `there is a topic ${name} already`);
}

export function noSuchTopic(name: string): StoreError {
  return new StoreError('not-found', `there is no topic ${name}`);
}

export function noSuchPartition(id: number): StoreError {
  return new StoreError('not-found', `there is no partition with id ${id}`);
}

function isOffset(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
