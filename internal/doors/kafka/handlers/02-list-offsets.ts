import { RecordBatchError } from '../../../batch/batch-error.ts';
import { records } from '../../../batch/read.ts';
import { parseBatchHeader } from '../../../batch/record-batch.ts';
import { maxExpandedBatchBytes } from '../../../limits/batch.ts';
import type { Isolation, PartitionLog } from '../../../log/partition-log.ts';
import { listOffsets } from '../../../protocol/kafka/apis/02-list-offsets.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import type { RequestOf, ResponseOf } from '../../../protocol/kafka/schema.ts';
import { storeError } from '../errors.ts';
import { defineHandler, type RequestContext } from '../handler.ts';
import { confirmedLeaderError, duplicatesOf, isolationOf } from '../topics.ts';

type Asked = RequestOf<typeof listOffsets>['topics'][number]['partitions'][number];
type Found = ResponseOf<typeof listOffsets>['topics'][number]['partitions'][number];

export const listOffsetsHandler = defineHandler(
  listOffsets,
  async (request, context) => {
    const named = request.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex }) => `${partitionIndex} ${name}`),
    );
    const duplicates = duplicatesOf(named);
    const isolation = isolationOf(request);
    const topics = request.topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(
        partitions.map((asked) =>
          duplicates.has(`${asked.partitionIndex} ${name}`)
            ? failed(asked, KafkaErrorCode.invalidRequest)
            : listPartition(name, asked, isolation, context),
        ),
      ),
    }));
    return { topics: await Promise.all(topics) };
  },
  { needs: ['describe topic'] },
);

/** The meanings of timestamps below zero, and the version that each begins with. */
const SPECIAL: Readonly<
  Record<number, { fromVersion: number; offset: (partition: PartitionLog, isolation: Isolation) => number }>
> = {
  [-1]: { fromVersion: 1, offset: (partition, isolation) => partition.readableEnd(isolation) },
  [-2]: { fromVersion: 1, offset: ({ firstOffset }) => firstOffset },
  // The earliest one that is not in tiered storage (KIP-405), and the latest one that is (KIP-1005): there is none.
  [-4]: { fromVersion: 8, offset: ({ firstOffset }) => firstOffset },
  [-5]: { fromVersion: 9, offset: () => -1 },
  // The earliest that waits for its upload there (KIP-1023).
  [-6]: { fromVersion: 11, offset: () => -1 },
};
const MAX_TIMESTAMP = -3;
const MAX_TIMESTAMP_FROM_VERSION = 7;

async function listPartition(
  name: string,
  asked: Asked,
  isolation: Isolation,
  { parts, version, access }: RequestContext,
): Promise<Found> {
  const denial = access.topicRefusal('describe', name);
  if (denial !== undefined) return failed(asked, denial.errorCode);
  const partition = parts.logs.topic(name)?.partitions[asked.partitionIndex];
  if (partition === undefined) return failed(asked, KafkaErrorCode.unknownTopicOrPartition);
  const refusal = await confirmedLeaderError(partition, asked.currentLeaderEpoch);
  if (refusal !== undefined) return failed(asked, refusal);
  const { timestamp } = asked;
  if (timestamp < 0 && timestamp !== MAX_TIMESTAMP) {
    const special = SPECIAL[timestamp];
    if (special === undefined || version < special.fromVersion) {
      return failed(asked, KafkaErrorCode.unsupportedVersion);
    }
    return found(asked, partition, { timestamp: -1, offset: special.offset(partition, isolation) });
  }
  if (timestamp === MAX_TIMESTAMP && version < MAX_TIMESTAMP_FROM_VERSION) {
    return failed(asked, KafkaErrorCode.unsupportedVersion);
  }
  try {
    const since = timestamp === MAX_TIMESTAMP ? partition.maxTimestamp : timestamp;
    const first = since < 0 ? undefined : await firstSince(partition, since, isolation);
    return found(asked, partition, first ?? NOTHING);
  } catch (error) {
    if (error instanceof RecordBatchError) return failed(asked, KafkaErrorCode.corruptMessage);
    return failed(asked, storeError(error).errorCode);
  }
}

interface Position {
  timestamp: number;
  offset: number;
}

const NOTHING: Position = { timestamp: -1, offset: -1 };

/** The first record with this time or a later one; as in Kafka, whether it was aborted or not. */
async function firstSince(
  partition: PartitionLog,
  sinceMs: number,
  isolation: Isolation,
): Promise<Position | undefined> {
  let next = await partition.offsetForTime(sinceMs);
  while (next < partition.readableEnd(isolation)) {
    const batches = await partition.readIntact(next, 1, isolation);
    if (batches.length === 0) return undefined;
    for (const { bytes, lastOffset } of batches) {
      for (const { timestamp, offset } of records(bytes, parseBatchHeader(bytes, 0), maxExpandedBatchBytes)) {
        if (timestamp >= sinceMs && offset >= partition.firstOffset) return { timestamp, offset };
      }
      next = lastOffset + 1;
    }
  }
  return undefined;
}

function found(
  { partitionIndex }: Asked,
  { leaderEpoch }: PartitionLog,
  { timestamp, offset }: Position,
): Found {
  const isThere = offset >= 0;
  return {
    partitionIndex,
    errorCode: KafkaErrorCode.none,
    timestamp,
    offset,
    leaderEpoch: isThere ? leaderEpoch : -1,
  };
}

function failed({ partitionIndex }: Asked, errorCode: KafkaErrorCode): Found {
  return { partitionIndex, errorCode, timestamp: -1, offset: -1, leaderEpoch: -1 };
}
