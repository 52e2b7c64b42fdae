import type { PartitionLog } from '../log/partition-log.ts';
import type { ReadFrom, ReplayStart } from './replay-filter.ts';

export const FROM_BEGINNING: ReadFrom = { offset: 0, sinceMs: Number.NEGATIVE_INFINITY };

/** The place in a partition, as it is now, that a start stands for. */
export function startIn(partition: PartitionLog, start: ReplayStart): ReadFrom {
  switch (start.kind) {
    case 'earliest':
      return FROM_BEGINNING;
    case 'latest':
      return { ...FROM_BEGINNING, offset: partition.readableEnd('committed') };
    case 'offset':
      return { ...FROM_BEGINNING, offset: start.offset };
    case 'time':
      return { ...FROM_BEGINNING, sinceMs: start.timeMs };
  }
}

/** The first offset that has to be read; records from before `sinceMs` may stand behind it. */
export async function firstOffset(partition: PartitionLog, { offset, sinceMs }: ReadFrom): Promise<number> {
  const first = Math.max(offset, partition.firstOffset);
  return sinceMs === Number.NEGATIVE_INFINITY
    ? first
    : Math.max(first, await partition.offsetForTime(sinceMs));
}
