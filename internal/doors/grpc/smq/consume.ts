import type { PartitionLog } from '../../../log/partition-log.ts';
import { GrpcError, Status } from '../../../protocol/grpc/status.ts';
import { RecordFeed } from './record-feed.ts';
import { FIRST_OFFSET, logOffsetOf } from './topics.ts';

/**
 * The message at one offset.
 *
 * @throws GrpcError UNKNOWN where there is none.
 */
export async function consume(
  partition: PartitionLog,
  offset: bigint,
): Promise<{ message: Uint8Array; offset: bigint }> {
  const wanted = logOffsetOf(offset);
  if (wanted >= partition.readableEnd('committed')) throw new GrpcError(Status.UNKNOWN, BEYOND_THE_LATEST);
  if (wanted < partition.firstOffset) throw new GrpcError(Status.UNKNOWN, NO_MESSAGE);
  const feed = new RecordFeed(partition, wanted);
  await feed.read(1);
  if (!feed.next() || feed.offset !== wanted) throw new GrpcError(Status.UNKNOWN, NO_MESSAGE);
  return { message: feed.bytes.subarray(feed.start, feed.end), offset: BigInt(feed.offset + FIRST_OFFSET) };
}

export const BEYOND_THE_LATEST = 'offset is greater than the latest offset';
export const NO_MESSAGE = 'no message at offset';
