import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  ConfigResourceType,
  decodeMetadataRecord,
  type MetadataRecord,
  NO_LEADER_CHANGE,
} from '../../protocol/kafka/cluster-metadata.ts';
import { KafkaProtocolError } from '../../protocol/kafka/protocol-error.ts';
import { StoreError } from '../store-error.ts';
import { type InternalBatch, readInternalBatches } from './batches.ts';
import { isTopicName, segmentBase } from './files.ts';

/** A topic as the metadata log has it. */
export interface MetadataTopic {
  name: string;
  /** Kafka's text for it: 22 characters of base64url. */
  topicId: string;
  /** When its record was written; Kafka keeps no other time. */
  createdAtMs: number;
  /** By number. */
  partitions: Map<number, MetadataPartition>;
}

export interface MetadataPartition {
  replicas: readonly number[];
  isr: readonly number[];
  leader: number;
  leaderEpoch: number;
  partitionEpoch: number;
  directories: readonly string[];
}

/** The state that all records of the metadata log make together. */
export class MetadataImage {
  /** By topic id. */
  readonly topics = new Map<string, MetadataTopic>();
  /** The ids of topics that were deleted. */
  readonly deleted = new Set<string>();
  readonly #byName = new Map<string, MetadataTopic>();
  /** Of topics, by name. */
  readonly configs = new Map<string, Map<string, string>>();
  readonly features = new Map<string, number>();
  /** The first producer id that was not given away yet. */
  nextProducerId = 0;
  /** The epoch of the newest batch. */
  leaderEpoch = 0;
  /** Records of a transaction that has no end yet. */
  #open: { record: MetadataRecord; timestamp: number }[] | undefined;

  topic(name: string): MetadataTopic | undefined {
    return this.#byName.get(name);
  }

  /** @param timestamp when the record was written, in milliseconds since 1970 */
  apply(record: MetadataRecord, timestamp: number): void {
    if (record.kind === 'beginTransaction') {
      this.#open = [];
    } else if (record.kind === 'abortTransaction') {
      this.#open = undefined;
    } else if (record.kind === 'endTransaction') {
      const ended = this.#open ?? [];
      this.#open = undefined;
      for (const each of ended) this.#take(each.record, each.timestamp);
    } else if (this.#open !== undefined) {
      this.#open.push({ record, timestamp });
    } else {
      this.#take(record, timestamp);
    }
  }

  #take(record: MetadataRecord, timestamp: number): void {
    switch (record.kind) {
      case 'topic': {
        const { name, topicId } = record.value;
        // A name becomes part of a path.
        if (!isTopicName(name)) return;
        const topic = { name, topicId, createdAtMs: timestamp, partitions: new Map() };
        this.topics.set(topicId, topic);
        this.#byName.set(name, topic);
        return;
      }
      case 'partition': {
        const { topicId, partitionId, replicas, isr, leader, leaderEpoch, partitionEpoch } = record.value;
        if (partitionId < 0) return;
        const directories = record.value.directories ?? [];
        const partition = { replicas, isr, leader, leaderEpoch, partitionEpoch, directories };
        this.topics.get(topicId)?.partitions.set(partitionId, partition);
        return;
      }
      case 'partitionChange': {
        const { topicId, partitionId, isr, replicas, leader, directories } = record.value;
        const partition = this.topics.get(topicId)?.partitions.get(partitionId);
        if (partition === undefined) return;
        if (leader !== NO_LEADER_CHANGE) {
          partition.leader = leader;
          partition.leaderEpoch++;
        }
        partition.partitionEpoch++;
        partition.isr = isr ?? partition.isr;
        partition.replicas = replicas ?? partition.replicas;
        partition.directories = directories ?? partition.directories;
        return;
      }
      case 'config':
        this.#configure(record.value);
        return;
      case 'removeTopic': {
        const topic = this.topics.get(record.value.topicId);
        if (topic === undefined) return;
        this.topics.delete(topic.topicId);
        this.deleted.add(topic.topicId);
        this.configs.delete(topic.name);
        if (this.#byName.get(topic.name) === topic) this.#byName.delete(topic.name);
        return;
      }
      case 'featureLevel':
        this.features.set(record.value.name, record.value.featureLevel);
        return;
      case 'producerIds':
        this.nextProducerId = record.value.nextProducerId;
        return;
    }
  }

  #configure(record: {
    resourceType: number;
    resourceName: string;
    name: string;
    value: string | null;
  }): void {
    if (record.resourceType !== ConfigResourceType.topic) return;
    const configs = this.configs.get(record.resourceName) ?? new Map<string, string>();
    this.configs.set(record.resourceName, configs);
    if (record.value === null) configs.delete(record.name);
    else configs.set(record.name, record.value);
  }
}

/**
 * Reads a metadata log: its newest snapshot, and the batches behind it.
 *
 * @throws StoreError `corrupt` for damage, `unsupported` for records of a newer Kafka
 */
export function loadMetadata(folder: string): MetadataImage {
  const image = new MetadataImage();
  const names = readdirSync(folder);
  const snapshot = newestSnapshot(names);
  let nextOffset = 0;
  if (snapshot !== undefined) {
    const file = join(folder, snapshot.name);
    readInternalBatches(file, (batch) => applyBatch(file, image, batch));
    nextOffset = snapshot.endOffset;
    image.leaderEpoch = snapshot.epoch;
  }
  const segments = names.filter((name) => segmentBase(name) !== undefined).sort();
  for (const name of segments) {
    const file = join(folder, name);
    readInternalBatches(file, (batch) => {
      image.leaderEpoch = Math.max(image.leaderEpoch, batch.header.partitionLeaderEpoch);
      if (batch.header.lastOffset >= nextOffset) applyBatch(file, image, batch);
    });
  }
  return image;
}

function applyBatch(file: string, image: MetadataImage, { header, records }: InternalBatch): void {
  if (header.isControl) return;
  for (const { value, timestamp, offset } of records()) {
    if (value === null) continue;
    let record: MetadataRecord | undefined;
    try {
      record = decodeMetadataRecord(value);
    } catch (error) {
      if (!(error instanceof KafkaProtocolError)) throw error;
      throw new StoreError(
        error.code === 'unsupported-version' ? 'unsupported' : 'corrupt',
        `the record at offset ${offset} of ${file} cannot be read: ${error.message}`,
      );
    }
    if (record !== undefined) image.apply(record, timestamp);
  }
}

/** `<end offset>-<epoch>.checkpoint` holds everything before its end offset. */
function newestSnapshot(names: string[]): { name: string; endOffset: number; epoch: number } | undefined {
  let newest: { name: string; endOffset: number; epoch: number } | undefined;
  for (const name of names) {
    const [, endOffset, epoch] = /^(\d{20})-(\d{10})\.checkpoint$/.exec(name) ?? [];
    if (endOffset === undefined) continue;
    if (newest === undefined || Number(endOffset) >= newest.endOffset) {
      newest = { name, endOffset: Number(endOffset), epoch: Number(epoch) };
    }
  }
  return newest;
}
