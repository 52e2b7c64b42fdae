import { deleteRecords } from '../../../protocol/kafka/apis/21-delete-records.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import type { RequestOf } from '../../../protocol/kafka/schema.ts';
import { changeError } from '../errors.ts';
import { defineHandler, type KafkaParts } from '../handler.ts';
import type { RequestAccess } from '../request-access.ts';
import { internalTopicError, leaderError } from '../topics.ts';

type Asked = RequestOf<typeof deleteRecords>['topics'][number]['partitions'][number];

export const deleteRecordsHandler = defineHandler(
  deleteRecords,
  async (request, { parts, access }) => {
    const topics = request.topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(partitions.map((asked) => deleteFrom(name, asked, parts, access))),
    }));
    return { topics: await Promise.all(topics) };
  },
  { needs: ['delete topic'] },
);

/** Stands for the end of the partition. */
const HIGH_WATERMARK = -1;

async function deleteFrom(
  name: string,
  { partitionIndex, offset }: Asked,
  { logs }: KafkaParts,
  access: RequestAccess,
) {
  const topic = logs.topic(name);
  const partition = topic?.partitions[partitionIndex];
  const failed = (errorCode: KafkaErrorCode) => ({ partitionIndex, lowWatermark: -1, errorCode });
  const denial = access.topicRefusal('delete', name);
  if (denial !== undefined) return failed(denial.errorCode);
  if (topic === undefined || partition === undefined) return failed(KafkaErrorCode.unknownTopicOrPartition);
  const internal = internalTopicError(name);
  if (internal !== undefined) return failed(internal.errorCode);
  const wrongLeader = leaderError(partition);
  if (wrongLeader !== undefined) return failed(wrongLeader);
  // As in Kafka: what is kept by key only is not deleted by offset.
  if (!topic.settings.deletes) return failed(KafkaErrorCode.policyViolation);
  const until = offset === HIGH_WATERMARK ? partition.highWatermark : offset;
  if (until < 0 || until > partition.highWatermark) return failed(KafkaErrorCode.offsetOutOfRange);
  try {
    await partition.deleteUntil(until);
    return { partitionIndex, lowWatermark: partition.firstOffset, errorCode: KafkaErrorCode.none };
  } catch (error) {
    return failed(changeError(error).errorCode);
  }
}
