import { firstIndex } from '../../lib/first-index.ts';
import {
  checkBatch,
  checkFirst,
  checkGroupOffsets,
  checkMorePartitions,
  checkNext,
  checkOffset,
  checkPartitionCount,
  checkReplaced,
  checkReplacement,
  checkSkip,
  checkTopic,
  noSuchPartition,
  noSuchTopic,
  reachesOver,
  topicExists,
} from '../batch-rules.ts';
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
import { isSameValue } from '../meta-swaps.ts';
import { StoreUnavailableError } from '../store-error.ts';

/**
 * A store that lasts as long as its process (`-memory`, tests). It holds copies: bytes that callers keep or change
 * later are theirs.
 */
export class MemoryStore implements LogStore {
  readonly #topics = new Map<string, MemoryTopic>();
  readonly #partitions = new Map<number, MemoryPartition>();
  readonly #groups = new Map<string, Map<string, GroupOffset>>();
  readonly #groupMembers = new Map<string, Uint8Array>();
  readonly #meta = new Map<string, Uint8Array>();
  #lastPartitionId = 0;
  #status: StoreHealth['status'] = 'closed';

  async open(): Promise<StoredState> {
    this.#status = 'ready';
    const names = [...this.#topics.keys()].sort(byCodeUnits);
    return {
      topics: names.map((name) => storedTopic(this.#topics.get(name)!)),
      groups: new Map([...this.#groups].map(([group, offsets]) => [group, [...offsets.values()]])),
      groupMembers: new Map(this.#groupMembers),
    };
  }

  async createTopic(topic: NewTopic): Promise<StoredTopic> {
    this.#checkOpen();
    checkTopic(topic);
    if (this.#topics.has(topic.name)) throw topicExists(topic.name);
    const created: MemoryTopic = {
      name: topic.name,
      topicId: topic.topicId.slice(),
      configs: { ...topic.configs },
      createdAtMs: topic.createdAtMs,
      partitions: [],
    };
    this.#topics.set(topic.name, created);
    this.#grow(created, topic.partitionCount);
    return storedTopic(created);
  }

  async alterTopic(name: string, configs: TopicConfigs): Promise<void> {
    this.#topic(name).configs = { ...configs };
  }

  async addPartitions(name: string, partitionCount: number): Promise<StoredPartition[]> {
    const topic = this.#topic(name);
    checkPartitionCount(partitionCount);
    const before = topic.partitions.length;
    checkMorePartitions(name, before, partitionCount);
    this.#grow(topic, partitionCount);
    return topic.partitions.slice(before).map(storedPartition);
  }

  async deleteTopic(name: string): Promise<void> {
    const topic = this.#topic(name);
    for (const partition of topic.partitions) this.#partitions.delete(partition.id);
    this.#topics.delete(name);
    for (const [group, offsets] of this.#groups) {
      for (const [key, offset] of offsets) if (offset.topic === name) offsets.delete(key);
      if (offsets.size === 0) this.#groups.delete(group);
    }
  }

  async setLeaderEpoch(partition: number, leaderEpoch: number): Promise<void> {
    checkOffset(leaderEpoch);
    this.#partition(partition).leaderEpoch = leaderEpoch;
  }

  async append(partition: number, batch: NewBatch): Promise<void> {
    checkBatch(batch);
    const into = this.#partition(partition);
    checkNext(batch.baseOffset, into.nextOffset);
    into.batches.push(copied(batch));
    into.nextOffset = batch.lastOffset + 1;
    into.maxTimestamp = Math.max(into.maxTimestamp, batch.maxTimestamp);
    if (batch.producer) into.producers.set(batch.producer.id, batch.producer.state.slice());
  }

  async skipTo(partition: number, offset: number): Promise<void> {
    checkOffset(offset);
    const into = this.#partition(partition);
    checkSkip(offset, into.nextOffset);
    into.nextOffset = offset;
  }

  async read(partition: number, fromOffset: number, maxBytes: number): Promise<StoredBatch[]> {
    checkOffset(fromOffset);
    const { batches, firstOffset } = this.#partition(partition);
    const start = firstIndex(batches, (batch) => batch.lastOffset >= Math.max(fromOffset, firstOffset));
    let bytes = 0;
    let end = start;
    while (end < batches.length && (end === start || bytes + batches[end]!.bytes.length <= maxBytes)) {
      bytes += batches[end++]!.bytes.length;
    }
    return batches.slice(start, end).map(copied);
  }

  async batchForTime(partition: number, timestamp: number): Promise<BatchSpan | undefined> {
    const found = this.#partition(partition).batches.find((batch) => batch.maxTimestamp >= timestamp);
    return (
      found && {
        baseOffset: found.baseOffset,
        lastOffset: found.lastOffset,
        maxTimestamp: found.maxTimestamp,
      }
    );
  }

  async offsetForSize(partition: number, keepBytes: number): Promise<number> {
    const { batches, firstOffset } = this.#partition(partition);
    let over = sizeBytes(batches) - keepBytes;
    let offset = firstOffset;
    for (const batch of batches) {
      if (over <= 0) break;
      over -= batch.bytes.length;
      offset = batch.lastOffset + 1;
    }
    return offset;
  }

  async deleteUntil(partition: number, offset: number): Promise<number> {
    checkOffset(offset);
    const from = this.#partition(partition);
    checkFirst(offset, from.nextOffset);
    if (offset <= from.firstOffset) return 0;
    from.firstOffset = offset;
    const gone = from.batches.splice(
      0,
      firstIndex(from.batches, (batch) => batch.lastOffset >= offset),
    );
    return sizeBytes(gone);
  }

  async replace(
    partition: number,
    fromOffset: number,
    toOffset: number,
    batches: NewBatch[],
  ): Promise<number> {
    checkReplacement(fromOffset, toOffset, batches);
    const into = this.#partition(partition);
    checkReplaced(toOffset, batches, into);
    const start = firstIndex(into.batches, (batch) => batch.lastOffset >= fromOffset);
    const end = firstIndex(into.batches, (batch) => batch.baseOffset > toOffset);
    const partly = into.batches
      .slice(start, end)
      .find((batch) => batch.baseOffset < fromOffset || batch.lastOffset > toOffset);
    if (partly) throw reachesOver(partly.baseOffset, partly.lastOffset);
    const gone = into.batches.splice(start, end - start, ...batches.map(copied));
    return sizeBytes(gone) - sizeBytes(batches);
  }

  async putProducers(partition: number, producers: StoredProducer[]): Promise<void> {
    const into = this.#partition(partition).producers;
    for (const { id, state } of producers) into.set(id, state.slice());
  }

  async forgetProducers(partition: number, producerIds: bigint[]): Promise<void> {
    const { producers } = this.#partition(partition);
    for (const id of producerIds) producers.delete(id);
  }

  async saveGroupOffsets(group: string, offsets: GroupOffset[]): Promise<void> {
    this.#checkOpen();
    checkGroupOffsets(offsets);
    const saved = this.#groups.get(group) ?? new Map<string, GroupOffset>();
    for (const offset of offsets) saved.set(offsetKey(offset), { ...offset });
    if (saved.size > 0) this.#groups.set(group, saved);
  }

  async deleteGroupOffsets(group: string, partitions: TopicPartition[]): Promise<void> {
    this.#checkOpen();
    const saved = this.#groups.get(group);
    for (const partition of partitions) saved?.delete(offsetKey(partition));
    if (saved?.size === 0) this.#groups.delete(group);
  }

  async saveGroupMembers(group: string, members: Uint8Array | undefined): Promise<void> {
    this.#checkOpen();
    if (members === undefined) this.#groupMembers.delete(group);
    else this.#groupMembers.set(group, members.slice());
  }

  async deleteGroup(group: string): Promise<void> {
    this.#checkOpen();
    this.#groupMembers.delete(group);
    this.#groups.delete(group);
  }

  async putMeta(key: string, value: Uint8Array | undefined): Promise<void> {
    this.#checkOpen();
    if (value === undefined) this.#meta.delete(key);
    else this.#meta.set(key, value.slice());
  }

  async getMeta(key: string): Promise<Uint8Array | undefined> {
    this.#checkOpen();
    return this.#meta.get(key)?.slice();
  }

  async swapMeta(key: string, before: Uint8Array | undefined, after: Uint8Array): Promise<boolean> {
    if (!isSameValue(this.#meta.get(key), before)) return false;
    await this.putMeta(key, after);
    return true;
  }

  async flush(): Promise<void> {
    this.#checkOpen();
  }

  async close(): Promise<void> {
    this.#status = 'closed';
  }

  health(): StoreHealth {
    return { status: this.#status, problem: '', waitingChanges: 0, waitingBytes: 0, corruptBatches: 0 };
  }

  /** Nothing ever happens to memory. */
  onEvent(_listener: (event: StoreEvent) => void): () => void {
    return () => {};
  }

  #checkOpen(): void {
    if (this.#status !== 'ready') throw new StoreUnavailableError('closed', 'the store is closed');
  }

  #topic(name: string): MemoryTopic {
    this.#checkOpen();
    const topic = this.#topics.get(name);
    if (!topic) throw noSuchTopic(name);
    return topic;
  }

  #partition(id: number): MemoryPartition {
    this.#checkOpen();
    const partition = this.#partitions.get(id);
    if (!partition) throw noSuchPartition(id);
    return partition;
  }

  #grow(topic: MemoryTopic, partitionCount: number): void {
    while (topic.partitions.length < partitionCount) {
      const partition: MemoryPartition = {
        id: ++this.#lastPartitionId,
        number: topic.partitions.length,
        firstOffset: 0,
        nextOffset: 0,
        leaderEpoch: 0,
        maxTimestamp: -1,
        batches: [],
        producers: new Map(),
      };
      topic.partitions.push(partition);
      this.#partitions.set(partition.id, partition);
    }
  }
}

interface MemoryTopic extends Omit<StoredTopic, 'partitions'> {
  partitions: MemoryPartition[];
}

interface MemoryPartition extends Omit<StoredPartition, 'producers' | 'sizeBytes'> {
  batches: StoredBatch[];
  producers: Map<bigint, Uint8Array>;
}

function storedTopic(topic: MemoryTopic): StoredTopic {
  return {
    ...topic,
    topicId: topic.topicId.slice(),
    configs: { ...topic.configs },
    partitions: topic.partitions.map(storedPartition),
  };
}

function storedPartition({ batches, producers, ...partition }: MemoryPartition): StoredPartition {
  const ids = [...producers.keys()].sort((a, b) => (a < b ? -1 : 1));
  return {
    ...partition,
    sizeBytes: sizeBytes(batches),
    producers: ids.map((id) => ({ id, state: producers.get(id)!.slice() })),
  };
}

function copied({ baseOffset, lastOffset, count, maxTimestamp, bytes }: StoredBatch): StoredBatch {
  return { baseOffset, lastOffset, count, maxTimestamp, bytes: new Uint8Array(bytes) };
}

function sizeBytes(batches: readonly NewBatch[]): number {
  return batches.reduce((sum, batch) => sum + batch.bytes.length, 0);
}

function offsetKey({ topic, partition }: TopicPartition): string {
  return `${partition}/${topic}`;
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
