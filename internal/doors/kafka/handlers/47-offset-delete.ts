import { offsetDelete } from '../../../protocol/kafka/apis/47-offset-delete.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { defineHandler } from '../handler.ts';

/** Deletes what a group committed for topics that none of its members reads. */
export const offsetDeleteHandler = defineHandler(
  offsetDelete,
  async (request, { parts, access }) => {
    const answers: { partitionIndex: number; errorCode: KafkaErrorCode }[] = [];
    const existing: { topic: string; partition: number }[] = [];
    const topics = request.topics.map(({ name, partitions }) => {
      const topic = parts.logs.topic(name);
      const denial = access.topicRefusal('read', name);
      const answered = partitions.map(({ partitionIndex }) => {
        const answer: (typeof answers)[number] = {
          partitionIndex,
          errorCode: denial?.errorCode ?? KafkaErrorCode.unknownTopicOrPartition,
        };
        if (denial === undefined && topic?.partitions[partitionIndex] !== undefined) {
          answers.push(answer);
          existing.push({ topic: name, partition: partitionIndex });
        }
        return answer;
      });
      return { name, partitions: answered };
    });
    const outcomes = await parts.groups.deleteOffsets(request.groupId, existing);
    if (typeof outcomes === 'string') return { errorCode: KafkaErrorCode[outcomes], topics: [] };
    for (const [index, answer] of answers.entries()) answer.errorCode = KafkaErrorCode[outcomes[index]!];
    return { errorCode: KafkaErrorCode.none, topics };
  },
  {
    first: {
      need: 'delete group',
      nameOf: ({ groupId }) => groupId,
      refused: ({ errorCode }) => ({ errorCode, topics: [] }),
    },
    needs: ['read topic'],
  },
);
