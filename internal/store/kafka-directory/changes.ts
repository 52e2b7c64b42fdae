import { storeGroupBatches, storeGroupBytes } from '../../limits/store.ts';
import type { Availability } from '../availability.ts';
import type { NewBatch, NewTopic, StoredTopic } from '../log-store.ts';
import { StoreError, unavailableReason } from '../store-error.ts';
import { ChangeGroup, NextGroup } from './change-group.ts';
import { Gathering } from './gathering.ts';
import type { KafkaDirectory } from './kafka-directory.ts';
import { KafkaOffsetsTopic } from './offsets-topic.ts';
import { KafkaTopics } from './topics.ts';

/**
 * All changes of a store in the directories of Kafka, one after the other by one loop; appends and entries for the journal
 * that wait together are written and synced together. After a failure nothing is changed until {@link undoFailed} succeeded.
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
  /** Undefined where nothing is synced, so that a group costs nothing. */
  readonly #gathering: Gathering | undefined;
  #idle: PromiseWithResolvers<void> | undefined;
  /** What failed, and may have left something in the files. */
  #failed: ChangeGroup[] = [];
  /** A change of another kind failed, perhaps half-way. */
  #hasFailedChange = false;

  constructor(directory: KafkaDirectory, availability: Availability) {
    this.#directory = directory;
    this.#topics = new KafkaTopics(directory);
    this.offsets = new KafkaOffsetsTopic(directory, this.#topics, (event) => availability.emit(event));
    this.#availability = availability;
    if (directory.options.fsync === 'commit') this.#gathering = new Gathering();
    directory.writes.onFailure((error) => this.#failBeside(error));
  }

  /** The changes that are not acknowledged yet. */
  get waiting(): { waitingChanges: number; waitingBytes: number } {
    return { waitingChanges: this.#waiting.length + this.#working, waitingBytes: this.#waitingBytes };
  }

  /** Appends a batch; resolves after it lasts. @throws StoreError */
  append(partition: number, batch: NewBatch, mayLeaveGap = false): Promise<void> {
    const stage = (group: ChangeGroup) => {
      const into = this.#directory.demand(partition);
      group.append(into.partition, into.topic.name, batch, mayLeaveGap);
    };
    return this.join(stage, batch.bytes.length);
  }

  /**
   * Makes a change of batches and journal entries, together with others.
   *
   * @param stage puts it into a group, or throws a StoreError or NextGroup before it has put anything there
   */
  join(stage: (group: ChangeGroup) => void, byteLength = 0): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#enqueue({ kind: 'joint', stage, byteLength, resolve, reject });
    });
  }

  /** Creates a topic, together with what else waits. @throws StoreError */
  async create(topic: NewTopic): Promise<StoredTopic> {
    let created: StoredTopic | undefined;
    const stage = (group: ChangeGroup) => this.#topics.stage(group, topic, (made) => (created = made));
    await this.join(stage, topic.partitionCount * NEW_PARTITION_BYTES);
    return created!;
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
    this.#idle ??= Promise.withResolvers();
    await this.#idle.promise;
  }

  /** Makes the files what they were before the changes that failed. @throws errors of the file system */
  async undoFailed(): Promise<void> {
    const directory = this.#directory;
    // A group may still be under way where it was not this that failed.
    await this.settled();
    for (const group of this.#failed) await group.undo();
    await directory.writes.recover();
    if (this.#hasFailedChange) await directory.reconcile();
    // This also shows whether the disk takes something again.
    await directory.rewriteJournal();
    this.#failed = [];
    this.#hasFailedChange = false;
    directory.unfinished.clear();
  }

  #enqueue(entry: Waiting): void {
    this.#availability.demandReady();
    this.#waitingBytes += entry.byteLength;
    this.#waiting.push(entry);
    this.#gathering?.came(this.#waiting.length);
    if (this.#isRunning) return;
    this.#isRunning = true;
    // After all sockets of this turn were read, so that what they brought goes to the disk together.
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      if (this.#waitingBytes < storeGroupBytes) await this.#gathering?.untilGathered(this.#waiting.length);
      // The disk may have failed meanwhile.
      if (this.#waiting.length === 0) break;
      const group = this.#takeGroup();
      this.#working = group.length;
      const beganMs = performance.now();
      const [first] = group;
      const isDone =
        first?.kind === 'change'
          ? await this.#runChange(first)
          : await this.#runJoint(group as WaitingJoint[]);
      const tookMs = performance.now() - beganMs;
      if (isDone) this.#directory.options.times?.groups?.observe(tookMs / 1_000);
      this.#gathering?.answered(this.#working, this.#waiting.length, tookMs);
      this.#working = 0;
    }
    this.#isRunning = false;
    this.#idle?.resolve();
    this.#idle = undefined;
  }

  /** One change that is made alone, or those before the next one that fit together. */
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

  async #runJoint(waiting: readonly WaitingJoint[]): Promise<boolean> {
    const group = new ChangeGroup(this.#directory);
    const accepted = this.#stage(waiting, group);
    if (accepted.length === 0) return false;
    try {
      if (!group.isEmpty) {
        await group.write();
        await group.commit();
      }
    } catch (error) {
      this.#fail(error as Error, accepted, [group]);
      return false;
    }
    for (const entry of accepted) {
      this.#waitingBytes -= entry.byteLength;
      entry.resolve();
    }
    return true;
  }

  /** Puts changes into a group, until one has to be in the next one; the rest waits for that. @returns those that it takes */
  #stage(waiting: readonly WaitingJoint[], group: ChangeGroup): WaitingJoint[] {
    const accepted: WaitingJoint[] = [];
    for (const [index, entry] of waiting.entries()) {
      try {
        entry.stage(group);
        accepted.push(entry);
      } catch (error) {
        if (error instanceof NextGroup) {
          const rest = waiting.slice(index);
          this.#waiting.unshift(...rest);
          this.#working -= rest.length;
          break;
        }
        this.#waitingBytes -= entry.byteLength;
        entry.reject(error as Error);
      }
    }
    return accepted;
  }

  /** Nothing is acknowledged any more, until the files are as they were before. */
  #fail(error: Error, group: Waiting[], unfinished: Iterable<ChangeGroup>): void {
    this.#failed.push(...unfinished);
    const rejected = [...group, ...this.#waiting];
    this.#waiting = [];
    this.#working = 0;
    this.#waitingBytes = 0;
    this.#availability.fail(unavailableReason(error), error.message, bytesOf(group));
    for (const entry of rejected) entry.reject(this.#availability.refusal());
  }

  /** Nothing that waits, and nothing new, is begun: a file could not be synced beside the group that may be under way. */
  #failBeside(error: Error): void {
    const rejected = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes -= bytesOf(rejected);
    this.#availability.fail(unavailableReason(error), error.message);
    for (const entry of rejected) entry.reject(this.#availability.refusal());
  }
}

/** About what the record of a partition and its entries in the journal take. */
const NEW_PARTITION_BYTES = 300;

function bytesOf(waiting: readonly Waiting[]): number {
  return waiting.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

interface WaitingJoint {
  kind: 'joint';
  stage: (group: ChangeGroup) => void;
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

type Waiting = WaitingJoint | WaitingChange;
