import { existsSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { storeGroupsInFlight, storeReopenAfterMs, storeReopenAtMostAfterMs } from '../limits.ts';
import {
  checkBatch,
  checkGroupOffsets,
  checkOffset,
  checkPartitionCount,
  checkReplacement,
  checkTopic,
} from './batch-rules.ts';
import { type Entry, type EntryChange, type EntryStore, packEntries } from './entry-store.ts';
import { copiedForClone, GroupPacker, type Waiting } from './group-packer.ts';
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
import type { FsyncPolicy } from './sqlite-files.ts';
import {
  type Change,
  type FromReader,
  type FromWriter,
  OWN_BUFFER_BYTES,
  type PackedBatches,
  READ_FIELDS,
  type ReadRequest,
  type Refusal,
  type ToReader,
  type ToWriter,
  type WorkerRole,
} from './sqlite-messages.ts';
import {
  CorruptBatchError,
  StoreError,
  StoreUnavailableError,
  type UnavailableReason,
} from './store-error.ts';

export interface SqliteStoreOptions {
  /** Created if it is missing, for its owner only. */
  directory: string;
  fsync: FsyncPolicy;
}

/**
 * The store in one SQLite file. This side runs in the broker's thread and never touches the disk: it gathers changes
 * into groups for the thread that writes, and passes reads to the thread that reads.
 */
export class SqliteStore implements LogStore, EntryStore {
  readonly #options: SqliteStoreOptions;
  readonly #packer = new GroupPacker();
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  #status: StoreHealth['status'] = 'closed';
  #problem: { reason: UnavailableReason; message: string } = { reason: 'closed', message: '' };
  #wasOpened = false;

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
  #reopenTimer: NodeJS.Timeout | undefined;
  #reopenAfterMs = storeReopenAfterMs;

  #reader: Worker | undefined;
  readonly #reads = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>();
  #lastReadId = 0;
  #corruptBatches = 0;
  #closing: Promise<void> | undefined;

  constructor(options: SqliteStoreOptions) {
    this.#options = options;
  }

  /**
   * @throws StoreError `locked` if another process has the directory, `unsupported` if this runtime has no SQLite or the
   * file is not one that this version can use; StoreUnavailableError if the disk fails
   */
  async open(): Promise<StoredState> {
    if (this.#wasOpened) throw new StoreError('invalid', 'a store is opened once');
    if (!isBuiltin('node:sqlite')) {
      throw new StoreError(
        'unsupported',
        `the store needs Node.js 22.13 or newer, with SQLite built in; this is ${process.version}`,
      );
    }
    this.#wasOpened = true;
    try {
      const state = await this.#openWriter(true);
      this.#status = 'ready';
      return state;
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
      this.#reader ??= this.#startReader();
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
    const packed = (await this.#ask({ kind: 'read', partition, fromOffset, maxBytes })) as PackedBatches;
    // The file may hold what a failed transaction left, until it was opened again.
    return unpack(packed, this.#acknowledged.get(partition) ?? 0);
  }

  async batchForTime(partition: number, timestamp: number): Promise<BatchSpan | undefined> {
    return (await this.#ask({ kind: 'batch-for-time', partition, timestamp })) as BatchSpan | undefined;
  }

  async sizeBytes(partition: number): Promise<number> {
    return (await this.#ask({ kind: 'size', partition })) as number;
  }

  async offsetForSize(partition: number, keepBytes: number): Promise<number> {
    return (await this.#ask({ kind: 'offset-for-size', partition, keepBytes })) as number;
  }

  async deleteUntil(partition: number, offset: number): Promise<void> {
    checkOffset(offset);
    await this.#change({ kind: 'delete-until', partition, offset });
  }

  async replace(partition: number, fromOffset: number, toOffset: number, batches: NewBatch[]): Promise<void> {
    checkReplacement(fromOffset, toOffset, batches);
    const copies = batches.map((batch) => ({
      ...batch,
      bytes: copiedForClone(batch.bytes),
      producer: undefined,
    }));
    await this.#change({ kind: 'replace', partition, fromOffset, toOffset, batches: copies });
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
    return (await this.#change({ kind: 'entries', after, maxBytes })) as Entry[];
  }

  async flush(): Promise<void> {
    await this.#change({ kind: 'barrier' });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  health(): StoreHealth {
    return {
      status: this.#status,
      problem: this.#problem.message,
      waitingChanges: this.#waiting.length + this.#inFlight.reduce((sum, group) => sum + group.length, 0),
      waitingBytes: this.#waitingBytes,
      corruptBatches: this.#corruptBatches,
    };
  }

  onEvent(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // Writing

  #change(change: Change): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const byteLength =
        change.kind === 'replace' ? change.batches.reduce((sum, { bytes }) => sum + bytes.length, 0) : 0;
      this.#enqueue({ kind: 'change', change, byteLength, resolve, reject });
    });
  }

  #enqueue(entry: Waiting): void {
    if (this.#status !== 'ready' || this.#closing) throw this.#unavailable();
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
    const worker = startWorker({ role: 'writer', ...this.#options });
    worker.on('message', (message: FromWriter) => this.#fromWriter(message));
    worker.on('error', (error: Error) => this.#writerEnded(worker, error.message));
    worker.on('exit', () => this.#writerEnded(worker, 'the thread of the store ended'));
    return worker;
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
        if (message.setAside) this.#emit({ kind: 'set-aside', ...message.setAside });
        this.#opening?.resolve(message.state);
        return;
      case 'open-failed': {
        const { refusal, reason } = message;
        this.#opening?.reject(errorOf(refusal, reason));
        return;
      }
      case 'group-done':
        this.#packer.giveBack(message.slab);
        this.#settle(this.#inFlight.shift()!, message.outcomes);
        this.#sendGroups();
        return;
      case 'failed':
        this.#fail(message.reason, message.message);
        return;
      case 'closed':
        return;
    }
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
      else if (entry.change.kind === 'skip-to') {
        this.#acknowledged.set(entry.change.partition, entry.change.offset);
      } else if (entry.change.kind === 'create-topic')
        this.#learn((outcome!.answer as StoredTopic).partitions);
      else if (entry.change.kind === 'add-partitions') this.#learn(outcome!.answer as StoredPartition[]);
      entry.resolve(outcome?.answer);
    }
  }

  #learn(partitions: StoredPartition[]): void {
    for (const { id } of partitions) this.#acknowledged.set(id, 0);
  }

  /** Nothing that waits is acknowledged any more, until the file was opened and recovered anew. */
  #fail(reason: UnavailableReason, message: string): void {
    if (this.#status === 'closed') return;
    const wasReady = this.#status === 'ready';
    this.#status = 'unavailable';
    this.#problem = { reason, message };
    for (const group of this.#inFlight) {
      for (const entry of group) {
        if (entry.kind !== 'append') continue;
        const acknowledged = this.#acknowledged.get(entry.partition);
        if (acknowledged !== undefined) this.#keepUntil.set(entry.partition, acknowledged);
      }
    }
    this.#rejectWaiting();
    if (wasReady) this.#emit({ kind: 'unavailable', reason: message });
    this.#scheduleReopen();
  }

  #rejectWaiting(): void {
    const rejected = [...this.#inFlight.flat(), ...this.#waiting];
    this.#inFlight = [];
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const entry of rejected) entry.reject(this.#unavailable());
  }

  #scheduleReopen(): void {
    if (this.#closing || this.#reopenTimer) return;
    this.#reopenTimer = setTimeout(() => {
      this.#reopenTimer = undefined;
      void this.#reopen();
    }, this.#reopenAfterMs);
    this.#reopenAfterMs = Math.min(this.#reopenAfterMs * 2, storeReopenAtMostAfterMs);
  }

  async #reopen(): Promise<void> {
    try {
      const state = await this.#openWriter(false);
      if (this.#closing) return;
      this.#status = 'ready';
      this.#problem = { reason: 'closed', message: '' };
      this.#reopenAfterMs = storeReopenAfterMs;
      this.#emit({ kind: 'recovered', state });
    } catch (error) {
      const { message } = error as Error;
      const reason = error instanceof StoreUnavailableError ? error.reason : 'failed';
      this.#problem = { reason, message };
      this.#scheduleReopen();
    }
  }

  #writerEnded(worker: Worker, message: string): void {
    if (this.#writer !== worker) return;
    this.#writer = undefined;
    this.#opening?.reject(new StoreUnavailableError('failed', message));
    if (this.#status === 'ready') this.#fail('failed', message);
  }

  // Reading

  #ask(request: ReadRequest): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#status === 'closed' || this.#closing) throw this.#unavailable();
      this.#reader ??= this.#startReader();
      const id = ++this.#lastReadId;
      this.#reads.set(id, { resolve, reject });
      this.#reader.postMessage({ id, request } satisfies ToReader);
    });
  }

  #startReader(): Worker {
    const worker = startWorker({ role: 'reader', directory: this.#options.directory });
    worker.on('message', (message: FromReader) => this.#fromReader(message));
    worker.on('error', (error: Error) => this.#readerEnded(worker, error.message));
    worker.on('exit', () => this.#readerEnded(worker, 'the thread of the store ended'));
    return worker;
  }

  #fromReader(message: FromReader): void {
    const read = this.#reads.get(message.id)!;
    this.#reads.delete(message.id);
    switch (message.kind) {
      case 'answered':
        read.resolve(message.answer);
        return;
      case 'refused':
        read.reject(errorOf(message.refusal, 'failed'));
        return;
      case 'corrupt': {
        const { partition, baseOffset, lastOffset } = message;
        this.#corruptBatches++;
        this.#emit({ kind: 'corrupt', partition, baseOffset, lastOffset });
        read.reject(new CorruptBatchError(partition, baseOffset, lastOffset));
      }
    }
  }

  /** The next read starts another one. */
  #readerEnded(worker: Worker, message: string): void {
    if (this.#reader !== worker) return;
    this.#reader = undefined;
    const failed = [...this.#reads.values()];
    this.#reads.clear();
    for (const read of failed) read.reject(new StoreUnavailableError('failed', message));
  }

  // Closing and telling

  async #close(): Promise<void> {
    clearTimeout(this.#reopenTimer);
    if (this.#status === 'ready') {
      // Everything asked before comes first; if it fails, those who asked are told.
      await new Promise<unknown>((resolve) => {
        const change: Change = { kind: 'barrier' };
        this.#waiting.push({ kind: 'change', change, byteLength: 0, resolve, reject: resolve });
        setImmediate(() => this.#sendGroups());
      });
    }
    this.#status = 'closed';
    this.#problem = { reason: 'closed', message: '' };
    // The writer goes last: the last connection moves the write-ahead log into the file.
    await end(this.#reader, { kind: 'close' });
    await end(this.#writer, { kind: 'close' });
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

/** Asks a thread to close, and resolves when it has ended. */
async function end(worker: Worker | undefined, message: ToReader & ToWriter): Promise<void> {
  if (!worker) return;
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  worker.postMessage(message);
  await ended;
}

function startWorker(role: WorkerRole): Worker {
  // Node calls SQLite experimental; whoever runs a broker can do nothing about that.
  return new Worker(workerFile(), { workerData: role, execArgv: ['--disable-warning=ExperimentalWarning'] });
}

/** The thread's file: beside this one among the sources; built, this one is in `dist` or a folder of it. */
function workerFile(): URL {
  const candidates = ['./sqlite-worker.ts', './sqlite-worker.js', '../sqlite-worker.js'];
  const found = candidates
    .map((path) => new URL(path, import.meta.url))
    .find((url) => existsSync(fileURLToPath(url)));
  if (!found) throw new StoreError('unsupported', 'this copy of tinymq lacks its file sqlite-worker.js');
  return found;
}

function errorOf({ code, message }: Refusal, reason: UnavailableReason): StoreError {
  return code === 'unavailable' ? new StoreUnavailableError(reason, message) : new StoreError(code, message);
}

function unpack({ fields, slab, buffers }: PackedBatches, untilOffset: number): StoredBatch[] {
  const batches: StoredBatch[] = [];
  let slabUsed = 0;
  let buffer = 0;
  for (let at = 0; at < fields.length && fields[at]! < untilOffset; at += READ_FIELDS) {
    const byteLength = fields[at + 4]!;
    const isShort = byteLength < OWN_BUFFER_BYTES;
    batches.push({
      baseOffset: fields[at]!,
      lastOffset: fields[at + 1]!,
      count: fields[at + 2]!,
      maxTimestamp: fields[at + 3]!,
      bytes: isShort ? new Uint8Array(slab, slabUsed, byteLength) : new Uint8Array(buffers[buffer++]!),
    });
    if (isShort) slabUsed += byteLength;
  }
  return batches;
}
