import { closeSync, openSync } from 'node:fs';
import type { BatchHeader } from '../../batch/record-batch.ts';
import { isOfProducer } from './append.ts';
import type { KafkaPartition } from './partition.ts';
import type { ProducerNotes } from './producer-notes.ts';
import { walkSegment } from './segment.ts';

/** Brings what is known of the producers of a partition up to its end, from the headers of the batches that were not noted. */
export function followProducers(partition: KafkaPartition, producers: ProducerNotes): void {
  const { id, segments, nextOffset } = partition;
  const from = producers.until(id);
  if (from === undefined || from >= nextOffset) return;
  const follow = (header: BatchHeader) => {
    const { producerId, producerEpoch, baseSequence, recordCount, baseOffset, lastOffset, maxTimestamp } =
      header;
    if (baseOffset < from || producerId < 0 || !isOfProducer(header, producerId)) return true;
    producers.follow(id, {
      producerId,
      epoch: producerEpoch,
      firstSequence: baseSequence,
      count: recordCount,
      baseOffset,
      lastOffset,
      maxTimestamp,
    });
    partition.unnotedBatches++;
    return true;
  };
  for (const [at, segment] of segments.entries()) {
    if ((segments[at + 1]?.baseOffset ?? nextOffset) <= from) continue;
    const fd = openSync(segment.path, 'r');
    try {
      walkSegment(fd, segment, from, follow);
    } finally {
      closeSync(fd);
    }
  }
}
