import { isBuiltin } from 'node:module';
import type { Worker } from 'node:worker_threads';
import { storeGroupsInFlight } from '../../limits/store.ts';
import { Availability } from '../availability.ts';
import {
  checkBatch,
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
  FsyncPolicy,
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
  TopicConfigs,
  TopicPartition,
} from '../log-store.ts';
import { StoreError, StoreUnavailableError, type UnavailableReason } from '../store-error.ts';
import type { WriteTimes } from '../write-times.ts';
import type { Change, FromWriter, GroupTimes, PackedBatches, ToWriter } from './messages.ts';
import { SqliteReads, unpack } from './reads.ts';
import { endThread, errorOf, startThread } from './thread.ts';
import { copiedForClone, TransactionPacker, type Waiting } from './transaction-packer.ts';

export interface SqliteStoreOptions {
  /** Created if it is missing, for its owner only. */
  directory: string;
  fsync: FsyncPolicy;
  times?: WriteTimes;
}

/**
 * The store in one SQLite file. This side runs in the broker's thread and never touches the disk: it gathers changes
 * into groups for the thread that writes, and passes reads to the thread that reads.
 */
export class SqliteStore implements LogStore, EntryStore {
  readonly #options: SqliteStoreOptions;
  readonly #packer = new TransactionPacker();
  readonly #availability = new Availability(() => this.#openWriter(false));
  readonly #reads: SqliteReads;

  #writer: Worker | undefined;
  #opening: PromiseWithResolvers<StoredState> | undefined;
  #waiting: Waiting[] = [];
  /** Groups that the writer has, oldest first. */
  #inFlight: Waiting[][] = [];
  #waitingBytes = 0;
  #isFlushScheduled = false;
  /** The next offset of each partition by what was acknowledged. */
  readonly #acknowledged = new Map<number, number>();
  /** Those of partitions where a failed group may have left batches. */
  #keepUntil = new Map<number, number>();
  #closing: Promise<void> | undefined;

  constructor(options: SqliteStoreOptions) {
    this.#options = options;
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
      return await this.#availability.open(() => this.#openWriter(true));
    } catch (error) {
      await this.#writer?.terminate();
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

  async setLeaderEpoch(partition: number, leaderEpoch: number): Promise<void> {
    checkOffset(leaderEpoch);
    await this.#change({ kind: 'leader-epoch', partition, leaderEpoch });
  }

  append(partition: number, batch: NewBatch): Promise<void> {
    return new Promise((resolve, reject) => {
      checkBatch(batch);
      // A broker without logs does without this thread; one with logs has it before the disk is full.
      this.#reads.start();
      const byteLength = batch.bytes.length;
      this.#enqueue({
        kind: 'append',
        partition,
        batch,
        byteLength,
        resolve: resolve as (answer: unknown) => void,
        reject,
      });
    });
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
    return unpack(packed, this.#acknowledged.get(partition) ?? 0);
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

  putEntries(changes: readonly EntryChange[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const entries = packEntries(changes);
      this.#enqueue({
        kind: 'change',
        change: { kind: 'put-entries', entries },
        byteLength: entries.values.length,
        resolve: resolve as (answer: unknown) => void,
        reject,
      });
    });
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
    const inFlight = this.#inFlight.reduce((sum, group) => sum + group.length, 0);
    return this.#availability.health({
      waitingChanges: this.#waiting.length + inFlight,
      waitingBytes: this.#waitingBytes,
    });
  }

  onEvent(listener: (event: StoreEvent) => void): () => void {
    return this.#availability.onEvent(listener);
  }

  // Writing

  #change(change: Change): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#enqueue({ kind: 'change', change, byteLength: byteLengthOf(change), resolve, reject });
    });
  }

  #enqueue(entry: Waiting): void {
    this.#availability.demandReady();
    this.#waitingBytes += entry.byteLength;
    this.#waiting.push(entry);
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    // After all sockets of this turn were read, so that what they brought goes to the disk together.
    setImmediate(() => {
      this.#isFlushScheduled = false;
      this.#sendGroups();
    });
  }

  #sendGroups(): void {
    while (this.#waiting.length > 0 && this.#inFlight.length < storeGroupsInFlight) {
      const count = this.#packer.count(this.#waiting);
      const group = count === this.#waiting.length ? this.#waiting : this.#waiting.slice(0, count);
      this.#waiting = count === this.#waiting.length ? [] : this.#waiting.slice(count);
      const packed = this.#packer.pack(group);
      this.#inFlight.push(group);
      this.#tellWriter(packed, [packed.slab, packed.appends.buffer as ArrayBuffer]);
    }
  }

  #openWriter(isFirst: boolean): Promise<StoredState> {
    this.#opening = Promise.withResolvers();
    this.#writer ??= this.#startWriter();
    this.#tellWriter({ kind: 'open', isFirst, keepUntil: this.#keepUntil });
    return this.#opening.promise;
  }

  #startWriter(): Worker {
    const { directory, fsync } = this.#options;
    return startThread<FromWriter>(
      { role: 'writer', directory, fsync },
      (message) => this.#fromWriter(message),
      (thread, message) => this.#writerEnded(thread, message),
    );
  }

  #tellWriter(message: ToWriter, transfer: ArrayBuffer[] = []): void {
    this.#writer!.postMessage(message, transfer);
  }

  #fromWriter(message: FromWriter): void {
    switch (message.kind) {
      case 'opened':
        this.#keepUntil.clear();
        for (const topic of message.state.topics) {
          for (const { id, nextOffset } of topic.partitions) this.#acknowledged.set(id, nextOffset);
        }
        if (message.setAside) this.#availability.emit({ kind: 'set-aside', ...message.setAside });
        this.#opening?.resolve(message.state);
        return;
      case 'open-failed': {
        const { refusal, reason } = message;
        this.#opening?.reject(errorOf(refusal, reason));
        return;
      }
      case 'group-done':
        this.#packer.giveBack(message.slab);
        this.#measure(message.took);
        this.#settle(this.#inFlight.shift()!, message.outcomes);
        this.#sendGroups();
        return;
      case 'failed':
        this.#fail(message.reason, message.message);
        return;
    }
  }

  /** A COMMIT waits for the disk with `commit` only. */
  #measure({ seconds, commitSeconds }: GroupTimes): void {
    const { times, fsync } = this.#options;
    times?.groups?.observe(seconds);
    if (fsync === 'commit') times?.syncs?.observe(commitSeconds);
  }

  #settle(group: Waiting[], outcomes: Extract<FromWriter, { kind: 'group-done' }>['outcomes']): void {
    let next = 0;
    for (const [position, entry] of group.entries()) {
      this.#waitingBytes -= entry.byteLength;
      const outcome = outcomes[next]?.position === position ? outcomes[next++] : undefined;
      if (outcome?.kind === 'refused') {
        entry.reject(errorOf(outcome.refusal, 'failed'));
        continue;
      }
      if (entry.kind === 'append') this.#acknowledged.set(entry.partition, entry.batch.lastOffset + 1);
      else this.#learn(entry.change, outcome?.answer);
      entry.resolve(outcome?.answer);
    }
  }

  #learn(change: Change, answer: unknown): void {
    if (change.kind === 'skip-to') this.#acknowledged.set(change.partition, change.offset);
    else if (change.kind === 'create-topic') this.#begin((answer as StoredTopic).partitions);
    else if (change.kind === 'add-partitions') this.#begin(answer as StoredPartition[]);
  }

  #begin(partitions: StoredPartition[]): void {
    for (const { id } of partitions) this.#acknowledged.set(id, 0);
  }

  /** Nothing that waits is acknowledged any more, until the file was opened and recovered anew. */
  #fail(reason: UnavailableReason, message: string): void {
    for (const group of this.#inFlight) {
      for (const entry of group) {
        if (entry.kind !== 'append') continue;
        const acknowledged = this.#acknowledged.get(entry.partition);
        if (acknowledged !== undefined) this.#keepUntil.set(entry.partition, acknowledged);
      }
    }
    this.#availability.fail(reason, message);
    const rejected = [...this.#inFlight.flat(), ...this.#waiting];
    this.#inFlight = [];
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const entry of rejected) entry.reject(this.#availability.refusal());
  }

  #writerEnded(worker: Worker, message: string): void {
    if (this.#writer !== worker) return;
    this.#writer = undefined;
    this.#opening?.reject(new StoreUnavailableError('failed', message));
    if (this.#availability.status === 'ready') this.#fail('failed', message);
  }

  // Closing

  async #close(): Promise<void> {
    const reopened = this.#availability.beginClose();
    if (this.#availability.status === 'ready') {
      // Everything asked before comes first; if it fails, those who asked are told.
      await new Promise<unknown>((resolve) => {
        const change: Change = { kind: 'barrier' };
        this.#waiting.push({ kind: 'change', change, byteLength: 0, resolve, reject: resolve });
        setImmediate(() => this.#sendGroups());
      });
    }
    await reopened;
    this.#availability.close();
    // The writer goes last: the last connection moves the write-ahead log into the file.
    await this.#reads.close();
    await endThread(this.#writer);
  }
}

/** The bytes of values and batches in a change, of which only so many wait together. */
function byteLengthOf(change: Change): number {
  if (change.kind === 'put-meta') return change.value?.length ?? 0;
  return change.kind === 'replace' ? change.batches.reduce((sum, { bytes }) => sum + bytes.length, 0) : 0;
}
