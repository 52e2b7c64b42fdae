import type { KafkaClient, TopicMetadata } from '../../../internal/clients/kafka/client.ts';

/** All topics, sorted by name. */
export async function allTopics(client: KafkaClient, excludesInternal: boolean): Promise<TopicMetadata[]> {
  const { topics } = await client.metadata(null);
  return topics
    .filter(({ isInternal }) => !(excludesInternal && isInternal))
    .sort((one, other) => (one.name! < other.name! ? -1 : 1));
}
