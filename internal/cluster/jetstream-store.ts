import type { NatsConnection } from '@nats-io/transport-node';
import type { KafkaAddress } from '../log/nodes.ts';
import { checkGroupOffsets } from '../store/batch-rules.ts';
import type {
  BatchSpan,
  GroupOffset,
  LogStore,
  NewBatch,
  NewTopic,
  StoredBatch,
  StoredPartition,
  StoredState,
  StoredTopic,
  StoreEvent,
  StoreHealth,
  StoreLimits,
  TopicConfigs,
  TopicPartition,
} from '../store/log-store.ts';
import { StoreError, StoreUnavailableError } from '../store/store-error.ts';
import { agreedBrokerId } from './agreed-numbers.ts';
import { type GroupRecords, maxMembersBytes } from './group-records.ts';
import type { JetStream } from './jetstream.ts';
import { type JetStreamStoreOptions, OpenStreams } from './open-streams.ts';
import { PartitionBatches } from './partition-batches.ts';
import type { Shard } from './shard.ts';

/**
 * The store of logs that nodes share, on NATS JetStream. Batches and what groups committed lie in shards, each with one owner
 * at a time (`shard.ts`); topics and small values lie beside them, where every node changes them (`meta.ts`).
 */
export class JetStreamStore implements LogStore {
  readonly #streams: OpenStreams;
  readonly #batches: PartitionBatches;
  #status: StoreHealth['status'] = 'closed';
  /** Why nothing can be written at the moment. */
  #problem = '';
  limits: StoreLimits = { maxBatchBytes: 0, canReplace: false };

  constructor(options: JetStreamStoreOptions) {
    this.#streams = new OpenStreams(options);
    this.#batches = new PartitionBatches(this.#streams.shards, this.#streams.news);
  }

  /**
   * Connects, and gives this node its number.
   * @throws StoreUnavailableError where no server answers; StoreError `unsupported` where they cannot hold logs
   */
  async connect(): Promise<NatsConnection> {
    const connection = await this.#streams.connect();
    const { maxBodyBytes } = this.jetStream;
    const maxGroupBytes = maxMembersBytes(maxBodyBytes);
    this.limits = { maxBatchBytes: maxBodyBytes, canReplace: false, maxGroupBytes };
    return connection;
  }

  async open(): Promise<StoredState> {
    await this.connect();
    const state = await this.#streams.open();
    this.#status = 'ready';
    return state;
  }

  /** Once it is connected. */
  get jetStream(): JetStream {
    return this.#streams.jetStream;
  }

  /** The number of this node, which no other one has or had. */
  get node(): number {
    return this.#streams.node;
  }

  /** How many servers hold what is stored. */
  get replicas(): number {
    return this.#streams.replicas;
  }

  /** In the order of their numbers; empty until it is open. */
  get shards(): readonly Shard[] {
    return this.#streams.shards.all.map(({ shard }) => shard);
  }

  /** How many messages of a shard there are of which this node has not heard yet. */
  behindOf(shard: number): number {
    return this.#streams.shards.all[shard]?.stream.pending ?? 0;
  }

  /** Which shard a partition is in. */
  shardOf(partition: number): number {
    return this.#streams.shards.numberOf(partition);
  }

  /** How other nodes are told of a changed topic, by its sequence, before whoever changed it is answered. */
  set untilOthersKnow(tell: (sequence: number) => Promise<void>) {
    this.#streams.untilOthersKnow = tell;
  }

  /** Nothing can be written, as NATS is away: readers look who leads, and groups wait. */
  noteUnavailable(reason: string): void {
    if (this.#status !== 'ready') return;
    this.#status = 'unavailable';
    this.#problem = reason;
    this.#streams.news.tell({ kind: 'unavailable', reason });
    for (const { shard, news } of this.#streams.shards.all) if (shard.leader === 'here') news.noteFollows();
    this.#streams.coordination?.suspend();
  }

  noteRecovered(): void {
    if (this.#status !== 'unavailable') return;
    this.#status = 'ready';
    this.#streams.news.tell({ kind: 'recovered', state: {} });
    this.#streams.coordination?.resume();
  }

  /** Tries to own every shard that no other node does. Resolves with whether it owns them all. */
  async claimAll(): Promise<boolean> {
    const claimed = await Promise.all(
      this.shards.map((shard) => (typeof shard.leader === 'number' ? false : shard.claim())),
    );
    return claimed.every((isOwner) => isOwner);
  }

  /** Resolves when this node knows the topics of a sequence. */
  topicsUntil(sequence: number): Promise<void> {
    return this.#streams.meta.until(sequence);
  }

  async createTopic(topic: NewTopic): Promise<StoredTopic> {
    this.#checkOpen();
    return this.#streams.topics.create(topic);
  }

  async alterTopic(name: string, configs: TopicConfigs): Promise<void> {
    this.#checkOpen();
    await this.#streams.topics.alter(name, configs);
  }

  async addPartitions(name: string, partitionCount: number): Promise<StoredPartition[]> {
    this.#checkOpen();
    return this.#streams.topics.addPartitions(name, partitionCount);
  }

  async deleteTopic(name: string): Promise<void> {
    this.#checkOpen();
    await this.#streams.topics.delete(name);
  }

  setLeaderEpoch(): Promise<void> {
    return Promise.reject(unsupported('the epoch of a leader is that of its node'));
  }

  async append(partition: number, batch: NewBatch): Promise<void> {
    this.#checkOpen();
    await this.#batches.append(partition, batch, this.limits.maxBatchBytes);
  }

  skipTo(): Promise<void> {
    return Promise.reject(unsupported('offsets in a cluster follow on each other: none can be passed over'));
  }

  replace(): Promise<number> {
    return Promise.reject(unsupported('compaction is not there in a cluster: JetStream replaces no message'));
  }

  async read(partition: number, fromOffset: number, maxBytes: number): Promise<StoredBatch[]> {
    this.#checkOpen();
    return this.#batches.read(partition, fromOffset, maxBytes);
  }

  async batchForTime(partition: number, timestamp: number): Promise<BatchSpan | undefined> {
    this.#checkOpen();
    return this.#batches.forTime(partition, timestamp);
  }

  async offsetForSize(partition: number, keepBytes: number): Promise<number> {
    this.#checkOpen();
    return this.#batches.offsetForSize(partition, keepBytes);
  }

  async deleteUntil(partition: number, offset: number): Promise<number> {
    this.#checkOpen();
    return this.#batches.deleteUntil(partition, offset);
  }

  putProducers(): Promise<void> {
    return Promise.reject(unsupported('a cluster keeps producers with their batches only'));
  }

  /** Only this node forgets them: their states lie with their batches, and who reads those anew knows them again. */
  async forgetProducers(partition: number, producerIds: bigint[]): Promise<void> {
    this.#checkOpen();
    this.#streams.shards.ofPlaced(partition).shard.state.forgetProducers(partition, producerIds);
  }

  async saveGroupOffsets(group: string, offsets: GroupOffset[]): Promise<void> {
    this.#checkOpen();
    checkGroupOffsets(offsets);
    await (await this.#groups()).saveOffsets(group, offsets);
  }

  async deleteGroupOffsets(group: string, partitions: TopicPartition[]): Promise<void> {
    await (await this.#groups()).deleteOffsets(group, partitions);
  }

  async saveGroupMembers(group: string, members: Uint8Array | undefined): Promise<void> {
    await (await this.#groups()).saveMembers(group, members);
  }

  async deleteGroup(group: string): Promise<void> {
    await (await this.#groups()).delete(group);
  }

  async putMeta(key: string, value: Uint8Array | undefined): Promise<void> {
    this.#checkOpen();
    await this.#streams.meta.putValue(key, value);
  }

  async getMeta(key: string): Promise<Uint8Array | undefined> {
    this.#checkOpen();
    return this.#streams.meta.value(key);
  }

  async swapMeta(key: string, before: Uint8Array | undefined, after: Uint8Array): Promise<boolean> {
    this.#checkOpen();
    return this.#streams.meta.swap(key, before, after);
  }

  /** By which Kafka's clients know this node. */
  brokerIdAt(address: KafkaAddress): Promise<number> {
    return agreedBrokerId(this.#streams.meta, this.node, address);
  }

  async confirm(what: number | 'groups'): Promise<void> {
    this.#checkOpen();
    const { shard } = what === 'groups' ? this.#streams.shards.all[0]! : this.#streams.shards.ofPlaced(what);
    await shard.confirm();
  }

  async flush(): Promise<void> {
    this.#checkOpen();
    await Promise.all(this.shards.map((shard) => shard.settled()));
  }

  async close(): Promise<void> {
    if (this.#status !== 'closed') {
      this.#status = 'closed';
      await Promise.all(this.shards.map((shard) => shard.stepDown()));
    }
    await this.#streams.close();
  }

  health(): StoreHealth {
    const waiting = this.shards.map((shard) => shard.waiting);
    return {
      status: this.#status,
      problem: this.#problem,
      waitingChanges: waiting.reduce((sum, { changes }) => sum + changes, 0),
      waitingBytes: waiting.reduce((sum, { bytes }) => sum + bytes, 0),
      corruptBatches: this.#streams.news.corruptBatches,
    };
  }

  onEvent(listener: (event: StoreEvent) => void): () => void {
    return this.#streams.news.onEvent(listener);
  }

  /** Calls `listener` when a shard may have another owner. Returns what ends that. */
  onOwners(listener: () => void): () => void {
    return this.#streams.news.onOwners(listener);
  }

  /** What groups committed, once it is known. */
  async #groups(): Promise<GroupRecords> {
    this.#checkOpen();
    return this.#streams.coordination!.records();
  }

  #checkOpen(): void {
    if (this.#status === 'closed') throw new StoreUnavailableError('closed', 'the store is closed');
  }
}

function unsupported(reason: string): StoreError {
  return new StoreError('unsupported', reason);
}
