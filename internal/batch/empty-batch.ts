import {
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_END,
  BatchHeader,
  sealBatch,
  writeBatchHeader,
} from './record-batch.ts';

/** The most offsets that one batch takes. */
const MOST_OFFSETS = 2 ** 31 - 1;

/** A batch without records that takes offsets, as compaction leaves them; more than it can take needs several. */
export function emptyBatch(offsets: number): { bytes: Uint8Array; count: number; maxTimestamp: number } {
  const count = Math.min(offsets, MOST_OFFSETS);
  const bytes = new Uint8Array(BATCH_HEADER_BYTES);
  const header = new BatchHeader();
  header.batchLength = bytes.length - BATCH_LENGTH_END;
  header.lastOffsetDelta = count - 1;
  header.baseTimestamp = header.maxTimestamp = -1;
  header.producerId = header.producerEpoch = header.baseSequence = -1;
  writeBatchHeader(bytes, 0, header);
  sealBatch(bytes, 0);
  return { bytes, count, maxTimestamp: -1 };
}
