import type { TopicLog } from '../../../log/logs.ts';
import { isInternalTopic } from '../../../log/names.ts';
import type { PartitionLog } from '../../../log/partition-log.ts';
import { describeTopicPartitions } from '../../../protocol/kafka/apis/75-describe-topic-partitions.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { type RequestOf, type ResponseOf, ZERO_UUID } from '../../../protocol/kafka/schema.ts';
import type { KafkaError } from '../errors.ts';
import { defineHandler, type RequestContext } from '../handler.ts';
import { leaderState } from '../nodes.ts';
import { missingTopic } from '../topics.ts';

type Request = RequestOf<typeof describeTopicPartitions>;
type Response = ResponseOf<typeof describeTopicPartitions>;
type Topic = Response['topics'][number];

/** The most partitions of one answer, as Kafka's `max.request.partition.size.limit`. */
const MAX_PARTITIONS = 2_000;

export const describeTopicPartitionsHandler = defineHandler(
  describeTopicPartitions,
  (request, context) => {
    if (!isCursorValid(request)) return refused(request);
    return page(namesOf(request, context), request, context);
  },
  { needs: ['describe topic'] },
);

/** A cursor points at a partition of a topic that is asked for. */
function isCursorValid({ cursor, topics }: Request): boolean {
  if (cursor === null) return true;
  const isAsked = topics.length === 0 || topics.some(({ name }) => name === cursor.topicName);
  return isAsked && cursor.partitionIndex >= 0;
}

/** The topics of this page and those behind it, in the order of their names; none named means all that may be seen. */
function namesOf({ topics, cursor }: Request, { parts, access }: RequestContext): string[] {
  const visible = () => [...parts.logs.topics()].filter(({ name }) => access.mayTopic('describe', name));
  const asked = topics.length === 0 ? visible() : topics;
  const from = cursor?.topicName ?? '';
  const names = new Set(asked.map(({ name }) => name).filter((name) => name >= from));
  return [...names].sort((a, b) => (a < b ? -1 : 1));
}

function page(names: readonly string[], request: Request, context: RequestContext): Response {
  const { parts, access } = context;
  const { cursor, responsePartitionLimit } = request;
  let room = Math.min(Math.max(responsePartitionLimit, 1), MAX_PARTITIONS);
  const topics: Topic[] = [];
  for (const name of names) {
    const topic = parts.logs.topic(name);
    const start = name === cursor?.topicName ? cursor.partitionIndex : 0;
    if (room === 0) return { topics, nextCursor: { topicName: name, partitionIndex: start } };
    const denial = access.topicRefusal('describe', name);
    if (topic === undefined || denial !== undefined) {
      topics.push(missing(name, denial ?? missingTopic(name)));
      continue;
    }
    const end = Math.min(start + room, topic.partitions.length);
    const partitions = topic.partitions.slice(start, end);
    topics.push(describe(topic, partitions, context));
    room -= partitions.length;
    if (end < topic.partitions.length)
      return { topics, nextCursor: { topicName: name, partitionIndex: end } };
  }
  return { topics, nextCursor: null };
}

function describe(topic: TopicLog, partitions: readonly PartitionLog[], context: RequestContext): Topic {
  const { nodes } = context.parts;
  return {
    errorCode: KafkaErrorCode.none,
    name: topic.name,
    topicId: topic.topicId,
    isInternal: isInternalTopic(topic.name),
    partitions: partitions.map((partition) => ({
      ...leaderState(partition, nodes),
      partitionIndex: partition.number,
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
    })),
    topicAuthorizedOperations: context.access.topicOperations(topic.name),
  };
}

function missing(name: string, { errorCode }: KafkaError): Topic {
  return {
    errorCode,
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
