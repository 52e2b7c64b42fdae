import { isBuiltin } from 'node:module';
import { Availability } from '../availability.ts';
import {
  checkGroupOffsets,
  checkOffset,
  checkPartitionCount,
  checkReplacement,
  checkTopic,
} from '../batch-rules.ts';
import {
  type Entry,
  type EntryChange,
  type EntryStore,
  type PackedEntries,
  packEntries,
  unpackEntries,
} from '../entry-store.ts';
import { groupMembersKey } from '../group-members.ts';
import type {
  BatchSpan,
  GroupOffset,
  LogStore,
  NewBatch,
  NewTopic,
  StoredBatch,
  StoredPartition,
  StoredProducer,
  StoredState,
  StoredTopic,
  StoreEvent,
  StoreHealth,
  TopicConfigs,
  TopicPartition,
} from '../log-store.ts';
import { MetaSwaps } from '../meta-swaps.ts';
import { demandRoom } from '../room.ts';
import { StoreError } from '../store-error.ts';
import type { Change, PackedBatches } from './messages.ts';
import { SqliteReads, unpack } from './reads.ts';
import { copiedForClone } from './transaction-packer.ts';
import { type SqliteStoreOptions, SqliteWrites } from './writes.ts';

export type { SqliteStoreOptions } from './writes.ts';

/**
 * The store in one SQLite file. This side runs in the broker's thread and never touches the disk: it gathers changes
 * into groups for the thread that writes, and passes reads to the thread that reads.
 */
export class SqliteStore implements LogStore, EntryStore {
  readonly #availability: Availability;
  readonly #writes: SqliteWrites;
  readonly #reads: SqliteReads;
  readonly #swaps = new MetaSwaps(this);
  #closing: Promise<void> | undefined;

  constructor(options: SqliteStoreOptions) {
    this.#availability = new Availability(
      () => this.#writes.open(false),
      (bytes) => demandRoom(options.directory, bytes),
    );
    this.#writes = new SqliteWrites(options, this.#availability);
    this.#reads = new SqliteReads(options.directory, this.#availability);
  }

  /**
   * @throws StoreError `locked` if another process has the directory, `unsupported` if this runtime has no SQLite or the
   * file is not one that this version can use; StoreUnavailableError if the disk fails
   */
  async open(): Promise<StoredState> {
    // Every runtime that is new enough has it, unless somebody turned it off.
    if (!isBuiltin('node:sqlite')) {
      const message = 'the store needs SQLite, which this Node.js was started or built without';
      throw new StoreError('unsupported', message);
    }
    try {
      return await this.#availability.open(() => this.#writes.open(true));
    } catch (error) {
      await this.#writes.terminate();
      throw error;
    }
  }

  async createTopic(topic: NewTopic): Promise<StoredTopic> {
    checkTopic(topic);
    const { name, configs, partitionCount, createdAtMs } = topic;
    const topicId = copiedForClone(topic.topicId);
    return (await this.#change({
      kind: 'create-topic',
      topic: { name, topicId, configs, partitionCount, createdAtMs },
    })) as StoredTopic;
  }

  async alterTopic(name: string, configs: TopicConfigs): Promise<void> {
    await this.#change({ kind: 'alter-topic', name, configs });
  }

  async addPartitions(name: string, partitionCount: number): Promise<StoredPartition[]> {
    checkPartitionCount(partitionCount);
    return (await this.#change({ kind: 'add-partitions', name, partitionCount })) as StoredPartition[];
  }

  async deleteTopic(name: string): Promise<void> {
    await this.#change({ kind: 'delete-topic', name });
  }

  /** Deletes what groups committed for a topic that is in another store. */
  async deleteTopicOffsets(name: string): Promise<void> {
    await this.#change({ kind: 'delete-topic-offsets', name });
  }

  /** Deletes all topics, which are in another store now, all at once; what groups committed for them stays. */
  async deleteAllTopics(): Promise<void> {
    await this.#change({ kind: 'delete-all-topics' });
  }

  async setLeaderEpoch(partition: number, leaderEpoch: number): Promise<void> {
    checkOffset(leaderEpoch);
    await this.#change({ kind: 'leader-epoch', partition, leaderEpoch });
  }

  append(partition: number, batch: NewBatch): Promise<void> {
    // A broker without logs does without this thread; one with logs has it before the disk is full.
    if (this.#availability.status === 'ready') this.#reads.start();
    return this.#writes.append(partition, batch);
  }

  async skipTo(partition: number, offset: number): Promise<void> {
    checkOffset(offset);
    await this.#change({ kind: 'skip-to', partition, offset });
  }

  async read(partition: number, fromOffset: number, maxBytes: number): Promise<StoredBatch[]> {
    checkOffset(fromOffset);
    const packed = (await this.#reads.ask({
      kind: 'read',
      partition,
      fromOffset,
      maxBytes,
    })) as PackedBatches;
    // The file may hold what a failed transaction left, until it was opened again.
    return unpack(packed, this.#writes.acknowledged.endOf(partition));
  }

  async batchForTime(partition: number, timestamp: number): Promise<BatchSpan | undefined> {
    return (await this.#reads.ask({ kind: 'batch-for-time', partition, timestamp })) as BatchSpan | undefined;
  }

  async offsetForSize(partition: number, keepBytes: number): Promise<number> {
    return (await this.#reads.ask({ kind: 'offset-for-size', partition, keepBytes })) as number;
  }

  async deleteUntil(partition: number, offset: number): Promise<number> {
    checkOffset(offset);
    return (await this.#change({ kind: 'delete-until', partition, offset })) as number;
  }

  async replace(
    partition: number,
    fromOffset: number,
    toOffset: number,
    batches: NewBatch[],
  ): Promise<number> {
    checkReplacement(fromOffset, toOffset, batches);
    const copies = batches.map((batch) => ({
      ...batch,
      bytes: copiedForClone(batch.bytes),
      producer: undefined,
    }));
    const change: Change = { kind: 'replace', partition, fromOffset, toOffset, batches: copies };
    return (await this.#change(change)) as number;
  }

  async putProducers(partition: number, producers: StoredProducer[]): Promise<void> {
    await this.#change({ kind: 'put-producers', partition, producers });
  }

  async forgetProducers(partition: number, producerIds: bigint[]): Promise<void> {
    await this.#change({ kind: 'forget-producers', partition, producerIds });
  }

  async saveGroupOffsets(group: string, offsets: GroupOffset[]): Promise<void> {
    checkGroupOffsets(offsets);
    await this.#change({ kind: 'save-group', group, offsets });
  }

  async deleteGroupOffsets(group: string, partitions: TopicPartition[]): Promise<void> {
    await this.#change({ kind: 'delete-group-offsets', group, partitions });
  }

  async saveGroupMembers(group: string, members: Uint8Array | undefined): Promise<void> {
    await this.putMeta(groupMembersKey(group), members);
  }

  async deleteGroup(group: string): Promise<void> {
    await this.#change({ kind: 'delete-group', group });
  }

  async putMeta(key: string, value: Uint8Array | undefined): Promise<void> {
    await this.#change({ kind: 'put-meta', key, value: value && copiedForClone(value) });
  }

  async getMeta(key: string): Promise<Uint8Array | undefined> {
    return (await this.#change({ kind: 'get-meta', key })) as Uint8Array | undefined;
  }

  swapMeta(key: string, before: Uint8Array | undefined, after: Uint8Array): Promise<boolean> {
    return this.#swaps.swap(key, before, after);
  }

  async putEntries(changes: readonly EntryChange[]): Promise<void> {
    await this.#change({ kind: 'put-entries', entries: packEntries(changes) });
  }

  async readEntries(after: string, maxBytes: number): Promise<Entry[]> {
    return unpackEntries((await this.#change({ kind: 'entries', after, maxBytes })) as PackedEntries);
  }

  async flush(): Promise<void> {
    await this.#change({ kind: 'barrier' });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  health(): StoreHealth {
    return this.#availability.health(this.#writes.waiting);
  }

  onEvent(listener: (event: StoreEvent) => void): () => void {
    return this.#availability.onEvent(listener);
  }

  #change(change: Change): Promise<unknown> {
    return this.#writes.change(change);
  }

  async #close(): Promise<void> {
    const reopened = this.#availability.beginClose();
    if (this.#availability.status === 'ready') await this.#writes.finish();
    await reopened;
    this.#availability.close();
    // The writer goes last: the last connection moves the write-ahead log into the file.
    await this.#reads.close();
    await this.#writes.close();
  }
}
