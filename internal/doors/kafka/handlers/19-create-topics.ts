import { maxPartitionsPerTopic } from '../../../limits/kafka.ts';
import type { TopicLog } from '../../../log/logs.ts';
import { logNameProblem } from '../../../log/names.ts';
import type { TopicConfigs } from '../../../log/topic-configs.ts';
import { createTopics } from '../../../protocol/kafka/apis/19-create-topics.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { type RequestOf, type ResponseOf, ZERO_UUID } from '../../../protocol/kafka/schema.ts';
import { configsError, configValues, nullConfigError } from '../configs/configs.ts';
import { changeError, type KafkaError, kafkaError, NO_ERROR } from '../errors.ts';
import { defineHandler, type KafkaParts, type RequestContext } from '../handler.ts';
import { assignmentProblem } from '../nodes.ts';
import { duplicatesOf, internalTopicError } from '../topics.ts';

type Asked = RequestOf<typeof createTopics>['topics'][number];
type Created = ResponseOf<typeof createTopics>['topics'][number];

export const createTopicsHandler = defineHandler(
  createTopics,
  async (request, context) => {
    const duplicates = duplicatesOf(request.topics.map(({ name }) => name));
    const topics: Created[] = [];
    for (const asked of request.topics) {
      if (!duplicates.has(asked.name)) topics.push(await createTopic(asked, request.validateOnly, context));
    }
    for (const name of duplicates) {
      topics.push(refused(name, kafkaError(KafkaErrorCode.invalidRequest, 'Duplicate topic name.')));
    }
    return { topics };
  },
  { needs: ['create topic', 'describe-configs topic'] },
);

async function createTopic(
  asked: Asked,
  validateOnly: boolean,
  { parts, access }: RequestContext,
): Promise<Created> {
  const { name } = asked;
  const denial = access.topicRefusal('create', name);
  if (denial !== undefined) return refused(name, denial);
  const nameProblem = logNameProblem(name);
  if (nameProblem !== undefined)
    return refused(name, kafkaError(KafkaErrorCode.invalidTopicException, nameProblem));
  if (parts.logs.topic(name) !== undefined) {
    return refused(name, kafkaError(KafkaErrorCode.topicAlreadyExists, `Topic '${name}' already exists.`));
  }
  const internal = internalTopicError(name);
  if (internal !== undefined) return refused(name, internal);
  // If a config is set twice, the last one counts.
  const configs = Object.fromEntries(asked.configs.map((config) => [config.name, config.value!]));
  const problem =
    nullConfigError(asked.configs, KafkaErrorCode.invalidConfig) ?? configsError(configs, parts);
  if (problem !== undefined) return refused(name, problem);
  const partitionCount = partitionCountOf(asked, parts);
  if (typeof partitionCount !== 'number') return refused(name, partitionCount);
  const shown = (topicId: string): Created =>
    access.mayTopic('describe-configs', name)
      ? created(name, topicId, partitionCount, configs, parts)
      : createdUnseen(name, topicId);
  if (validateOnly) return shown(ZERO_UUID);
  try {
    const topic: TopicLog = await parts.logs.createTopic(name, partitionCount, configs);
    return shown(topic.topicId);
  } catch (error) {
    return refused(name, changeError(error));
  }
}

/** As many as said, or as were assigned to brokers, of which there is one. */
function partitionCountOf(asked: Asked, { settings, nodes }: KafkaParts): number | KafkaError {
  const { numPartitions, replicationFactor, assignments } = asked;
  if (assignments.length > 0) {
    if (numPartitions !== -1 || replicationFactor !== -1) {
      const message = 'Both numPartitions or replicationFactor and replicasAssignments were set.';
      return kafkaError(KafkaErrorCode.invalidRequest, message);
    }
    const indexes = new Set(assignments.map(({ partitionIndex }) => partitionIndex));
    const isWhole =
      assignments.every((_, index) => indexes.has(index)) && indexes.size === assignments.length;
    const isHere = assignments.every(({ brokerIds }) => assignmentProblem(brokerIds, nodes) === undefined);
    if (!isWhole || !isHere) {
      const message =
        nodes.others.length > 0
          ? assignmentProblem([], nodes)
          : `partitions 0 to n are each assigned to broker ${nodes.brokerId}, which is the only one`;
      return kafkaError(KafkaErrorCode.invalidReplicaAssignment, message);
    }
    return partitionCountInBounds(assignments.length);
  }
  const count = partitionCountInBounds(numPartitions === -1 ? settings.defaultPartitions : numPartitions);
  const brokers = 1 + nodes.others.length;
  const isPossible = replicationFactor === -1 || (replicationFactor >= 1 && replicationFactor <= brokers);
  if (typeof count === 'number' && !isPossible) {
    const message =
      brokers === 1
        ? `Replication factor must be 1 or -1 (the default): there is one broker, not ${replicationFactor}.`
        : `Replication factor must be 1 to ${brokers}, or -1 (the default), not ${replicationFactor}.`;
    return kafkaError(KafkaErrorCode.invalidReplicationFactor, message);
  }
  return count;
}

function partitionCountInBounds(count: number): number | KafkaError {
  if (count >= 1 && count <= maxPartitionsPerTopic) return count;
  const message = `Number of partitions must be 1 to ${maxPartitionsPerTopic}, or -1 for the default; not ${count}.`;
  return kafkaError(count > 0 ? KafkaErrorCode.policyViolation : KafkaErrorCode.invalidPartitions, message);
}

function created(
  name: string,
  topicId: string,
  numPartitions: number,
  configs: TopicConfigs,
  parts: KafkaParts,
): Created {
  return {
    name,
    topicId,
    errorCode: KafkaErrorCode.none,
    errorMessage: null,
    numPartitions,
    replicationFactor: 1,
    configs: configValues(configs, parts).map(({ config, value, source }) => ({
      name: config.name,
      value,
      readOnly: false,
      configSource: source,
      isSensitive: false,
    })),
  };
}

/** For who may create a topic and not see its configs. */
function createdUnseen(name: string, topicId: string): Created {
  const topicConfigErrorCode = KafkaErrorCode.topicAuthorizationFailed;
  return { name, topicId, ...NO_ERROR, topicConfigErrorCode, configs: [] };
}

function refused(name: string, error: KafkaError): Created {
  return { name, topicId: ZERO_UUID, ...error, configs: [] };
}
