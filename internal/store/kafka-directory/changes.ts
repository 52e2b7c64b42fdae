import { storeGroupBatches, storeGroupBytes } from '../../limits/store.ts';
import type { Availability } from '../availability.ts';
import type { NewBatch } from '../log-store.ts';
import { StoreError, unavailableReason } from '../store-error.ts';
import type { Appending } from './append.ts';
import type { JournalEntry } from './journal.ts';
import type { KafkaDirectory } from './kafka-directory.ts';
import { KafkaOffsetsTopic } from './offsets-topic.ts';
import type { KafkaPartition } from './partition.ts';
import { KafkaTopics } from './topics.ts';

/**
 * All changes of a store in the directories of Kafka, one after the other by one loop; appends that wait together are
 * written and synced together. After a failure nothing is changed until {@link undoFailed} succeeded.
 */
export class KafkaChanges {
  readonly #directory: KafkaDirectory;
  readonly #topics: KafkaTopics;
  /** For changes that {@link make} makes. */
  readonly offsets: KafkaOffsetsTopic;
  readonly #availability: Availability;
  #waiting: Waiting[] = [];
  #working = 0;
  #waitingBytes = 0;
  #isRunning = false;
  #idle: PromiseWithResolvers<void> | undefined;
  /** Appends that failed, and may have left something in the files. */
  #failed: Appending[] = [];
  /** A change of another kind failed, perhaps half-way. */
  #hasFailedChange = false;

  constructor(directory: KafkaDirectory, availability: Availability) {
    this.#directory = directory;
    this.#topics = new KafkaTopics(directory);
    this.offsets = new KafkaOffsetsTopic(directory, this.#topics, (event) => availability.emit(event));
    this.#availability = availability;
  }

  /** The changes that are not acknowledged yet. */
  get waiting(): { waitingChanges: number; waitingBytes: number } {
    return { waitingChanges: this.#waiting.length + this.#working, waitingBytes: this.#waitingBytes };
  }

  /** Appends a batch; resolves after it lasts. @throws StoreError */
  append(partition: number, batch: NewBatch): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#enqueue({ kind: 'append', partition, batch, byteLength: batch.bytes.length, resolve, reject });
    });
  }

  /** Makes a change of another kind when its turn has come. @throws StoreError; what `make` throws is a failure */
  make<T>(make: (topics: KafkaTopics) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#enqueue({
        kind: 'change',
        make,
        byteLength: 0,
        resolve: resolve as (answer: unknown) => void,
        reject,
      });
    });
  }

  /** Resolves when nothing is changed any more. */
  async settled(): Promise<void> {
    if (!this.#isRunning) return;
    this.#idle = Promise.withResolvers();
    await this.#idle.promise;
  }

  /** Makes the files what they were before the changes that failed. @throws errors of the file system */
  async undoFailed(): Promise<void> {
    const directory = this.#directory;
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
    directory.unfinished.clear();
  }

  #enqueue(entry: Waiting): void {
    this.#availability.demandReady();
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
      const beganMs = performance.now();
      const [first] = group;
      const isDone =
        first?.kind === 'change'
          ? await this.#runChange(first)
          : await this.#runAppends(group as WaitingAppend[]);
      if (isDone) this.#directory.options.times?.groups?.observe((performance.now() - beganMs) / 1_000);
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

  /** Whether anything lasts that did not before. */
  async #runChange(entry: WaitingChange): Promise<boolean> {
    try {
      entry.resolve(await entry.make(this.#topics));
      return true;
    } catch (error) {
      if (error instanceof StoreError) {
        entry.reject(error);
        return false;
      }
      this.#hasFailedChange = true;
      this.#fail(error as Error, [entry], this.#directory.unfinished);
      return false;
    }
  }

  async #runAppends(group: WaitingAppend[]): Promise<boolean> {
    const directory = this.#directory;
    const appendings = new Map<KafkaPartition, Appending>();
    const accepted: WaitingAppend[] = [];
    for (const entry of group) {
      try {
        const { partition, topic } = directory.demand(entry.partition);
        const appending = appendings.get(partition) ?? directory.appending(partition, topic.name);
        appendings.set(partition, appending);
        appending.add(entry.batch);
        accepted.push(entry);
      } catch (error) {
        this.#waitingBytes -= entry.byteLength;
        entry.reject(error as Error);
      }
    }
    if (accepted.length === 0) return false;
    try {
      await directory.beforeChange();
      await directory.note(accepted.flatMap(producerEntry));
      const written = await Promise.allSettled(
        [...appendings.values()].map((appending) => appending.write()),
      );
      const failed = written.find((result) => result.status === 'rejected');
      if (failed) throw failed.reason;
    } catch (error) {
      this.#fail(error as Error, accepted, appendings.values());
      return false;
    }
    for (const appending of appendings.values()) await directory.finish(appending);
    for (const entry of accepted) {
      this.#waitingBytes -= entry.byteLength;
      entry.resolve();
    }
    return true;
  }

  /** Nothing is acknowledged any more, until the files are as they were before. */
  #fail(error: Error, group: Waiting[], unfinished: Iterable<Appending>): void {
    this.#failed.push(...unfinished);
    const rejected = [...group, ...this.#waiting];
    this.#waiting = [];
    this.#working = 0;
    this.#waitingBytes = 0;
    this.#availability.fail(unavailableReason(error), error.message);
    for (const entry of rejected) entry.reject(this.#availability.refusal());
  }
}

interface WaitingAppend {
  kind: 'append';
  partition: number;
  batch: NewBatch;
  byteLength: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

interface WaitingChange {
  kind: 'change';
  make: (topics: KafkaTopics) => Promise<unknown>;
  byteLength: number;
  resolve: (answer: unknown) => void;
  reject: (error: Error) => void;
}

type Waiting = WaitingAppend | WaitingChange;

function producerEntry({ partition, batch }: WaitingAppend): JournalEntry[] {
  const { producer, lastOffset } = batch;
  if (producer === undefined) return [];
  const state = Buffer.from(producer.state).toString('base64');
  return [{ kind: 'producer', id: partition, producerId: String(producer.id), lastOffset, state }];
}
