import { rename, rm } from 'node:fs/promises';
import { buildBatch } from '../../batch/build.ts';
import { BatchHeader, parseBatchHeader } from '../../batch/record-batch.ts';
import {
  ConfigResourceType,
  decodeMetadataRecord,
  encodeMetadataRecord,
} from '../../protocol/kafka/cluster-metadata.ts';
import { checkMorePartitions, noSuchTopic, topicExists } from '../batch-rules.ts';
import type { NewTopic, StoredPartition, StoredTopic, TopicConfigs } from '../log-store.ts';
import { StoreError, StoreUnavailableError, unavailableReason } from '../store-error.ts';
import { ChangeGroup } from './change-group.ts';
import { forgetFirstOffsets } from './checkpoints.ts';
import { isTopicName } from './files.ts';
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
  readonly #staged = new WeakMap<ChangeGroup, Staged>();

  constructor(directory: KafkaDirectory) {
    this.#directory = directory;
  }

  /**
   * Puts a new topic into a group of changes, so that many topics cost what one costs. Folders are made for the first
   * batches of their partitions.
   *
   * @param created is told of the topic when it lasts.
   * @throws StoreError `exists`, `invalid`, `unsupported`; NextGroup
   */
  stage(group: ChangeGroup, newTopic: NewTopic, created: (topic: StoredTopic) => void): void {
    const { name, topicId, configs, partitionCount, createdAtMs } = newTopic;
    const id = Buffer.from(topicId).toString('base64url');
    this.#checkNew(group, name, id);
    const records = [
      encodeMetadataRecord('topic', 0, { name, topicId: id }),
      ...Object.entries(configs).map(([key, value]) => configRecord(name, key, value)),
      ...Array.from({ length: partitionCount }, (_, number) =>
        this.#partitionRecord(id, number, this.#newPartition()),
      ),
    ];
    this.#clearPlaces(name, 0, partitionCount);
    this.#stageRecords(group, createdAtMs, records);
    const topic: OpenTopic = { name, topicId: id, createdAtMs, partitions: [] };
    const open = this.#stagePartitions(group, topic, partitionCount);
    this.#stagedIn(group).names.add(name).add(id);
    group.afterwards(() => {
      open();
      this.#directory.addTopic(topic);
      created(storedTopic(this.#directory, topic));
    });
  }

  /** @throws StoreError `exists`, `invalid` */
  #checkNew(group: ChangeGroup, name: string, id: string): void {
    const { topics, image } = this.#directory;
    const { names } = this.#stagedIn(group);
    if (topics.has(name) || names.has(name)) throw topicExists(name);
    if (!isTopicName(name)) throw new StoreError('invalid', `Kafka allows no topic ${JSON.stringify(name)}`);
    if (image.topics.has(id) || names.has(id))
      throw new StoreError('exists', `there is a topic with id ${id} already`);
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
    this.#clearPlaces(name, before, records.length);
    const group = new ChangeGroup(this.#directory);
    this.#stageRecords(group, Date.now(), records);
    const open = this.#stagePartitions(group, topic, records.length);
    group.afterwards(() => {
      open();
      this.#directory.addTopic(topic);
    });
    await this.#directory.make(group);
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
    await directory.writes.abandon(
      topic.partitions.flatMap(({ segments }) => segments.map(({ path }) => path)),
    );
    await forgetFirstOffsets(topic.partitions.map(({ folder }) => folder));
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
    const group = new ChangeGroup(this.#directory);
    this.#stageRecords(group, timestamp, records);
    await this.#directory.make(group);
  }

  /** Puts a batch of records for the metadata log into a group. @throws StoreError `unsupported` where there is none */
  #stageRecords(group: ChangeGroup, timestamp: number, records: Buffer[]): void {
    const directory = this.#directory;
    const { metadataLog } = directory;
    if (metadataLog === undefined) {
      throw new StoreError(
        'unsupported',
        'this log directory has no metadata log (__cluster_metadata-0), so topics cannot change',
      );
    }
    if (group.nextOffset(metadataLog) === metadataLog.nextOffset) directory.refreshMetadata(metadataLog);
    const { image } = directory;
    const epoch = Math.max(image.leaderEpoch, metadataLog.epochs.at(-1)?.epoch ?? 0);
    const bytes = buildBatch(
      records.map((value) => ({ timestamp, key: null, value })),
      { baseOffset: group.nextOffset(metadataLog), partitionLeaderEpoch: epoch },
    );
    const { baseOffset, lastOffset, recordCount, maxTimestamp } = parseBatchHeader(
      bytes,
      0,
      new BatchHeader(),
    );
    group.append(metadataLog, undefined, { baseOffset, lastOffset, count: recordCount, maxTimestamp, bytes });
    // Otherwise it would look after a crash as if a Kafka had been here.
    group.noteFirst({ kind: 'metadata-end', offset: lastOffset + 1 });
    group.afterwards(() => {
      for (const value of records) directory.image.apply(decodeMetadataRecord(value)!, timestamp);
    });
  }

  /** Gives numbers to more partitions of a topic. @returns what opens them when the group lasts. */
  #stagePartitions(group: ChangeGroup, topic: OpenTopic, count: number): () => void {
    const directory = this.#directory;
    const staged = this.#stagedIn(group);
    const ids = new Map<number, number>();
    const numbers = Array.from({ length: count }, (_, index) => topic.partitions.length + index);
    for (const number of numbers) {
      staged.lastId = Math.max(staged.lastId, directory.journal.state.lastPartitionId) + 1;
      const id = staged.lastId;
      ids.set(number, id);
      group.note([
        { kind: 'partition', id, topicId: topic.topicId, number },
        { kind: 'producers-until', id, offset: 0 },
      ]);
    }
    return () => {
      const described = directory.image.topics.get(topic.topicId)!;
      for (const [number, id] of ids) {
        topic.partitions.push(directory.openNewPartition(described, number, id));
      }
    };
  }

  /** @throws StoreUnavailableError */
  #clearPlaces(topic: string, first: number, count: number): void {
    try {
      this.#directory.clearPlaces(
        topic,
        Array.from({ length: count }, (_, index) => first + index),
      );
    } catch (error) {
      throw new StoreUnavailableError(unavailableReason(error), (error as Error).message, { cause: error });
    }
  }

  #stagedIn(group: ChangeGroup): Staged {
    let staged = this.#staged.get(group);
    if (staged === undefined) {
      staged = { names: new Set(), lastId: 0 };
      this.#staged.set(group, staged);
    }
    return staged;
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

/** What is new in a group that does not last yet. */
interface Staged {
  /** Of topics, and their ids. */
  names: Set<string>;
  /** The highest number of a partition; 0 where there is none. */
  lastId: number;
}

function configRecord(topic: string, name: string, value: string | null): Buffer {
  return encodeMetadataRecord('config', 0, {
    resourceType: ConfigResourceType.topic,
    resourceName: topic,
    name,
    value,
  });
}
