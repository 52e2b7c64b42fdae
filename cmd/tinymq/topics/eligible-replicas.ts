import type { KafkaClient } from '../../../internal/clients/kafka/client.ts';
import { keyOf } from '../../../internal/clients/kafka/offsets.ts';
import { describeTopicPartitions } from '../../../internal/protocol/kafka/apis/75-describe-topic-partitions.ts';

/** The brokers that may lead a partition although they are not in sync; null where nobody says. */
export interface EligibleReplicas {
  elr: readonly number[] | null;
  lastKnownElr: readonly number[] | null;
}

/** Those of all partitions of some topics, by {@link keyOf}; none where the broker is too old to know of them. */
export async function eligibleReplicas(
  client: KafkaClient,
  topics: readonly string[],
): Promise<Map<string, EligibleReplicas>> {
  const found = new Map<string, EligibleReplicas>();
  if (topics.length === 0 || !(await client.serves(describeTopicPartitions))) return found;
  const request = { topics: topics.toSorted().map((name) => ({ name })) };
  let cursor: { topicName: string; partitionIndex: number } | null = null;
  do {
    const answer: Awaited<ReturnType<typeof ask>> = await ask(cursor);
    for (const { name, partitions } of answer.topics) {
      for (const { partitionIndex, eligibleLeaderReplicas: elr, lastKnownElr } of partitions) {
        found.set(keyOf({ topic: name!, partition: partitionIndex }), { elr, lastKnownElr });
      }
    }
    cursor = answer.nextCursor;
  } while (cursor !== null);
  return found;

  function ask(cursor: { topicName: string; partitionIndex: number } | null) {
    return client.send(describeTopicPartitions, { ...request, cursor });
  }
}
