import { randomBytes } from 'node:crypto';
import { buildBatch } from '../../batch/build.ts';
import { kafkaOffsetsPartitions } from '../../limits/store.ts';
import type { StoreEvent, TopicConfigs } from '../log-store.ts';
import {
  CONSUMER_OFFSETS_TOPIC,
  commitKey,
  commitValue,
  groupKey,
  offsetsPartitionOf,
} from './consumer-offsets.ts';
import type { CommitEntry } from './journal.ts';
import type { KafkaDirectory, OpenTopic } from './kafka-directory.ts';
import { leaderEpochOf } from './stored-state.ts';
import type { KafkaTopics } from './topics.ts';

/** The topic as Kafka creates it. */
const CONFIGS: TopicConfigs = {
  'cleanup.policy': 'compact',
  'compression.type': 'producer',
  'segment.bytes': String(100 * 1024 * 1024),
};

type OffsetsRecord = { key: Uint8Array; value: Uint8Array | null };

/**
 * Writes what groups commit into `__consumer_offsets`, as Kafka's coordinator does, so that the Kafka that goes on with
 * the directory goes on with its groups too. Only where a directory cannot have topics, they are in our journal.
 */
export class KafkaOffsetsTopic {
  readonly #directory: KafkaDirectory;
  readonly #topics: KafkaTopics;
  readonly #emit: (event: StoreEvent) => void;

  constructor(directory: KafkaDirectory, topics: KafkaTopics, emit: (event: StoreEvent) => void) {
    this.#directory = directory;
    this.#topics = topics;
    this.#emit = emit;
  }

  /**
   * Keeps commits and removals of commits.
   *
   * @param endedGroup a group of which nothing is to stay.
   */
  async keep(entries: CommitEntry[], endedGroup?: string): Promise<void> {
    if (entries.length === 0 && endedGroup === undefined) return;
    const directory = this.#directory;
    const topic = await this.#topic();
    if (topic === undefined) {
      await directory.note(entries);
    } else {
      await this.#write(topic, entries, endedGroup);
      await this.#dropNoted(entries);
    }
    for (const entry of entries) directory.groups.apply(entry);
  }

  /** Commits in the journal, from before the topic existed, must not come back at the next start. */
  async #dropNoted(entries: readonly CommitEntry[]): Promise<void> {
    const { journal } = this.#directory;
    const noted = entries.filter((entry) => journal.state.hasCommit(entry));
    await this.#directory.note(noted.map((entry) => ({ ...entry, atMs: 0, commit: null })));
  }

  async #topic(): Promise<OpenTopic | undefined> {
    const directory = this.#directory;
    const known = directory.topics.get(CONSUMER_OFFSETS_TOPIC);
    if (known !== undefined || directory.metadataLog === undefined) return known;
    const topic = await this.#topics.create({
      name: CONSUMER_OFFSETS_TOPIC,
      // Its text does not begin with a dash, which a shell would take for an option.
      topicId: new Uint8Array(Buffer.concat([Buffer.of(1), randomBytes(15)])),
      configs: CONFIGS,
      partitionCount: directory.options.offsetsPartitions ?? kafkaOffsetsPartitions,
      createdAtMs: Date.now(),
    });
    this.#emit({ kind: 'created', topic });
    return directory.topics.get(CONSUMER_OFFSETS_TOPIC);
  }

  async #write(topic: OpenTopic, entries: CommitEntry[], endedGroup: string | undefined): Promise<void> {
    const byPartition = new Map<number, OffsetsRecord[]>();
    const put = (group: string, record: OffsetsRecord) => {
      const number = offsetsPartitionOf(group, topic.partitions.length);
      const records = byPartition.get(number);
      if (records === undefined) byPartition.set(number, [record]);
      else records.push(record);
    };
    for (const entry of entries) {
      const value = entry.commit === null ? null : commitValue(entry.commit);
      put(entry.group, { key: commitKey(entry.group, entry), value });
    }
    if (endedGroup !== undefined) put(endedGroup, { key: groupKey(endedGroup), value: null });
    for (const [number, records] of byPartition) await this.#append(topic, number, records);
  }

  async #append({ name, partitions }: OpenTopic, number: number, records: OffsetsRecord[]): Promise<void> {
    const directory = this.#directory;
    const partition = partitions[number]!;
    const maxTimestamp = Date.now();
    const baseOffset = partition.nextOffset;
    const bytes = buildBatch(
      records.map((record) => ({ timestamp: maxTimestamp, ...record })),
      { baseOffset, partitionLeaderEpoch: leaderEpochOf(directory, partition, name, number) },
    );
    const count = records.length;
    const batch = { baseOffset, lastOffset: baseOffset + count - 1, count, maxTimestamp, bytes };
    await directory.append(partition, batch, name);
    this.#emit({ kind: 'appended', topic: name, partition: number, batch });
  }
}
