import type { NatsConnection } from '@nats-io/transport-node';
import type { Clock } from '../lib/clock.ts';
import {
  checkBatch,
  checkBatchSize,
  checkFirst,
  checkGroupOffsets,
  checkMorePartitions,
  checkOffset,
  checkPartitionCount,
  checkTopic,
  noSuchPartition,
} from '../store/batch-rules.ts';
import type {
  BatchSpan,
  FsyncPolicy,
  GroupOffset,
  LogStore,
  NewBatch,
  NewTopic,
  StoredBatch,
  StoredGroups,
  StoredPartition,
  StoredState,
  StoredTopic,
  StoreEvent,
  StoreHealth,
  StoreLimits,
  TopicConfigs,
  TopicPartition,
} from '../store/log-store.ts';
import { CorruptBatchError, StoreError, StoreUnavailableError } from '../store/store-error.ts';
import { BatchSearch, batchSpan } from './batch-search.ts';
import { connectToNats, makeStream, type NatsOptions } from './connection.ts';
import { Coordination } from './coordination.ts';
import { GroupRecords, isGroupSubject } from './group-records.ts';
import { JetStream } from './jetstream.ts';
import { JetStreamShard } from './jetstream-shard.ts';
import { Meta, type TopicRecord } from './meta.ts';
import { patiently } from './patience.ts';
import { Shard } from './shard.ts';
import { ShardNews } from './shard-news.ts';
import { storedPartition } from './shard-state.ts';

export interface JetStreamStoreOptions extends NatsOptions {
  /** What the names of streams and subjects begin with: several clusters may share servers. */
  readonly name: string;
  /** `commit`: only servers that sync what they acknowledge hold logs. */
  readonly fsync: FsyncPolicy;
  /** Shards of a cluster that is not there yet. */
  readonly shards: number;
  readonly clock: Clock;
}

/** Headers of a batch, and what else JetStream counts as payload. */
const HEADER_BYTES = 4_096;

interface OpenShard {
  readonly shard: Shard;
  readonly stream: JetStreamShard;
  readonly search: BatchSearch;
  readonly news: ShardNews;
}

/**
 * The store of logs that nodes share, on NATS JetStream. Batches and what groups committed lie in shards, each with one owner
 * at a time (`shard.ts`); topics and small values lie beside them, where every node changes them (`meta.ts`).
 */
export class JetStreamStore implements LogStore {
  readonly #options: JetStreamStoreOptions;
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  readonly #ownersListeners = new Set<() => void>();
  /** Has the other nodes take up what was changed of topics, up to a sequence. */
  untilOthersKnow: (sequence: number) => Promise<void> = async () => {};
  readonly #shards: OpenShard[] = [];
  /** Which topic has a partition, and under which number. */
  readonly #places = new Map<number, { topic: string; number: number }>();
  #connection: NatsConnection | undefined;
  /** Once it is connected. */
  jetStream!: JetStream;
  #meta!: Meta;
  #groups!: GroupRecords;
  /** By its subject, the last message about a group. */
  readonly #groupSequences = new Map<string, number>();
  #coordination: Coordination | undefined;
  #status: StoreHealth['status'] = 'closed';
  /** Why nothing can be written at the moment. */
  #problem = '';
  #corruptBatches = 0;
  #lastDeletion: Promise<unknown> = Promise.resolve();
  /** How many servers hold what is stored. */
  replicas = 0;
  limits: StoreLimits = { maxBatchBytes: 0, canReplace: false };
  /** The number of this node, which no other one has or had. */
  node = 0;

  constructor(options: JetStreamStoreOptions) {
    this.#options = options;
  }

  /**
   * Connects, and gives this node its number.
   * @throws StoreUnavailableError where no server answers; StoreError `unsupported` where they cannot hold logs
   */
  async connect(): Promise<NatsConnection> {
    const { name, fsync } = this.#options;
    const connection = await this.#patiently(() => connectToNats(this.#options));
    this.#connection = connection;
    try {
      this.limits = { maxBatchBytes: connection.info!.max_payload - HEADER_BYTES, canReplace: false };
      this.jetStream = new JetStream(connection);
      const meta = { name: `${name}-meta`, subjects: [`${name}.meta.>`], isLastOnly: true };
      this.replicas = await this.#patiently(() => makeStream(this.jetStream, meta, fsync));
      this.node = await this.#patiently(() => this.#openMeta(meta.name));
      return connection;
    } catch (error) {
      await this.#release();
      throw error;
    }
  }

  async open(): Promise<StoredState> {
    if (this.#connection === undefined) await this.connect();
    try {
      await this.#openShards();
    } catch (error) {
      await this.#release();
      throw error;
    }
    this.#status = 'ready';
    return this.#state();
  }

  /** In the order of their numbers; empty until it is open. */
  get shards(): readonly Shard[] {
    return this.#shards.map(({ shard }) => shard);
  }

  /** Which shard a partition is in. */
  shardOf(partition: number): number {
    return partition % this.#shards.length;
  }

  /** Nothing can be written, as NATS is away: readers look who leads, and groups wait. */
  noteUnavailable(reason: string): void {
    if (this.#status !== 'ready') return;
    this.#status = 'unavailable';
    this.#problem = reason;
    this.#tell({ kind: 'unavailable', reason });
    for (const { shard, news } of this.#shards) if (shard.leader === 'here') news.noteFollows();
    this.#coordination?.suspend();
  }

  noteRecovered(): void {
    if (this.#status !== 'unavailable') return;
    this.#status = 'ready';
    this.#tell({ kind: 'recovered', state: {} });
    this.#coordination?.resume();
  }

  /** Tries to own every shard that no other node does. Resolves with whether it owns them all. */
  async claimAll(): Promise<boolean> {
    const claimed = await Promise.all(
      this.#shards.map(({ shard }) => (typeof shard.leader === 'number' ? false : shard.claim())),
    );
    return claimed.every((isOwner) => isOwner);
  }

  async createTopic(topic: NewTopic): Promise<StoredTopic> {
    this.#checkOpen();
    checkTopic(topic);
    const { name, configs, createdAtMs, partitionCount } = topic;
    const partitions = await this.#meta.partitionIds(partitionCount);
    const topicId = Buffer.from(topic.topicId).toString('base64');
    const record = { name, topicId, configs, createdAtMs, partitions };
    const sequence = await this.#meta.create(record);
    this.#place(record);
    await this.untilOthersKnow(sequence);
    return this.#storedTopic(record);
  }

  /** Resolves when this node knows the topics of a sequence. */
  topicsUntil(sequence: number): Promise<void> {
    return this.#meta.until(sequence);
  }

  async alterTopic(name: string, configs: TopicConfigs): Promise<void> {
    this.#checkOpen();
    await this.untilOthersKnow(await this.#meta.alter(name, (before) => ({ ...before, configs })));
  }

  async addPartitions(name: string, partitionCount: number): Promise<StoredPartition[]> {
    this.#checkOpen();
    checkPartitionCount(partitionCount);
    const known = this.#meta.topics.get(name)?.partitions.length ?? partitionCount;
    const ids = await this.#meta.partitionIds(Math.max(0, partitionCount - known));
    let added: readonly number[] = [];
    const sequence = await this.#meta.alter(name, (before) => {
      const count = before.partitions.length;
      checkMorePartitions(name, count, partitionCount);
      added = ids.slice(0, partitionCount - count);
      return { ...before, partitions: [...before.partitions, ...added] };
    });
    const record = this.#meta.topics.get(name)!;
    this.#place(record);
    await this.untilOthersKnow(sequence);
    return record.partitions.flatMap((id, number) =>
      added.includes(id) ? [this.#storedPartition(id, number)] : [],
    );
  }

  async deleteTopic(name: string): Promise<void> {
    this.#checkOpen();
    const { record, sequence } = await this.#meta.delete(name);
    this.#displace(record);
    await this.untilOthersKnow(sequence);
    await this.#deleteBatches(record);
  }

  setLeaderEpoch(): Promise<void> {
    return Promise.reject(unsupported('the epoch of a leader is that of its node'));
  }

  async append(partition: number, batch: NewBatch): Promise<void> {
    checkBatch(batch);
    checkBatchSize(batch.bytes.length, this.limits.maxBatchBytes);
    await this.#shardOf(partition).shard.append(partition, batch);
  }

  skipTo(): Promise<void> {
    return Promise.reject(unsupported('offsets in a cluster follow on each other: none can be passed over'));
  }

  replace(): Promise<number> {
    return Promise.reject(unsupported('compaction is not there in a cluster: JetStream replaces no message'));
  }

  async read(partition: number, fromOffset: number, maxBytes: number): Promise<StoredBatch[]> {
    checkOffset(fromOffset);
    const { search } = this.#shardOf(partition);
    try {
      return await search.read(partition, fromOffset, maxBytes);
    } catch (error) {
      if (error instanceof CorruptBatchError) {
        this.#corruptBatches++;
        const { baseOffset, lastOffset } = error;
        this.#tell({ kind: 'corrupt', partition, baseOffset, lastOffset });
      }
      throw error;
    }
  }

  async batchForTime(partition: number, timestamp: number): Promise<BatchSpan | undefined> {
    const found = await this.#shardOf(partition).search.forTime(partition, timestamp);
    return found && batchSpan(found);
  }

  async offsetForSize(partition: number, keepBytes: number): Promise<number> {
    return this.#shardOf(partition).search.offsetForSize(partition, keepBytes);
  }

  async deleteUntil(partition: number, offset: number): Promise<number> {
    checkOffset(offset);
    const { shard } = this.#shardOf(partition);
    checkFirst(offset, shard.endOf(partition).nextOffset);
    // One after the other: each says how much was there before it.
    const deleting = this.#lastDeletion.then(() => this.#deleteUntil(partition, offset));
    this.#lastDeletion = deleting.catch(() => {});
    return deleting;
  }

  async #deleteUntil(partition: number, offset: number): Promise<number> {
    const { shard, stream, search } = this.#shardOf(partition);
    // What was appended before is found when it is stored.
    await shard.settled();
    const known = shard.state.partition(partition);
    if (known === undefined || offset <= known.firstOffset) return 0;
    const { bytesBefore, bytesEver, nextOffset } = known;
    const all = { bytesBefore: bytesEver, sequence: shard.state.applied + 1 };
    const first = offset < nextOffset ? await search.holding(partition, offset) : all;
    await shard.raiseFloor(partition, offset, first.bytesBefore);
    await stream.purge(partition, first.sequence);
    return first.bytesBefore - bytesBefore;
  }

  putProducers(): Promise<void> {
    return Promise.reject(unsupported('a cluster keeps producers with their batches only'));
  }

  /** Only this node forgets them: their states lie with their batches, and who reads those anew knows them again. */
  async forgetProducers(partition: number, producerIds: bigint[]): Promise<void> {
    this.#shardOf(partition).shard.state.forgetProducers(partition, producerIds);
  }

  async saveGroupOffsets(group: string, offsets: GroupOffset[]): Promise<void> {
    this.#checkOpen();
    checkGroupOffsets(offsets);
    await (await this.#loadedGroups()).saveOffsets(group, offsets);
  }

  async deleteGroupOffsets(group: string, partitions: TopicPartition[]): Promise<void> {
    await (await this.#loadedGroups()).deleteOffsets(group, partitions);
  }

  async saveGroupMembers(group: string, members: Uint8Array | undefined): Promise<void> {
    await (await this.#loadedGroups()).saveMembers(group, members);
  }

  async deleteGroup(group: string): Promise<void> {
    await (await this.#loadedGroups()).delete(group);
  }

  async putMeta(key: string, value: Uint8Array | undefined): Promise<void> {
    this.#checkOpen();
    await this.#meta.putValue(key, value);
  }

  async getMeta(key: string): Promise<Uint8Array | undefined> {
    this.#checkOpen();
    return this.#meta.value(key);
  }

  async swapMeta(key: string, before: Uint8Array | undefined, after: Uint8Array): Promise<boolean> {
    this.#checkOpen();
    return this.#meta.swap(key, before, after);
  }

  async confirm(what: number | 'groups'): Promise<void> {
    this.#checkOpen();
    const { shard } = what === 'groups' ? this.#shards[0]! : this.#shardOf(what);
    await shard.confirm();
  }

  async flush(): Promise<void> {
    this.#checkOpen();
    await Promise.all(this.#shards.map(({ shard }) => shard.settled()));
  }

  async close(): Promise<void> {
    if (this.#status === 'closed') return this.#release();
    this.#status = 'closed';
    await Promise.all(this.#shards.map(({ shard }) => shard.stepDown()));
    await this.#release();
  }

  health(): StoreHealth {
    const waiting = this.#shards.map(({ shard }) => shard.waiting);
    return {
      status: this.#status,
      problem: this.#problem,
      waitingChanges: waiting.reduce((sum, { changes }) => sum + changes, 0),
      waitingBytes: waiting.reduce((sum, { bytes }) => sum + bytes, 0),
      corruptBatches: this.#corruptBatches,
    };
  }

  onEvent(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls `listener` when a shard may have another owner. Returns what ends that. */
  onOwners(listener: () => void): () => void {
    this.#ownersListeners.add(listener);
    return () => this.#ownersListeners.delete(listener);
  }

  async #openMeta(stream: string): Promise<number> {
    const { name } = this.#options;
    const values = new Meta(this.jetStream, stream, `${name}.meta.`, 'nobody', () => {});
    const node = await nextNode(values);
    this.#meta = new Meta(this.jetStream, stream, `${name}.meta.`, String(node), (before, after) =>
      this.#topicChanged(before, after),
    );
    await this.#meta.open();
    for (const record of this.#meta.topics.values()) this.#place(record);
    return node;
  }

  #patiently<T>(act: () => Promise<T>): Promise<T> {
    return patiently(act, this.#options.warn ?? (() => {}));
  }

  async #openShards(): Promise<void> {
    const count = await this.#patiently(() => agreedCount(this.#meta, this.#options.shards));
    const numbers = Array.from({ length: count }, (_, number) => number);
    this.#shards.push(...(await Promise.all(numbers.map((number) => this.#openShard(number, count)))));
    const [first] = this.#shards;
    this.#groups = new GroupRecords(first!.shard, first!.stream, this.#groupSequences);
    this.#coordination = new Coordination(first!.shard, this.#groups, (event) => this.#tell(event));
    for (const { shard } of this.#shards) shard.follow();
  }

  async #openShard(number: number, count: number): Promise<OpenShard> {
    const { name, fsync, clock } = this.#options;
    const prefix = `${name}.${number}.`;
    const wanted = { name: `${name}-L${number}`, subjects: [`${prefix}>`], isLastOnly: false };
    await this.#patiently(() => makeStream(this.jetStream, wanted, fsync));
    const stream = new JetStreamShard(this.jetStream, wanted.name, prefix);
    const news: ShardNews = new ShardNews({
      shard: () => shard,
      numberOf: (id) => this.#places.get(id)?.number,
      partitions: () => [...this.#places.keys()].filter((id) => id % count === number),
      tell: (event) => this.#tell(event),
    });
    const shard: Shard = new Shard({
      ...{ node: this.node, stream, clock },
      events: {
        applied: (message, facts) => {
          search.note(message.sequence, facts);
          news.note(facts);
          if (facts.kind === 'group') this.#groupSequences.set(message.subject, message.sequence);
          if (facts.kind === 'marker') this.#tellOwners();
        },
        ownership: (isOwner) => {
          if (isOwner) news.tellLeads();
          else news.noteFollows();
          if (number === 0) this.#coordination?.note(isOwner);
          this.#tellOwners();
        },
        damaged: (partition, baseOffset, lastOffset) => {
          this.#corruptBatches++;
          this.#tell({ kind: 'corrupt', partition, baseOffset, lastOffset });
        },
      },
    });
    const search = new BatchSearch(stream, shard.state);
    const stored = await this.#patiently(() => stream.lastOfSubjects());
    shard.state.restore(stored);
    for (const { subject, sequence } of stored) {
      if (isGroupSubject(subject)) this.#groupSequences.set(subject, sequence);
    }
    // The replica that answered may be behind.
    await this.#patiently(() => shard.catchUp());
    return { shard, stream, search, news };
  }

  async #state(): Promise<StoredState> {
    const records = [...this.#meta.topics.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const groups: StoredGroups = await this.#patiently(() => this.#groups.load());
    return { topics: records.map((record) => this.#storedTopic(record)), ...groups };
  }

  #topicChanged(before: TopicRecord | undefined, after: TopicRecord | undefined): void {
    if (before !== undefined && before.topicId !== after?.topicId) {
      this.#displace(before);
      // What is not deleted now, because another node becomes the owner, is space that is not given back; nobody reads it.
      this.#deleteBatches(before).catch(() => {});
      this.#tell({ kind: 'deleted', topic: before.name });
    }
    if (after === undefined) return;
    this.#place(after);
    if (before?.topicId !== after.topicId) {
      this.#tell({ kind: 'topic', topic: this.#storedTopic(after) });
      return;
    }
    const { name: topic, configs } = after;
    const added = after.partitions.slice(before.partitions.length);
    const partitions = added.map((id, index) => this.#storedPartition(id, before.partitions.length + index));
    if (partitions.length > 0) this.#tell({ kind: 'grown', topic, partitions });
    if (JSON.stringify(before.configs) !== JSON.stringify(configs))
      this.#tell({ kind: 'altered', topic, configs });
  }

  /** Deletes what lies in the shards that this node owns. Every node that learns of it does the same. */
  async #deleteBatches({ name, partitions }: TopicRecord): Promise<void> {
    for (const id of partitions) {
      const { shard, stream } = this.#shards[id % this.#shards.length]!;
      if (shard.leader !== 'here') continue;
      await stream.purge(id, await shard.deletePartition(id));
    }
    if (this.#shards[0]!.shard.leader === 'here') await (await this.#loadedGroups()).forgetTopic(name);
  }

  #storedTopic({ name, topicId, configs, createdAtMs, partitions }: Omit<TopicRecord, 'by'>): StoredTopic {
    return {
      ...{ name, configs, createdAtMs },
      topicId: new Uint8Array(Buffer.from(topicId, 'base64')),
      partitions: partitions.map((id, number) => this.#storedPartition(id, number)),
    };
  }

  #storedPartition(id: number, number: number): StoredPartition {
    const { state } = this.#shards[id % this.#shards.length]!.shard;
    return storedPartition(id, number, state.partition(id), state.epoch);
  }

  #place({ name, partitions }: Pick<TopicRecord, 'name' | 'partitions'>): void {
    for (const [number, id] of partitions.entries()) this.#places.set(id, { topic: name, number });
  }

  #displace({ partitions }: TopicRecord): void {
    for (const id of partitions) this.#places.delete(id);
  }

  /** What groups committed is changed when it is known. */
  async #loadedGroups(): Promise<GroupRecords> {
    this.#checkOpen();
    await this.#coordination?.loaded;
    return this.#groups;
  }

  #shardOf(partition: number): OpenShard {
    this.#checkOpen();
    if (!this.#places.has(partition)) throw noSuchPartition(partition);
    return this.#shards[partition % this.#shards.length]!;
  }

  #checkOpen(): void {
    if (this.#status === 'closed') throw new StoreUnavailableError('closed', 'the store is closed');
  }

  #tell(event: StoreEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }

  #tellOwners(): void {
    for (const listener of [...this.#ownersListeners]) listener();
  }

  async #release(): Promise<void> {
    this.#coordination?.close();
    this.#meta?.close();
    for (const { shard } of this.#shards.splice(0)) shard.close();
    await this.#connection?.close();
    this.#connection = undefined;
  }
}

/** The number of a node, given once. */
async function nextNode(values: Meta): Promise<number> {
  for (;;) {
    const before = await values.value('last-node');
    const node = 1 + Number(Buffer.from(before ?? []).toString() || 0);
    if (await values.swap('last-node', before, Buffer.from(String(node)))) return node;
  }
}

/** How many shards there are: as many as the first node of the cluster wanted. */
async function agreedCount(meta: Meta, wanted: number): Promise<number> {
  await meta.swap('shards', undefined, Buffer.from(String(wanted)));
  return Number(Buffer.from((await meta.value('shards'))!).toString());
}

function unsupported(reason: string): StoreError {
  return new StoreError('unsupported', reason);
}
