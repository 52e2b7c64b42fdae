import { parseBatchHeader } from '../../../batch/record-batch.ts';
import type { PartitionLog } from '../../../log/partition-log.ts';

/** An epoch of a partition's leader, and the offset behind its last record. */
export interface EndOfEpoch {
  readonly leaderEpoch: number;
  readonly endOffset: number;
}

/** Stands for no epoch. */
const UNDEFINED_EPOCH = -1;

/**
 * The largest epoch that is not above this one, and where it ended; undefined for an epoch that has not begun. All
 * records came after an epoch before the first one: that ended where they begin. Epochs never fall along a log.
 *
 * @throws StoreError.
 */
export async function endOfEpoch(
  partition: PartitionLog,
  leaderEpoch: number,
): Promise<EndOfEpoch | undefined> {
  if (leaderEpoch === UNDEFINED_EPOCH || leaderEpoch > partition.leaderEpoch) return undefined;
  const { firstOffset, highWatermark } = partition;
  if (leaderEpoch === partition.leaderEpoch) return { leaderEpoch, endOffset: highWatermark };
  let epoch = leaderEpoch;
  let isFound = false;
  let low = firstOffset;
  let high = highWatermark;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [batch] = await partition.readIntact(middle, 1, 'uncommitted');
    const header = batch && parseBatchHeader(batch.bytes, 0);
    if (header === undefined || header.partitionLeaderEpoch > leaderEpoch) {
      high = middle;
    } else {
      epoch = isFound ? Math.max(epoch, header.partitionLeaderEpoch) : header.partitionLeaderEpoch;
      isFound = true;
      low = batch!.lastOffset + 1;
    }
  }
  return { leaderEpoch: epoch, endOffset: low };
}
