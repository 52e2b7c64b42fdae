import { offsetDelete } from '../../../protocol/kafka/apis/47-offset-delete.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { defineHandler } from '../handler.ts';

export const offsetDeleteHandler = defineHandler(offsetDelete, async (request, { parts }) => {
  const partitions = request.topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex })),
  );
  const exists = partitions.map(
    ({ topic, partition }) => parts.logs.topic(topic)?.partitions[partition] !== undefined,
  );
  const outcomes = await parts.groups.deleteOffsets(
    request.groupId,
    partitions.filter((_, index) => exists[index]),
  );
  if (typeof outcomes === 'string') return { errorCode: KafkaErrorCode[outcomes], topics: [] };
  let asked = 0;
  let answered = 0;
  const errorCode = () =>
    exists[asked++] ? KafkaErrorCode[outcomes[answered++]] : KafkaErrorCode.unknownTopicOrPartition;
  return {
    errorCode: KafkaErrorCode.none,
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: errorCode() })),
    })),
  };
});
