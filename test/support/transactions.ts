import { buildBatch } from '../../internal/batch/build.ts';
import type { NewBatch } from '../../internal/store/log-store.ts';

/** What happens in a partition, in the order of its offsets. */
export type Happening =
  | { producerId: number; values: readonly string[] }
  | { producerId: number; ends: 'commit' | 'abort' };

const TIMESTAMP = 1_700_000_000_000;
const PLAIN = -1;

/** The batches that a Kafka writes of transactions; those of producer -1 belong to none. */
export function transactionBatches(happenings: readonly Happening[], firstOffset = 0): NewBatch[] {
  let baseOffset = firstOffset;
  return happenings.map((happening) => {
    const batch = batchOf(happening, baseOffset);
    baseOffset = batch.lastOffset + 1;
    return batch;
  });
}

function batchOf(happening: Happening, baseOffset: number): NewBatch {
  const { producerId } = happening;
  const isControl = 'ends' in happening;
  const records = isControl
    ? [
        {
          timestamp: TIMESTAMP,
          key: Buffer.from([0, 0, 0, happening.ends === 'commit' ? 1 : 0]),
          value: Buffer.alloc(6),
        },
      ]
    : happening.values.map((value) => ({
        timestamp: TIMESTAMP,
        key: Buffer.from(`k-${value}`),
        value: Buffer.from(value),
      }));
  const bytes = buildBatch(records, {
    baseOffset,
    partitionLeaderEpoch: 0,
    isTransactional: producerId !== PLAIN,
    isControl,
    producerId,
    producerEpoch: producerId === PLAIN ? -1 : 0,
  });
  const count = records.length;
  return { baseOffset, lastOffset: baseOffset + count - 1, count, maxTimestamp: TIMESTAMP, bytes };
}

export const plain = (...values: string[]): Happening => ({ producerId: PLAIN, values });
export const sent = (producerId: number, ...values: string[]): Happening => ({ producerId, values });
export const committed = (producerId: number): Happening => ({ producerId, ends: 'commit' });
export const aborted = (producerId: number): Happening => ({ producerId, ends: 'abort' });
