import type { NewOffset } from '../../../groups/group-types.ts';
import { offsetCommit } from '../../../protocol/kafka/apis/08-offset-commit.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { defineHandler } from '../handler.ts';
import { askedTopic, unknownTopic } from '../topics.ts';

/**
 * Keeps how far a group has read, for partitions that exist, as long as the broker says: the retention that versions 2
 * to 4 can ask for is not looked at, as it went from the protocol with version 5.
 */
export const offsetCommitHandler = defineHandler(
  offsetCommit,
  async (request, context) => {
    const { version, client, parts, access } = context;
    const isById = version >= FIRST_VERSION_WITH_TOPIC_IDS;
    const answers: { partitionIndex: number; errorCode: KafkaErrorCode }[] = [];
    const offsets: NewOffset[] = [];
    const topics = request.topics.map(({ name, topicId, partitions }) => {
      const topic = askedTopic(parts, isById, { name, topicId });
      const answered = partitions.map((partition) => {
        const { partitionIndex } = partition;
        const answer: (typeof answers)[number] = {
          partitionIndex,
          errorCode: unknownTopic(isById && topic === undefined),
        };
        const denial = topic && access.topicRefusal('read', topic.name);
        if (denial !== undefined) answer.errorCode = denial.errorCode;
        else if (topic?.partitions[partitionIndex] !== undefined) {
          answers.push(answer);
          offsets.push({
            topic: topic.name,
            partition: partitionIndex,
            offset: partition.committedOffset,
            leaderEpoch: partition.committedLeaderEpoch,
            metadata: partition.committedMetadata ?? '',
          });
        }
        return answer;
      });
      return { name, topicId, partitions: answered };
    });
    if (offsets.length > 0) {
      const { groupId, memberId, groupInstanceId, generationIdOrMemberEpoch: generationId } = request;
      const knowsGroupIdNotFound = version >= FIRST_VERSION_WITH_GROUP_ID_NOT_FOUND;
      const commit = { groupId, memberId, groupInstanceId, generationId, knowsGroupIdNotFound, offsets };
      const outcomes = await parts.groups.commit(commit, client);
      for (const [index, answer] of answers.entries()) answer.errorCode = KafkaErrorCode[outcomes[index]!];
    }
    return { topics };
  },
  {
    first: {
      need: 'read group',
      nameOf: ({ groupId }) => groupId,
      refused: ({ errorCode }, { topics }) => ({
        topics: topics.map(({ name, topicId, partitions }) => ({
          name,
          topicId,
          partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
        })),
      }),
    },
    needs: ['read topic'],
  },
);

const FIRST_VERSION_WITH_GROUP_ID_NOT_FOUND = 9;
const FIRST_VERSION_WITH_TOPIC_IDS = 10;
