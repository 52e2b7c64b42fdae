import {
  storeGroupBatches,
  storeGroupBytes,
  storeReopenAfterMs,
  storeReopenAtMostAfterMs,
} from '../limits.ts';
import {
  checkBatch,
  checkGroupOffsets,
  checkOffset,
  checkPartitionCount,
  checkReplacement,
  checkSkip,
  checkTopic,
} from './batch-rules.ts';
import { type Appending, roll } from './kafka-append.ts';
import { KafkaDirectory, type KafkaDirectoryOptions } from './kafka-directory.ts';
import type { DirectoryIdentity } from './kafka-files.ts';
import type { JournalEntry } from './kafka-journal.ts';
import type { KafkaPartition } from './kafka-partition.ts';
import { deleteSegments, replaceBatches } from './kafka-rewrite.ts';
import { KafkaTopics } from './kafka-topics.ts';
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
  TopicConfigs,
  TopicPartition,
} from './log-store.ts';
import { isDiskFull } from './sqlite-files.ts';
import {
  CorruptBatchError,
  StoreError,
  StoreUnavailableError,
  type UnavailableReason,
} from './store-error.ts';

export type { KafkaDirectoryOptions } from './kafka-directory.ts';

/**
 * The store in the log directories of an existing Kafka, in place: what lies there is served as it is, what is appended
 * can be read by Kafka again. While this has the directory, Kafka cannot start on it, and the other way round.
 *
 * All changes are made one after the other by one loop; appends that wait together are written and synced together.
 */
export class KafkaDirectoryStore implements LogStore {
  readonly #options: KafkaDirectoryOptions;
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  #opened: Opened | undefined;
  #wasOpened = false;
  #status: StoreHealth['status'] = 'closed';
  #problem: { reason: UnavailableReason; message: string } = { reason: 'closed', message: '' };
  #waiting: Waiting[] = [];
  #working = 0;
  #waitingBytes = 0;
  #isRunning = false;
  #idle: PromiseWithResolvers<void> | undefined;
  /** Appends that failed, and may have left something in the files. */
  #failed: Appending[] = [];
  /** A change of another kind failed, perhaps half-way. */
  #hasFailedChange = false;
  #reopenTimer: NodeJS.Timeout | undefined;
  #reopenAfterMs = storeReopenAfterMs;
  #corruptBatches = 0;
  #closing: Promise<void> | undefined;

  constructor(options: KafkaDirectoryOptions) {
    this.#options = options;
  }

  /**
   * @throws StoreError `locked` if Kafka or another broker has the directory, `corrupt` if its metadata is damaged,
   * `unsupported` if it is of a newer Kafka
   */
  async open(): Promise<StoredState> {
    if (this.#wasOpened) throw new StoreError('invalid', 'a store is opened once');
    this.#wasOpened = true;
    const directory = new KafkaDirectory(this.#options, (file, reason) =>
      this.#emit({ kind: 'set-aside', file, reason }),
    );
    this.#opened = { directory, topics: new KafkaTopics(directory) };
    this.#status = 'ready';
    return directory.state();
  }

  /** Who the Kafka was that wrote the directory; empty texts where it does not say. */
  get identity(): DirectoryIdentity {
    return this.#directory.identity;
  }

  /** The first producer id that Kafka has not given away. */
  get nextProducerId(): number {
    return this.#directory.image.nextProducerId;
  }

  /** @throws StoreError `unsupported` where the directory has no metadata log */
  async createTopic(topic: NewTopic): Promise<StoredTopic> {
    checkTopic(topic);
    return this.#change(({ topics }) => topics.create(topic));
  }

  async alterTopic(name: string, configs: TopicConfigs): Promise<void> {
    await this.#change(({ topics }) => topics.alter(name, configs));
  }

  async addPartitions(name: string, partitionCount: number): Promise<StoredPartition[]> {
    checkPartitionCount(partitionCount);
    return this.#change(({ topics }) => topics.addPartitions(name, partitionCount));
  }

  async deleteTopic(name: string): Promise<void> {
    await this.#change(({ topics }) => topics.delete(name));
  }

  async setLeaderEpoch(partition: number, leaderEpoch: number): Promise<void> {
    checkOffset(leaderEpoch);
    await this.#change(async ({ topics }) => {
      this.#partition(partition);
      await topics.setLeaderEpoch(partition, leaderEpoch);
    });
  }

  append(partition: number, batch: NewBatch): Promise<void> {
    return new Promise((resolve, reject) => {
      checkBatch(batch);
      this.#enqueue({ kind: 'append', partition, batch, byteLength: batch.bytes.length, resolve, reject });
    });
  }

  async skipTo(partition: number, offset: number): Promise<void> {
    checkOffset(offset);
    await this.#change(async ({ directory }) => {
      const into = this.#partition(partition);
      checkSkip(offset, into.nextOffset);
      await directory.prepare(into);
      await (await roll(into, offset))?.openIndex.finish();
    });
  }

  async read(partition: number, fromOffset: number, maxBytes: number): Promise<StoredBatch[]> {
    checkOffset(fromOffset);
    this.#checkOpen();
    try {
      return await this.#partition(partition).read(fromOffset, maxBytes);
    } catch (error) {
      if (error instanceof CorruptBatchError) {
        this.#corruptBatches++;
        const { baseOffset, lastOffset } = error;
        this.#emit({ kind: 'corrupt', partition, baseOffset, lastOffset });
      }
      throw readError(error);
    }
  }

  async batchForTime(partition: number, timestamp: number): Promise<BatchSpan | undefined> {
    this.#checkOpen();
    return this.#partition(partition).batchForTime(timestamp).catch(rethrow);
  }

  async sizeBytes(partition: number): Promise<number> {
    this.#checkOpen();
    return this.#partition(partition).sizeBytes;
  }

  async offsetForSize(partition: number, keepBytes: number): Promise<number> {
    this.#checkOpen();
    return this.#partition(partition).offsetForSize(keepBytes).catch(rethrow);
  }

  async deleteUntil(partition: number, offset: number): Promise<void> {
    checkOffset(offset);
    await this.#change(async ({ directory }) => {
      const from = this.#partition(partition);
      if (offset > from.nextOffset) {
        throw new StoreError('invalid', `offset ${offset} is beyond the next one, ${from.nextOffset}`);
      }
      if (offset <= from.firstOffset) return;
      const { topic } = directory.partitions.get(partition)!;
      await this.#beforeRemoval(directory, from);
      await directory.saveFirstOffset(from, topic.name, topic.partitions.indexOf(from), offset);
      await deleteSegments(from, offset, directory.files);
    });
  }

  async replace(partition: number, fromOffset: number, toOffset: number, batches: NewBatch[]): Promise<void> {
    checkReplacement(fromOffset, toOffset, batches);
    await this.#change(async ({ directory }) => {
      const into = this.#partition(partition);
      if (toOffset >= into.nextOffset) {
        throw new StoreError('invalid', `offset ${toOffset} is beyond the last one, ${into.nextOffset - 1}`);
      }
      if (batches.length > 0 && batches[0].lastOffset < into.firstOffset) {
        throw new StoreError(
          'invalid',
          `offset ${batches[0].lastOffset} is before the first, ${into.firstOffset}`,
        );
      }
      const { topic } = directory.partitions.get(partition)!;
      const segmentBytes = directory.segmentBytes(topic.name);
      await this.#beforeRemoval(directory, into);
      await replaceBatches(into, fromOffset, toOffset, batches, segmentBytes, directory.files);
    });
  }

  async forgetProducers(partition: number, producerIds: bigint[]): Promise<void> {
    await this.#change(async ({ directory }) => {
      this.#partition(partition);
      const producers = directory.journal.state.producers.get(partition);
      const known = producerIds.map(String).filter((producerId) => producers?.has(producerId));
      await directory.note(
        known.map((producerId) => ({
          kind: 'producer',
          id: partition,
          producerId,
          lastOffset: -1,
          state: null,
        })),
      );
    });
  }

  async saveGroupOffsets(group: string, offsets: GroupOffset[]): Promise<void> {
    checkGroupOffsets(offsets);
    await this.#changeGroups(({ groups }) => groups.commits(group, offsets, Date.now()));
  }

  async deleteGroupOffsets(group: string, partitions: TopicPartition[]): Promise<void> {
    await this.#changeGroups(({ groups }) => groups.removals(group, Date.now(), partitions));
  }

  async deleteGroup(group: string): Promise<void> {
    await this.#changeGroups(({ groups }) => groups.removals(group, Date.now()));
  }

  async putMeta(key: string, value: Uint8Array | undefined): Promise<void> {
    const text = value === undefined ? null : Buffer.from(value).toString('base64');
    await this.#change(({ directory }) => directory.note([{ kind: 'meta', key, value: text }]));
  }

  async getMeta(key: string): Promise<Uint8Array | undefined> {
    this.#checkOpen();
    const text = this.#directory.journal.state.meta.get(key);
    return text === undefined ? undefined : new Uint8Array(Buffer.from(text, 'base64'));
  }

  async flush(): Promise<void> {
    await this.#change(async () => {});
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  health(): StoreHealth {
    return {
      status: this.#status,
      problem: this.#problem.message,
      waitingChanges: this.#waiting.length + this.#working,
      waitingBytes: this.#waitingBytes,
      corruptBatches: this.#corruptBatches,
    };
  }

  onEvent(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // The loop

  #change<T>(run: (opened: Opened) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#enqueue({
        kind: 'change',
        run,
        byteLength: 0,
        resolve: resolve as (answer: unknown) => void,
        reject,
      });
    });
  }

  #changeGroups(entries: (directory: KafkaDirectory) => ReturnType<KafkaDirectory['groups']['commits']>) {
    return this.#change(async ({ directory }) => {
      const changed = entries(directory);
      await directory.note(changed);
      for (const entry of changed) directory.groups.apply(entry);
    });
  }

  #enqueue(entry: Waiting): void {
    if (this.#status !== 'ready' || this.#closing) throw this.#unavailable();
    this.#waitingBytes += entry.byteLength;
    this.#waiting.push(entry);
    if (this.#isRunning) return;
    this.#isRunning = true;
    // After all sockets of this turn were read, so that what they brought goes to the disk together.
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      this.#working = group.length;
      const first = group[0];
      if (first.kind === 'change') await this.#runChange(first);
      else await this.#runAppends(group as WaitingAppend[]);
      this.#working = 0;
    }
    this.#isRunning = false;
    this.#idle?.resolve();
  }

  /** One change, or the appends before the next change that fit together. */
  #takeGroup(): Waiting[] {
    let count = 0;
    let bytes = 0;
    for (const { kind, byteLength } of this.#waiting) {
      if (kind === 'change' || count === storeGroupBatches) break;
      if (count > 0 && bytes + byteLength > storeGroupBytes) break;
      bytes += byteLength;
      count++;
    }
    return this.#waiting.splice(0, Math.max(1, count));
  }

  async #runChange(entry: Extract<Waiting, { kind: 'change' }>): Promise<void> {
    try {
      const answer = await entry.run(this.#opened!);
      entry.resolve(answer);
    } catch (error) {
      if (error instanceof StoreError) {
        entry.reject(error);
        return;
      }
      this.#hasFailedChange = true;
      this.#fail(error as Error, [entry], this.#opened!.topics.unfinished);
    }
  }

  async #runAppends(group: WaitingAppend[]): Promise<void> {
    const { directory } = this.#opened!;
    const appendings = new Map<KafkaPartition, Appending>();
    const accepted: WaitingAppend[] = [];
    for (const entry of group) {
      try {
        const partition = this.#partition(entry.partition);
        const topic = directory.partitions.get(entry.partition)!.topic.name;
        const appending = appendings.get(partition) ?? directory.appending(partition, topic);
        appendings.set(partition, appending);
        appending.add(entry.batch);
        accepted.push(entry);
      } catch (error) {
        this.#waitingBytes -= entry.byteLength;
        entry.reject(error as Error);
      }
    }
    if (accepted.length === 0) return;
    try {
      await directory.beforeChange();
      await directory.note(accepted.flatMap(producerEntry));
      const written = await Promise.allSettled(
        [...appendings.values()].map((appending) => appending.write()),
      );
      const failed = written.find((result) => result.status === 'rejected');
      if (failed) throw failed.reason;
    } catch (error) {
      this.#fail(error as Error, accepted, ...appendings.values());
      return;
    }
    for (const appending of appendings.values()) await this.#finish(directory, appending);
    for (const entry of accepted) {
      this.#waitingBytes -= entry.byteLength;
      entry.resolve(undefined);
    }
  }

  async #finish(directory: KafkaDirectory, appending: Appending): Promise<void> {
    const { partition } = appending;
    const full = appending.commit();
    directory.journal.state.settleProducers(partition.id, partition.nextOffset);
    try {
      for (const segment of full) await segment.openIndex.finish();
      const last = partition.segments.at(-1)!;
      if (last.openIndex.isDue) await last.openIndex.write();
    } catch {
      // The batches last, and without their index Kafka makes a new one.
      await directory.dropIndexes(partition);
    }
  }

  /** Before batches go: what the newest of them said of the time is kept. */
  async #beforeRemoval(directory: KafkaDirectory, partition: KafkaPartition): Promise<void> {
    const { id, maxTimestamp } = partition;
    await directory.prepare(partition);
    await directory.note([{ kind: 'gone-timestamp', id, maxTimestamp }]);
  }

  // Failing and recovering

  /** Nothing is acknowledged any more, until the files are as they were before. */
  #fail(error: Error, group: Waiting[], ...unfinished: (Appending | undefined)[]): void {
    const reason = isDiskFull(error) ? 'disk-full' : 'failed';
    this.#status = 'unavailable';
    this.#problem = { reason, message: error.message };
    this.#failed.push(...unfinished.filter((appending) => appending !== undefined));
    const rejected = [...group, ...this.#waiting];
    this.#waiting = [];
    this.#working = 0;
    this.#waitingBytes = 0;
    for (const entry of rejected) entry.reject(this.#unavailable());
    this.#emit({ kind: 'unavailable', reason: error.message });
    this.#scheduleReopen();
  }

  #scheduleReopen(): void {
    if (this.#closing || this.#reopenTimer) return;
    this.#reopenTimer = setTimeout(() => void this.#recover(), this.#reopenAfterMs);
    this.#reopenAfterMs = Math.min(this.#reopenAfterMs * 2, storeReopenAtMostAfterMs);
  }

  async #recover(): Promise<void> {
    try {
      await this.#undoFailed();
    } catch (error) {
      this.#problem = {
        reason: isDiskFull(error) ? 'disk-full' : 'failed',
        message: (error as Error).message,
      };
      this.#reopenTimer = undefined;
      this.#scheduleReopen();
      return;
    }
    this.#reopenTimer = undefined;
    if (this.#closing) return;
    this.#status = 'ready';
    this.#problem = { reason: 'closed', message: '' };
    this.#reopenAfterMs = storeReopenAfterMs;
    this.#emit({ kind: 'recovered', state: this.#directory.state() });
  }

  async #undoFailed(): Promise<void> {
    const { directory, topics } = this.#opened!;
    for (const appending of this.#failed) {
      await appending.undo();
      const { id, nextOffset } = appending.partition;
      directory.journal.state.settleProducers(id, nextOffset);
    }
    if (this.#hasFailedChange) await directory.reconcile();
    // This also shows whether the disk takes something again.
    await directory.journal.rewrite();
    this.#failed = [];
    this.#hasFailedChange = false;
    topics.unfinished = undefined;
  }

  // Closing and telling

  async #close(): Promise<void> {
    clearTimeout(this.#reopenTimer);
    if (this.#isRunning) {
      this.#idle = Promise.withResolvers();
      await this.#idle.promise;
    }
    const wasReady = this.#status === 'ready';
    this.#status = 'closed';
    this.#problem = { reason: 'closed', message: '' };
    if (this.#opened === undefined) return;
    const { directory } = this.#opened;
    if (wasReady) await directory.close();
    else {
      // What a failed write left would be taken for data.
      await this.#undoFailed().catch(() => {});
      await directory.release();
    }
  }

  get #directory(): KafkaDirectory {
    if (this.#opened === undefined) throw this.#unavailable();
    return this.#opened.directory;
  }

  #partition(id: number): KafkaPartition {
    const found = this.#directory.partitions.get(id);
    if (!found) throw new StoreError('not-found', `there is no partition with id ${id}`);
    return found.partition;
  }

  #checkOpen(): void {
    if (this.#status === 'closed' || this.#closing) throw this.#unavailable();
  }

  #unavailable(): StoreUnavailableError {
    if (this.#status === 'closed' || this.#closing) {
      return new StoreUnavailableError('closed', 'the store is closed');
    }
    const { reason, message } = this.#problem;
    return new StoreUnavailableError(reason, `the store cannot be written to: ${message}`);
  }

  #emit(event: StoreEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

interface Opened {
  directory: KafkaDirectory;
  topics: KafkaTopics;
}

interface WaitingAppend {
  kind: 'append';
  partition: number;
  batch: NewBatch;
  byteLength: number;
  resolve: (answer: undefined) => void;
  reject: (error: Error) => void;
}

type Waiting =
  | WaitingAppend
  | {
      kind: 'change';
      run: (opened: Opened) => Promise<unknown>;
      byteLength: number;
      resolve: (answer: unknown) => void;
      reject: (error: Error) => void;
    };

function producerEntry({ partition, batch }: WaitingAppend): JournalEntry[] {
  const { producer, lastOffset } = batch;
  if (producer === undefined) return [];
  const state = Buffer.from(producer.state).toString('base64');
  return [{ kind: 'producer', id: partition, producerId: String(producer.id), lastOffset, state }];
}

/** A read that the disk failed is asked again; it says nothing about what can be written. */
function readError(error: unknown): unknown {
  if (error instanceof StoreError) return error;
  return new StoreUnavailableError('failed', (error as Error).message, { cause: error });
}

function rethrow(error: unknown): never {
  throw readError(error);
}
