import type { NewOffset } from '../../../log/groups/group-types.ts';
import { offsetCommit } from '../../../protocol/kafka/apis/08-offset-commit.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { defineHandler } from '../handler.ts';

/**
 * Offsets are kept as long as the broker says: the retention that versions 2 to 4 ask for is not looked at, as no
 * client has asked for one since version 5.
 */
export const offsetCommitHandler = defineHandler(
  offsetCommit,
  async (request, { version, client, parts }) => {
    const isById = version >= FIRST_VERSION_WITH_TOPIC_IDS;
    const known: NewOffset[] = [];
    /** For each partition in the order of the request: its place in `known`, or why it is not there. */
    const places: { index: number; errorCode: KafkaErrorCode }[] = [];
    for (const { name, topicId, partitions } of request.topics) {
      const topic = isById ? parts.logs.topicById(topicId) : parts.logs.topic(name);
      for (const partition of partitions) {
        if (topic?.partitions[partition.partitionIndex] === undefined) {
          const isUnknownId = isById && topic === undefined;
          const { unknownTopicId, unknownTopicOrPartition } = KafkaErrorCode;
          places.push({ index: -1, errorCode: isUnknownId ? unknownTopicId : unknownTopicOrPartition });
          continue;
        }
        places.push({ index: known.length, errorCode: KafkaErrorCode.none });
        known.push({
          topic: topic.name,
          partition: partition.partitionIndex,
          offset: partition.committedOffset,
          leaderEpoch: partition.committedLeaderEpoch,
          metadata: partition.committedMetadata ?? '',
        });
      }
    }
    const { groupId, memberId, groupInstanceId } = request;
    const outcomes =
      known.length === 0
        ? []
        : await parts.groups.commit(
            {
              groupId,
              memberId,
              groupInstanceId,
              generationId: request.generationIdOrMemberEpoch,
              knowsGroupIdNotFound: version >= FIRST_VERSION_WITH_GROUP_ID_NOT_FOUND,
              offsets: known,
            },
            client,
          );
    const next = places.values();
    return {
      topics: request.topics.map(({ name, topicId, partitions }) => ({
        name,
        topicId,
        partitions: partitions.map(({ partitionIndex }) => {
          const { index, errorCode } = next.next().value!;
          return { partitionIndex, errorCode: index < 0 ? errorCode : KafkaErrorCode[outcomes[index]] };
        }),
      })),
    };
  },
);

const FIRST_VERSION_WITH_GROUP_ID_NOT_FOUND = 9;
const FIRST_VERSION_WITH_TOPIC_IDS = 10;
