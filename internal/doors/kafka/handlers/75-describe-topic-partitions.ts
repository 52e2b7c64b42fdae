import type { TopicLog } from '../../../log/logs.ts';
import { isInternalTopic } from '../../../log/names.ts';
import type { PartitionLog } from '../../../log/partition-log.ts';
import { describeTopicPartitions } from '../../../protocol/kafka/apis/75-describe-topic-partitions.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { type RequestOf, type ResponseOf, ZERO_UUID } from '../../../protocol/kafka/schema.ts';
import { defineHandler, type KafkaParts } from '../handler.ts';
import { missingTopic, TOPIC_OPERATIONS } from '../topics.ts';

type Request = RequestOf<typeof describeTopicPartitions>;
type Response = ResponseOf<typeof describeTopicPartitions>;
type Topic = Response['topics'][number];

/** The most partitions of one answer, as Kafka's `max.request.partition.size.limit`. */
const MAX_PARTITIONS = 2_000;

export const describeTopicPartitionsHandler = defineHandler(describeTopicPartitions, (request, { parts }) => {
  if (!isCursorValid(request)) return refused(request);
  return page(namesOf(request, parts), request, parts);
});

/** A cursor points at a partition of a topic that is asked for. */
function isCursorValid({ cursor, topics }: Request): boolean {
  if (cursor === null) return true;
  const isAsked = topics.length === 0 || topics.some(({ name }) => name === cursor.topicName);
  return isAsked && cursor.partitionIndex >= 0;
}

/** The topics of this page and those behind it, in the order of their names; none named means all. */
function namesOf({ topics, cursor }: Request, { logs }: KafkaParts): string[] {
  const asked = topics.length === 0 ? [...logs.topics()] : topics;
  const from = cursor?.topicName ?? '';
  const names = new Set(asked.map(({ name }) => name).filter((name) => name >= from));
  return [...names].sort((a, b) => (a < b ? -1 : 1));
}

function page(names: readonly string[], request: Request, parts: KafkaParts): Response {
  const { cursor, responsePartitionLimit } = request;
  let room = Math.min(Math.max(responsePartitionLimit, 1), MAX_PARTITIONS);
  const topics: Topic[] = [];
  for (const name of names) {
    const topic = parts.logs.topic(name);
    const start = name === cursor?.topicName ? cursor.partitionIndex : 0;
    if (room === 0) return { topics, nextCursor: { topicName: name, partitionIndex: start } };
    if (topic === undefined) {
      topics.push(missing(name));
      continue;
    }
    const end = Math.min(start + room, topic.partitions.length);
    const partitions = topic.partitions.slice(start, end);
    topics.push(describe(topic, partitions, parts));
    room -= partitions.length;
    if (end < topic.partitions.length)
      return { topics, nextCursor: { topicName: name, partitionIndex: end } };
  }
  return { topics, nextCursor: null };
}

function describe(topic: TopicLog, partitions: readonly PartitionLog[], { nodeId }: KafkaParts): Topic {
  return {
    errorCode: KafkaErrorCode.none,
    name: topic.name,
    topicId: topic.topicId,
    isInternal: isInternalTopic(topic.name),
    partitions: partitions.map(({ number, leaderEpoch }) => ({
      errorCode: KafkaErrorCode.none,
      partitionIndex: number,
      leaderId: nodeId,
      leaderEpoch,
      replicaNodes: [nodeId],
      isrNodes: [nodeId],
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
      offlineReplicas: [],
    })),
    topicAuthorizedOperations: TOPIC_OPERATIONS,
  };
}

function missing(name: string): Topic {
  return {
    errorCode: missingTopic(name).errorCode,
    name,
    topicId: ZERO_UUID,
    isInternal: isInternalTopic(name),
    partitions: [],
  };
}

function refused({ topics, cursor }: Request): Response {
  const names = topics.length === 0 ? [cursor!.topicName] : topics.map(({ name }) => name);
  const errorCode = KafkaErrorCode.invalidRequest;
  return { topics: names.map((name) => ({ errorCode, name, topicId: ZERO_UUID, partitions: [] })) };
}
