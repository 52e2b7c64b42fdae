import { randomBytes } from 'node:crypto';
import { buildBatch } from '../../batch/build.ts';
import { kafkaOffsetsPartitions } from '../../limits/store.ts';
import type { StoreEvent, TopicConfigs } from '../log-store.ts';
import { ChangeGroup } from './change-group.ts';
import {
  CONSUMER_OFFSETS_TOPIC,
  commitKey,
  commitValue,
  groupKey,
  offsetsPartitionOf,
} from './consumer-offsets.ts';
import type { CommitEntry } from './journal-state.ts';
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
   * Keeps commits and removals of commits, as part of a change.
   *
   * @param endedGroup a group of which nothing is to stay.
   */
  async keep(entries: CommitEntry[], endedGroup?: string): Promise<void> {
    if (entries.length === 0 && endedGroup === undefined) return;
    const directory = this.#directory;
    await this.makeTopic();
    const group = new ChangeGroup(directory);
    this.stage(group, entries, endedGroup);
    if (!group.isEmpty) await directory.make(group);
  }

  /**
   * Puts commits and removals of commits into a group of changes. Where there can be a topic for them, it is there.
   *
   * @throws NextGroup, for which all entries have to be of one consumer group, and so of one partition.
   */
  stage(group: ChangeGroup, entries: CommitEntry[], endedGroup?: string): void {
    const { groups, journal, topics } = this.#directory;
    const topic = topics.get(CONSUMER_OFFSETS_TOPIC);
    if (topic === undefined) {
      group.note(entries);
    } else {
      this.#append(group, topic, entries, endedGroup);
      // Commits in the journal, from before the topic existed, must not come back at the next start.
      const noted = entries.filter((entry) => journal.state.hasCommit(entry));
      group.note(noted.map((entry) => ({ ...entry, atMs: 0, commit: null })));
    }
    group.afterwards(() => {
      for (const entry of entries) groups.apply(entry);
    });
  }

  /** Whether {@link makeTopic} would do nothing. */
  get hasTopic(): boolean {
    const { topics, metadataLog } = this.#directory;
    return topics.has(CONSUMER_OFFSETS_TOPIC) || metadataLog === undefined;
  }

  /** Makes the topic, where there is none and a directory can have topics. */
  async makeTopic(): Promise<void> {
    if (this.hasTopic) return;
    const group = new ChangeGroup(this.#directory);
    const newTopic = {
      name: CONSUMER_OFFSETS_TOPIC,
      // Its text does not begin with a dash, which a shell would take for an option.
      topicId: new Uint8Array(Buffer.concat([Buffer.of(1), randomBytes(15)])),
      configs: CONFIGS,
      partitionCount: this.#directory.options.offsetsPartitions ?? kafkaOffsetsPartitions,
      createdAtMs: Date.now(),
    };
    this.#topics.stage(group, newTopic, (topic) => this.#emit({ kind: 'created', topic }));
    await this.#directory.make(group);
  }

  #append(
    group: ChangeGroup,
    topic: OpenTopic,
    entries: CommitEntry[],
    endedGroup: string | undefined,
  ): void {
    const byPartition = new Map<number, OffsetsRecord[]>();
    const put = (name: string, record: OffsetsRecord) => {
      const number = offsetsPartitionOf(name, topic.partitions.length);
      const records = byPartition.get(number);
      if (records === undefined) byPartition.set(number, [record]);
      else records.push(record);
    };
    for (const entry of entries) {
      const value = entry.commit === null ? null : commitValue(entry.commit);
      put(entry.group, { key: commitKey(entry.group, entry), value });
    }
    if (endedGroup !== undefined) put(endedGroup, { key: groupKey(endedGroup), value: null });
    for (const [number, records] of byPartition) this.#appendTo(group, topic, number, records);
  }

  #appendTo(
    group: ChangeGroup,
    { name, partitions }: OpenTopic,
    number: number,
    records: OffsetsRecord[],
  ): void {
    const partition = partitions[number]!;
    const maxTimestamp = Date.now();
    const baseOffset = group.nextOffset(partition);
    const bytes = buildBatch(
      records.map((record) => ({ timestamp: maxTimestamp, ...record })),
      { baseOffset, partitionLeaderEpoch: leaderEpochOf(this.#directory, partition, name, number) },
    );
    const count = records.length;
    const batch = { baseOffset, lastOffset: baseOffset + count - 1, count, maxTimestamp, bytes };
    group.append(partition, name, batch);
    group.afterwards(() => this.#emit({ kind: 'appended', topic: name, partition: number, batch }));
  }
}
