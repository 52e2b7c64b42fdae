import type { TopicLog } from '../../../log/logs.ts';
import { deleteTopics } from '../../../protocol/kafka/apis/20-delete-topics.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { ZERO_UUID } from '../../../protocol/kafka/schema.ts';
import { changeError, type KafkaError, kafkaError, NO_ERROR } from '../errors.ts';
import { defineHandler, type KafkaParts } from '../handler.ts';
import type { RequestAccess } from '../request-access.ts';
import { duplicatesOf, internalTopicError } from '../topics.ts';

/** Versions before 6 name topics, later ones name or identify them. */
interface Asked {
  readonly name: string | null;
  readonly topicId: string;
}

export const deleteTopicsHandler = defineHandler(
  deleteTopics,
  async (request, { parts, version, access }) => {
    const asked: readonly Asked[] =
      version >= 6 ? request.topics : request.topicNames.map((name) => ({ name, topicId: ZERO_UUID }));
    const duplicates = duplicatesOf(asked.map((topic) => keyOf(topic, parts)));
    const responses = [];
    for (const topic of asked) {
      const key = keyOf(topic, parts);
      if (!duplicates.has(key)) responses.push(await deleteTopic(topic, parts, access));
    }
    for (const key of duplicates) {
      const { name, topicId } = asked.find((topic) => keyOf(topic, parts) === key)!;
      responses.push({ name, topicId, ...kafkaError(KafkaErrorCode.invalidRequest, 'it is said twice') });
    }
    return { responses };
  },
  { needs: ['delete topic', 'describe topic'] },
);

async function deleteTopic(asked: Asked, parts: KafkaParts, access: RequestAccess) {
  const topic = found(asked, parts);
  const name = topic?.name ?? asked.name;
  const topicId = topic?.topicId ?? asked.topicId;
  const denial = name === null ? undefined : access.topicRefusal('delete', name);
  if (denial !== undefined) {
    // A client that may not see a topic is not told the name that belongs to its id.
    const isSeen = asked.name !== null || access.mayTopic('describe', name!);
    return { name: isSeen ? name : null, topicId: asked.topicId, ...denial };
  }
  const error = problemOf(asked, topic, parts);
  if (error !== undefined) return { name, topicId, ...error };
  try {
    await parts.logs.deleteTopic(topic!);
    return { name, topicId, ...NO_ERROR };
  } catch (thrown) {
    return { name, topicId, ...changeError(thrown) };
  }
}

function problemOf(
  { name, topicId }: Asked,
  topic: TopicLog | undefined,
  { settings }: KafkaParts,
): KafkaError | undefined {
  const isNamed = name !== null;
  if (isNamed === (topicId !== ZERO_UUID)) {
    return kafkaError(KafkaErrorCode.invalidRequest, 'a topic is named or identified, one of the two');
  }
  // Elsewhere one can only exist by mistake.
  if (topic !== undefined) return settings.isKafkaDirectory ? internalTopicError(topic.name) : undefined;
  return isNamed
    ? kafkaError(KafkaErrorCode.unknownTopicOrPartition, 'This server does not host this topic-partition.')
    : kafkaError(KafkaErrorCode.unknownTopicId, 'This server does not host this topic ID.');
}

function found({ name, topicId }: Asked, { logs }: KafkaParts): TopicLog | undefined {
  return name === null ? logs.topicById(topicId) : logs.topic(name);
}

/** The same for both ways to say one topic. */
function keyOf(asked: Asked, parts: KafkaParts): string {
  return found(asked, parts)?.topicId ?? `${asked.name} ${asked.topicId}`;
}
