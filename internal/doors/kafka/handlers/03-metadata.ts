import type { TopicLog } from '../../../log/logs.ts';
import { isInternalTopic } from '../../../log/names.ts';
import type { PartitionLog } from '../../../log/partition-log.ts';
import { metadata } from '../../../protocol/kafka/apis/03-metadata.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { type RequestOf, type ResponseOf, ZERO_UUID } from '../../../protocol/kafka/schema.ts';
import type { KafkaError } from '../errors.ts';
import { defineHandler, type KafkaParts, type RequestContext } from '../handler.ts';
import {
  CLUSTER_OPERATIONS,
  missingTopic,
  NO_OPERATIONS,
  TOPIC_OPERATIONS,
  topicOrNew,
  topicsByName,
} from '../topics.ts';

type Request = RequestOf<typeof metadata>;
type Topic = ResponseOf<typeof metadata>['topics'][number];

export const metadataHandler = defineHandler(metadata, async (request, context) => {
  const { parts, client, version } = context;
  const topics = await topicsOf(request, context);
  if (version >= 8 && request.includeTopicAuthorizedOperations) {
    for (const topic of topics) topic.topicAuthorizedOperations = TOPIC_OPERATIONS;
  }
  const wantsOperations = version <= 10 && request.includeClusterAuthorizedOperations;
  return {
    brokers: [{ nodeId: parts.nodeId, ...client.advertised, rack: null }],
    clusterId: parts.clusterId,
    controllerId: parts.nodeId,
    topics,
    clusterAuthorizedOperations: wantsOperations ? CLUSTER_OPERATIONS : NO_OPERATIONS,
    errorCode: KafkaErrorCode.none,
  };
});

type Described = { -readonly [K in keyof Topic]: Topic[K] };

async function topicsOf(request: Request, { parts, version }: RequestContext): Promise<Described[]> {
  const wantsAll = request.topics === null || (version === 0 && request.topics.length === 0);
  if (wantsAll) return topicsByName(parts).map((topic) => describe(topic, parts));
  const mayCreate = parts.settings.autoCreate && (version < 4 || request.allowAutoTopicCreation);
  const topics: Described[] = [];
  for (const { name, topicId } of request.topics!) {
    if (name === null) {
      const topic = parts.logs.topicById(topicId);
      topics.push(topic === undefined ? unknownId(topicId, version) : describe(topic, parts));
      continue;
    }
    const topic = mayCreate ? await topicOrNew(name, parts) : (parts.logs.topic(name) ?? missingTopic(name));
    topics.push('errorCode' in topic ? missing(name, topic) : describe(topic, parts));
  }
  return topics;
}

function describe(topic: TopicLog, parts: KafkaParts): Described {
  return {
    errorCode: KafkaErrorCode.none,
    name: topic.name,
    topicId: topic.topicId,
    isInternal: isInternalTopic(topic.name),
    partitions: topic.partitions.map((partition) => describePartition(partition, parts)),
    topicAuthorizedOperations: NO_OPERATIONS,
  };
}

function describePartition(partition: PartitionLog, { nodeId }: KafkaParts) {
  return {
    errorCode: KafkaErrorCode.none,
    partitionIndex: partition.number,
    leaderId: nodeId,
    leaderEpoch: partition.leaderEpoch,
    replicaNodes: [nodeId],
    isrNodes: [nodeId],
    offlineReplicas: [],
  };
}

function missing(name: string, { errorCode }: KafkaError): Described {
  return { errorCode, name, topicId: ZERO_UUID, partitions: [], topicAuthorizedOperations: NO_OPERATIONS };
}

function unknownId(topicId: string, version: number): Described {
  return {
    errorCode: KafkaErrorCode.unknownTopicId,
    // Only from version 12 on may it be null.
    name: version >= 12 ? null : '',
    topicId,
    partitions: [],
    topicAuthorizedOperations: NO_OPERATIONS,
  };
}
