import { BatchBuilder } from '../../../batch/build.ts';
import type { RecordHeader } from '../../../batch/record-cursor.ts';
import type { Clock } from '../../../lib/clock.ts';
import { grpcBatchBytes } from '../../../limits/grpc.ts';
import { maxStoredBatchBytes } from '../../../limits/store.ts';
import type { TopicLog } from '../../../log/logs.ts';
import { GrpcError, Status } from '../../../protocol/grpc/status.ts';
import type { Settled } from '../context.ts';
import { servedPartition } from './topics.ts';

/** A caller that appended messages and waits for their offsets. */
export interface AppendWaiter {
  /** Messages to a topic that took so much memory last; the last of them has this offset of the log. */
  appended(topic: TopicLog, lastOffset: number, heldBytes: number): void;
  /** They do not, and never will. */
  appendFailed(error: unknown, heldBytes: number): void;
}

/** The appenders of all topics that messages are produced to. */
export class Appenders {
  readonly #settled: Settled | undefined;
  readonly #clock: Clock;
  readonly #appenders = new WeakMap<TopicLog, TopicAppender>();

  constructor(settled: Settled | undefined, clock: Clock) {
    this.#settled = settled;
    this.#clock = clock;
  }

  of(topic: TopicLog): TopicAppender {
    let appender = this.#appenders.get(topic);
    if (appender === undefined) {
      appender = new TopicAppender(topic, this.#settled, this.#clock);
      this.#appenders.set(topic, appender);
    }
    return appender;
  }
}

/**
 * Gathers what all calls of a turn produce to one topic into one batch, so that they share its costs. While a live
 * subscriber of the topic is full, answers wait: streams then fill up what they may have waiting, and pause.
 */
export class TopicAppender {
  readonly #topic: TopicLog;
  readonly #settled: Settled | undefined;
  readonly #clock: Clock;
  #builder = new BatchBuilder();
  #waiters: AppendWaiter[] = [];
  /** For each of them: which message of the batch is its last, and what all its messages take. */
  #lasts: number[] = [];
  #heldBytes: number[] = [];
  #timestamp = 0;
  #isScheduled = false;
  #inFlight = 0;
  /** The number of callers that the next batch waits for. */
  #expectedWaiters = 0;
  #gathering: NodeJS.Timeout | undefined;
  /** Settles when the answers that wait for live subscribers are given. */
  #telling: Promise<void> | undefined;

  constructor(topic: TopicLog, settled: Settled | undefined, clock: Clock) {
    this.#topic = topic;
    this.#clock = clock;
    this.#settled = settled;
  }

  /**
   * Takes a message, which is copied. Returns the bytes of memory that it takes until it is durable.
   *
   * @throws GrpcError UNKNOWN where it is larger than what can be stored.
   */
  append(
    bytes: Uint8Array,
    start: number,
    end: number,
    waiter: AppendWaiter,
    headers: readonly RecordHeader[] = [],
  ): number {
    const size = end - start + bytesOf(headers);
    const heldBytes = size + RECORD_OVERHEAD_BYTES;
    if (size > LARGEST_MESSAGE_BYTES) throw new GrpcError(Status.UNKNOWN, 'string or blob too big');
    if (this.#builder.count > 0 && this.#builder.sizeBytes + size > grpcBatchBytes) this.#write();
    if (this.#builder.count === 0) {
      this.#timestamp = this.#clock.now();
      if (size > grpcBatchBytes) this.#builder = new BatchBuilder(size + BATCH_OVERHEAD_BYTES);
    }
    const index = this.#builder.count;
    this.#builder.append(this.#timestamp, null, 0, 0, bytes, start, end, headers);
    const last = this.#waiters.length - 1;
    if (last >= 0 && this.#waiters[last] === waiter) {
      this.#lasts[last] = index;
      this.#heldBytes[last]! += heldBytes;
    } else {
      this.#waiters.push(waiter);
      this.#lasts.push(index);
      this.#heldBytes.push(heldBytes);
    }
    if (this.#builder.sizeBytes >= grpcBatchBytes) this.#write();
    else if (this.#inFlight === 0) this.#gather();
    return heldBytes;
  }

  /** The messages of this turn go into one batch; those that arrive while a batch is on its way go into the next. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (this.#builder.count > 0) this.#write();
    });
  }

  /**
   * Many callers that each wait for an answer soon come again. To wait for them a moment makes one commit of what would
   * become several by turns.
   */
  #gather(): void {
    if (this.#waiters.length >= this.#expectedWaiters) this.#schedule();
    else this.#gathering ??= setTimeout(() => this.#schedule(), GATHER_MS);
  }

  async #write(): Promise<void> {
    this.#inFlight++;
    this.#expectedWaiters = 0;
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    const waiters = this.#waiters;
    const lasts = this.#lasts;
    const heldBytes = this.#heldBytes;
    this.#waiters = [];
    this.#lasts = [];
    this.#heldBytes = [];
    const { count } = this.#builder;
    const bytes = this.#builder.finish();
    if (bytes.length > grpcBatchBytes * 2) this.#builder = new BatchBuilder();
    const partition = servedPartition(this.#topic);
    let tell: () => void;
    try {
      const baseOffset = await partition.append({ bytes, count, maxTimestamp: this.#timestamp });
      tell = () => {
        for (const [index, waiter] of waiters.entries()) {
          waiter.appended(this.#topic, baseOffset + lasts[index]!, heldBytes[index]!);
        }
      };
    } catch (error) {
      tell = () => {
        for (const [index, waiter] of waiters.entries()) waiter.appendFailed(error, heldBytes[index]!);
      };
    }
    this.#inFlight--;
    if (this.#inFlight === 0) {
      this.#expectedWaiters = waiters.length < MANY_CALLERS ? 0 : this.#waiters.length + waiters.length;
      if (this.#builder.count > 0) this.#gather();
    }
    this.#tellInOrder(tell, this.#settled?.(partition));
  }

  /** Answers when live subscribers have what was appended, and behind the answers before it. */
  #tellInOrder(tell: () => void, settled: Promise<void> | undefined): void {
    const before = this.#telling;
    if (before === undefined && settled === undefined) {
      tell();
      return;
    }
    const telling = Promise.all([before, settled]).then(() => {
      if (this.#telling === telling) this.#telling = undefined;
      tell();
    });
    this.#telling = telling;
  }
}

const MANY_CALLERS = 4;
/** Less than a commit takes on most disks. */
const GATHER_MS = 1;
/** The overhead of a message in a batch, rounded up; it also makes many empty ones count. */
const RECORD_OVERHEAD_BYTES = 16;
/** The overhead of a batch of one record, at most. */
const BATCH_OVERHEAD_BYTES = 256;
const LARGEST_MESSAGE_BYTES = maxStoredBatchBytes - BATCH_OVERHEAD_BYTES;

/** About what headers take in a record. */
function bytesOf(headers: readonly RecordHeader[]): number {
  return headers.reduce((sum, { key, value }) => sum + 4 + key.length + (value?.length ?? 0), 0);
}
