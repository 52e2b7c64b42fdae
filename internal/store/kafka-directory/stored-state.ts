import type { StoredPartition, StoredState, StoredTopic } from '../log-store.ts';
import type { KafkaDirectory, OpenTopic } from './kafka-directory.ts';
import type { KafkaPartition } from './partition.ts';

/** What a directory has, as the log above is told. */
export function storedState(directory: KafkaDirectory): StoredState {
  const names = [...directory.topics.keys()].sort();
  return {
    topics: names.map((name) => storedTopic(directory, directory.topics.get(name)!)),
    groups: directory.groups.all(),
    groupMembers: directory.journal.state.groupMembers(),
  };
}

export function storedTopic(directory: KafkaDirectory, topic: OpenTopic): StoredTopic {
  const { name, topicId, createdAtMs, partitions } = topic;
  return {
    name,
    topicId: new Uint8Array(Buffer.from(topicId, 'base64url')),
    configs: Object.fromEntries(directory.image.configs.get(name) ?? []),
    createdAtMs,
    partitions: partitions.map((partition, number) => storedPartition(directory, partition, name, number)),
  };
}

export function storedPartition(
  directory: KafkaDirectory,
  partition: KafkaPartition,
  topic: string,
  number: number,
): StoredPartition {
  const { id, firstOffset, nextOffset, maxTimestamp, sizeBytes } = partition;
  return {
    id,
    number,
    firstOffset,
    nextOffset,
    leaderEpoch: leaderEpochOf(directory, partition, topic, number),
    maxTimestamp,
    sizeBytes,
    producers: directory.journal.state.producers.stored(id),
    transactions: partition.transactions.stored(),
  };
}

/** The newest of those that the metadata and the batches know. */
export function leaderEpochOf(
  { image }: KafkaDirectory,
  partition: KafkaPartition,
  topic: string,
  number: number,
): number {
  return Math.max(
    image.topic(topic)?.partitions.get(number)?.leaderEpoch ?? 0,
    partition.epochs.at(-1)?.epoch ?? 0,
  );
}
