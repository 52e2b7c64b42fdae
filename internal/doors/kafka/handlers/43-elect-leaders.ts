import { electLeaders } from '../../../protocol/kafka/apis/43-elect-leaders.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { type KafkaError, kafkaError } from '../errors.ts';
import { defineHandler, type KafkaParts } from '../handler.ts';
import { topicsByName } from '../topics.ts';

/** Kafka's types of election: the preferred replica, and any that is alive. */
const PREFERRED = 0;
const UNCLEAN = 1;

/** The one broker leads every partition already, and is the preferred replica of each. */
export const electLeadersHandler = defineHandler(
  electLeaders,
  (request, { parts }) => {
    const { electionType, topicPartitions } = request;
    const isKnown = electionType === PREFERRED || electionType === UNCLEAN;
    const outcome = (topic: string, partition: number) =>
      isKnown
        ? electionOf(topic, partition, parts)
        : kafkaError(KafkaErrorCode.invalidRequest, `there is no election of type ${electionType}`);
    return {
      errorCode: isKnown ? KafkaErrorCode.none : KafkaErrorCode.invalidRequest,
      replicaElectionResults:
        topicPartitions === null
          ? nothingToElect(isKnown, parts)
          : topicPartitions.map(({ topic, partitions }) => ({
              topic,
              partitionResult: partitions.map((partitionId) => ({
                partitionId,
                ...outcome(topic, partitionId),
              })),
            })),
    };
  },
  {
    first: {
      need: 'alter broker',
      refused: ({ errorCode }) => ({ errorCode, replicaElectionResults: [] }),
    },
  },
);

/** Asked for all partitions, Kafka names those only whose leader has changed. */
function nothingToElect(isKnown: boolean, parts: KafkaParts) {
  return isKnown ? topicsByName(parts).map(({ name }) => ({ topic: name, partitionResult: [] })) : [];
}

function electionOf(name: string, partition: number, { logs }: KafkaParts): KafkaError {
  const topic = logs.topic(name);
  if (topic === undefined) {
    return kafkaError(KafkaErrorCode.unknownTopicOrPartition, `there is no topic ${name}`);
  }
  if (topic.partitions[partition] === undefined) {
    return kafkaError(KafkaErrorCode.unknownTopicOrPartition, `there is no partition ${name}-${partition}`);
  }
  return kafkaError(KafkaErrorCode.electionNotNeeded, 'the only replica is the leader');
}
