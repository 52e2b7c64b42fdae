import type { KafkaClient, TopicMetadata } from '../../../internal/clients/kafka/client.ts';
import { keyOf, type OffsetRange, offsetRanges } from '../../../internal/clients/kafka/offsets.ts';
import { describeLogDirs } from '../../../internal/protocol/kafka/apis/35-describe-log-dirs.ts';

/** What lies in a partition. */
export interface PartitionContents extends Pick<OffsetRange, 'first' | 'end'> {
  /** Undefined where the broker does not tell. */
  bytes: number | undefined;
}

/**
 * What lies in the partitions of some topics, by {@link keyOf}; a partition without a leader is left out.
 *
 * @throws KafkaRefusal
 */
export async function partitionContents(
  client: KafkaClient,
  topics: readonly TopicMetadata[],
): Promise<Map<string, PartitionContents>> {
  const led = topics.flatMap(({ name, partitions }) =>
    partitions
      .filter(({ leaderId }) => leaderId !== -1)
      .map(({ partitionIndex, leaderId }) => ({ topic: name!, partition: partitionIndex, leaderId })),
  );
  const sizes = new Map<string, number>();
  const leaders = new Set(led.map(({ leaderId }) => leaderId));
  const [ranges] = await Promise.all([
    offsetRanges(client, led),
    ...[...leaders].map((leaderId) =>
      addSizes(
        client,
        led.filter((partition) => partition.leaderId === leaderId),
        sizes,
      ),
    ),
  ]);
  return new Map([...ranges].map(([key, { first, end }]) => [key, { first, end, bytes: sizes.get(key) }]));
}

/** @param partitions of one leader. */
async function addSizes(
  client: KafkaClient,
  partitions: readonly { topic: string; partition: number; leaderId: number }[],
  sizes: Map<string, number>,
): Promise<void> {
  const connection = await client.connectionTo(partitions[0].leaderId);
  if (!connection.serves(describeLogDirs)) return;
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic);
  const { results } = await connection.send(describeLogDirs, {
    topics: [...byTopic].map(([topic, those]) => ({
      topic,
      partitions: those.map(({ partition }) => partition),
    })),
  });
  for (const { topics } of results) {
    for (const { name, partitions } of topics) {
      for (const { partitionIndex, partitionSize, isFutureKey } of partitions) {
        if (!isFutureKey) sizes.set(keyOf({ topic: name, partition: partitionIndex }), Number(partitionSize));
      }
    }
  }
}
