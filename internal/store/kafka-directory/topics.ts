import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buildBatch } from '../../batch/build.ts';
import { BatchHeader, parseBatchHeader } from '../../batch/record-batch.ts';
import {
  ConfigResourceType,
  decodeMetadataRecord,
  encodeMetadataRecord,
} from '../../protocol/kafka/cluster-metadata.ts';
import { checkMorePartitions, noSuchTopic, topicExists } from '../batch-rules.ts';
import type { NewTopic, StoredPartition, StoredTopic, TopicConfigs } from '../log-store.ts';
import { StoreError } from '../store-error.ts';
import { syncDirectory } from '../sync-directory.ts';
import { isTopicName, PARTITION_METADATA_FILE, writeAtomically } from './files.ts';
import type { KafkaDirectory, OpenTopic } from './kafka-directory.ts';
import type { MetadataPartition } from './metadata.ts';
import type { KafkaPartition } from './partition.ts';
import { storedPartition, storedTopic } from './stored-state.ts';

/** The level of `metadata.version` from which partitions say in which directory they lie (Kafka 3.7). */
const DIRECTORIES_LEVEL = 17;
/** A directory that Kafka is to choose. */
const UNASSIGNED_DIRECTORY = Buffer.alloc(16).toString('base64url');

/**
 * Changes of topics, written into the metadata log as Kafka's controller writes them, so that Kafka takes them for its
 * own. Each is one batch, which is there as a whole or not at all.
 */
export class KafkaTopics {
  readonly #directory: KafkaDirectory;

  constructor(directory: KafkaDirectory) {
    this.#directory = directory;
  }

  async create({ name, topicId, configs, partitionCount, createdAtMs }: NewTopic): Promise<StoredTopic> {
    const directory = this.#directory;
    if (directory.topics.has(name)) throw topicExists(name);
    if (!isTopicName(name)) throw new StoreError('invalid', `Kafka allows no topic ${JSON.stringify(name)}`);
    const id = Buffer.from(topicId).toString('base64url');
    if (directory.image.topics.has(id))
      throw new StoreError('exists', `there is a topic with id ${id} already`);
    await this.#append(createdAtMs, [
      encodeMetadataRecord('topic', 0, { name, topicId: id }),
      ...Object.entries(configs).map(([key, value]) => configRecord(name, key, value)),
      ...Array.from({ length: partitionCount }, (_, number) =>
        this.#partitionRecord(id, number, this.#newPartition()),
      ),
    ]);
    const topic: OpenTopic = { name, topicId: id, createdAtMs, partitions: [] };
    directory.addTopic(topic);
    await this.#openFrom(topic, 0);
    return storedTopic(directory, topic);
  }

  async alter(name: string, configs: TopicConfigs): Promise<void> {
    this.#topic(name);
    const before = this.#directory.image.configs.get(name) ?? new Map<string, string>();
    const records: Buffer[] = [];
    for (const key of before.keys()) if (!(key in configs)) records.push(configRecord(name, key, null));
    for (const [key, value] of Object.entries(configs)) {
      if (before.get(key) !== value) records.push(configRecord(name, key, value));
    }
    if (records.length > 0) await this.#append(Date.now(), records);
  }

  async addPartitions(name: string, partitionCount: number): Promise<StoredPartition[]> {
    const topic = this.#topic(name);
    const before = topic.partitions.length;
    checkMorePartitions(name, before, partitionCount);
    if (before === partitionCount) return [];
    const records: Buffer[] = [];
    for (let number = before; number < partitionCount; number++) {
      records.push(this.#partitionRecord(topic.topicId, number, this.#newPartition()));
    }
    await this.#append(Date.now(), records);
    await this.#openFrom(topic, before);
    return topic.partitions
      .slice(before)
      .map((partition, index) => storedPartition(this.#directory, partition, name, before + index));
  }

  async delete(name: string): Promise<void> {
    const directory = this.#directory;
    const topic = this.#topic(name);
    // It may be gone from there already, if the disk failed after that; Kafka does not forgive a second record.
    if (directory.image.topics.has(topic.topicId)) {
      await this.#append(Date.now(), [encodeMetadataRecord('removeTopic', 0, { topicId: topic.topicId })]);
    }
    await directory.note(topic.partitions.map(({ id }) => ({ kind: 'gone-partition', id })));
    directory.topics.delete(name);
    for (const partition of topic.partitions) {
      directory.dropPartition(partition);
      await this.#removeFolder(partition);
    }
  }

  /** Writes the partition's record again, as changes of a leader would raise its epoch only by one each. */
  async setLeaderEpoch(id: number, leaderEpoch: number): Promise<void> {
    const { partition, topic } = this.#directory.demand(id);
    const number = topic.partitions.indexOf(partition);
    const before = this.#directory.image.topic(topic.name)!.partitions.get(number)!;
    const after = { ...before, leaderEpoch, partitionEpoch: before.partitionEpoch + 1 };
    await this.#append(Date.now(), [this.#partitionRecord(topic.topicId, number, after)]);
  }

  #topic(name: string): OpenTopic {
    const topic = this.#directory.topics.get(name);
    if (!topic) throw noSuchTopic(name);
    return topic;
  }

  async #append(timestamp: number, records: Buffer[]): Promise<void> {
    const directory = this.#directory;
    const { metadataLog } = directory;
    if (metadataLog === undefined) {
      throw new StoreError(
        'unsupported',
        'this log directory has no metadata log (__cluster_metadata-0), so topics cannot change',
      );
    }
    directory.refreshMetadata(metadataLog);
    const { image } = directory;
    const epoch = Math.max(image.leaderEpoch, metadataLog.epochs.at(-1)?.epoch ?? 0);
    const bytes = buildBatch(
      records.map((value) => ({ timestamp, key: null, value })),
      { baseOffset: metadataLog.nextOffset, partitionLeaderEpoch: epoch },
    );
    const { baseOffset, lastOffset, recordCount, maxTimestamp } = parseBatchHeader(
      bytes,
      0,
      new BatchHeader(),
    );
    await directory.beforeChange();
    await directory.note([{ kind: 'metadata-end', offset: lastOffset + 1 }]);
    await directory.append(metadataLog, { baseOffset, lastOffset, count: recordCount, maxTimestamp, bytes });
    for (const value of records) image.apply(decodeMetadataRecord(value)!, timestamp);
  }

  /** Makes the folders of new partitions. */
  async #openFrom(topic: OpenTopic, first: number): Promise<void> {
    const directory = this.#directory;
    const described = directory.image.topics.get(topic.topicId)!;
    const entries = [];
    for (let number = first; number < described.partitions.size; number++) {
      const partition = directory.openPartition(described, number, new Map());
      entries.push({ kind: 'partition', id: partition.id, topicId: topic.topicId, number } as const);
      const { nextOffset: offset } = partition;
      entries.push({ kind: 'producers-until', id: partition.id, offset } as const);
      topic.partitions.push(partition);
      directory.partitions.set(partition.id, { partition, topic });
      await mkdir(partition.folder, { recursive: true });
      await writeAtomically(
        join(partition.folder, PARTITION_METADATA_FILE),
        `version: 0\ntopic_id: ${topic.topicId}\n`,
      );
      syncDirectory(dirname(partition.folder));
    }
    await directory.note(entries);
  }

  #newPartition(): MetadataPartition {
    const { nodeId, directoryId } = this.#directory.identity;
    const node = Number(nodeId);
    return {
      replicas: [node],
      isr: [node],
      leader: node,
      leaderEpoch: 0,
      partitionEpoch: 0,
      directories: [directoryId || UNASSIGNED_DIRECTORY],
    };
  }

  #partitionRecord(topicId: string, partitionId: number, partition: MetadataPartition): Buffer {
    const level = this.#directory.image.features.get('metadata.version') ?? DIRECTORIES_LEVEL;
    const hasDirectories = level >= DIRECTORIES_LEVEL;
    const { directories, ...rest } = partition;
    return encodeMetadataRecord('partition', hasDirectories ? 1 : 0, {
      partitionId,
      topicId,
      removingReplicas: [],
      addingReplicas: [],
      ...rest,
      ...(hasDirectories && { directories }),
    });
  }

  /** Kafka's own way: first out of sight under another name, then away. */
  async #removeFolder(partition: KafkaPartition): Promise<void> {
    const { readers, writers } = this.#directory.files;
    await this.#directory.writes.checkpoint();
    await partition.gate.alone(async () => {
      for (const { path } of partition.segments) {
        await readers.forget(path);
        await writers.forget(path);
      }
      const goes = `${partition.folder}.${crypto.randomUUID().replaceAll('-', '')}-delete`;
      try {
        await rename(partition.folder, goes);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
        throw error;
      }
      await rm(goes, { recursive: true, force: true });
    });
  }
}

function configRecord(topic: string, name: string, value: string | null): Buffer {
  return encodeMetadataRecord('config', 0, {
    resourceType: ConfigResourceType.topic,
    resourceName: topic,
    name,
    value,
  });
}
