import { maxPartitionsPerTopic } from '../../../limits/kafka.ts';
import { createPartitions } from '../../../protocol/kafka/apis/37-create-partitions.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import type { RequestOf } from '../../../protocol/kafka/schema.ts';
import { changeError, type KafkaError, kafkaError, NO_ERROR } from '../errors.ts';
import { defineHandler, type KafkaParts } from '../handler.ts';
import { assignmentProblem } from '../nodes.ts';
import { duplicatesOf, internalTopicError } from '../topics.ts';

type Asked = RequestOf<typeof createPartitions>['topics'][number];

export const createPartitionsHandler = defineHandler(
  createPartitions,
  async (request, { parts, access }) => {
    const duplicates = duplicatesOf(request.topics.map(({ name }) => name));
    const results = [];
    for (const asked of request.topics) {
      if (duplicates.has(asked.name)) continue;
      results.push({
        name: asked.name,
        ...(access.topicRefusal('alter', asked.name) ?? (await addTo(asked, request.validateOnly, parts))),
      });
    }
    for (const name of duplicates) {
      results.push({ name, ...kafkaError(KafkaErrorCode.invalidRequest, 'Duplicate topic name.') });
    }
    return { results };
  },
  { needs: ['alter topic'] },
);

async function addTo(asked: Asked, validateOnly: boolean, parts: KafkaParts): Promise<KafkaError> {
  const { name, count } = asked;
  const topic = parts.logs.topic(name);
  // Kafka looks for the name only, whether or not a topic may have it.
  if (topic === undefined) return kafkaError(KafkaErrorCode.unknownTopicOrPartition);
  // The partition of a group follows from how many there are.
  const internal = internalTopicError(name);
  if (internal !== undefined) return internal;
  const before = topic.partitions.length;
  if (count <= before || count > maxPartitionsPerTopic) {
    const message =
      count === before
        ? `Topic already has ${before} partition(s).`
        : `Topic ${name} has ${before} partition(s); it can have more, up to ${maxPartitionsPerTopic}, but not ${count}.`;
    return kafkaError(KafkaErrorCode.invalidPartitions, message);
  }
  const problem = assignmentsProblem(asked, count - before, parts);
  if (problem !== undefined) return kafkaError(KafkaErrorCode.invalidReplicaAssignment, problem);
  if (validateOnly) return NO_ERROR;
  try {
    await parts.logs.addPartitions(topic, count);
    return NO_ERROR;
  } catch (error) {
    return changeError(error);
  }
}

function assignmentsProblem(
  { assignments }: Asked,
  added: number,
  { nodes }: KafkaParts,
): string | undefined {
  if (assignments === null) return undefined;
  if (assignments.length !== added) return `${assignments.length} assignments for ${added} more partition(s)`;
  for (const { brokerIds } of assignments) {
    const problem = assignmentProblem(brokerIds, nodes);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
