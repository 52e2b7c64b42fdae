import { traceContextOf } from '../../../lib/trace-context.ts';
import type { PartitionLog } from '../../../log/partition-log.ts';
import { GrpcError, Status } from '../../../protocol/grpc/status.ts';
import { RecordFeed } from './record-feed.ts';
import { FIRST_OFFSET, logOffsetOf } from './topics.ts';

export interface Consumed {
  readonly response: { readonly message: Uint8Array; readonly offset: bigint };
  /** The context of the trace that the message belongs to, as metadata. */
  readonly trace: readonly (readonly [name: string, value: string])[];
}

/**
 * The message at one offset.
 *
 * @throws GrpcError UNKNOWN where there is none.
 */
export async function consume(partition: PartitionLog, offset: bigint): Promise<Consumed> {
  const wanted = logOffsetOf(offset);
  if (wanted >= partition.readableEnd('committed')) throw new GrpcError(Status.UNKNOWN, BEYOND_THE_LATEST);
  if (wanted < partition.firstOffset) throw new GrpcError(Status.UNKNOWN, NO_MESSAGE);
  const feed = new RecordFeed(partition, wanted);
  await feed.read(1);
  if (!feed.next() || feed.offset !== wanted) throw new GrpcError(Status.UNKNOWN, NO_MESSAGE);
  const message = feed.bytes.subarray(feed.start, feed.end);
  return {
    response: { message, offset: BigInt(feed.offset + FIRST_OFFSET) },
    trace: traceContextOf((name) => feed.header(name)),
  };
}

export const BEYOND_THE_LATEST = 'offset is greater than the latest offset';
export const NO_MESSAGE = 'no message at offset';
