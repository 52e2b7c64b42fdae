import type { PartitionLog } from '../../../log/partition-log.ts';
import { offsetForLeaderEpoch } from '../../../protocol/kafka/apis/23-offset-for-leader-epoch.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { parseBatchHeader } from '../../../protocol/kafka/record-batch.ts';
import type { RequestOf, ResponseOf } from '../../../protocol/kafka/schema.ts';
import { storeError } from '../errors.ts';
import { defineHandler, type KafkaParts } from '../handler.ts';
import { epochError } from '../topics.ts';

type Asked = RequestOf<typeof offsetForLeaderEpoch>['topics'][number]['partitions'][number];
type Found = ResponseOf<typeof offsetForLeaderEpoch>['topics'][number]['partitions'][number];

export const offsetForLeaderEpochHandler = defineHandler(offsetForLeaderEpoch, async (request, { parts }) => {
  const topics = request.topics.map(async ({ topic, partitions }) => ({
    topic,
    partitions: await Promise.all(partitions.map((asked) => endOfEpoch(topic, asked, parts))),
  }));
  return { topics: await Promise.all(topics) };
});

async function endOfEpoch(name: string, asked: Asked, { logs }: KafkaParts): Promise<Found> {
  const partition = logs.topic(name)?.partitions[asked.partition];
  if (partition === undefined) return failed(asked, KafkaErrorCode.unknownTopicOrPartition);
  const wrongEpoch = epochError(partition, asked.currentLeaderEpoch);
  if (wrongEpoch !== undefined) return failed(asked, wrongEpoch);
  // An epoch that has not begun has no end.
  if (asked.leaderEpoch > partition.leaderEpoch) return failed(asked, KafkaErrorCode.none);
  try {
    const end = await lastEpochUpTo(partition, asked.leaderEpoch);
    return { partition: asked.partition, errorCode: KafkaErrorCode.none, ...end };
  } catch (error) {
    return failed(asked, storeError(error).errorCode);
  }
}

/** The largest epoch that is not above this one, and where it ended. Epochs never fall along a log. */
async function lastEpochUpTo(partition: PartitionLog, leaderEpoch: number) {
  const { highWatermark } = partition;
  if (leaderEpoch === partition.leaderEpoch) return { leaderEpoch, endOffset: highWatermark };
  let epoch = -1;
  let low = partition.firstOffset;
  let high = highWatermark;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [batch] = await partition.read(middle, 1);
    const header = batch && parseBatchHeader(batch.bytes, 0);
    if (header === undefined || header.partitionLeaderEpoch > leaderEpoch) {
      high = middle;
    } else {
      epoch = Math.max(epoch, header.partitionLeaderEpoch);
      low = batch!.lastOffset + 1;
    }
  }
  return epoch < 0 ? { leaderEpoch: -1, endOffset: -1 } : { leaderEpoch: epoch, endOffset: low };
}

function failed({ partition }: Asked, errorCode: KafkaErrorCode): Found {
  return { partition, errorCode, leaderEpoch: -1, endOffset: -1 };
}
