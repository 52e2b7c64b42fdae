import { setImmediate as turn } from 'node:timers/promises';
import { BatchHeader } from '../batch/record-batch.ts';
import type { Source } from '../broker/delivery/channel.ts';
import { replayReadBytes } from '../limits/live.ts';
import type { Logs, TopicLog } from '../log/logs.ts';
import { isInternalTopic, liveTopicOf } from '../log/names.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import type { StoredBatch } from '../store/log-store.ts';
import { CorruptBatchError } from '../store/store-error.ts';
import { matchesFilter } from '../topic.ts';
import { isMixed } from './capture.ts';
import { FROM_BEGINNING, firstOffset, startIn } from './read-start.ts';
import type { ReadFrom, ReplayRequest } from './replay-filter.ts';
import { DamagedBatchError, type StoredMessage, storedMessages } from './stored-messages.ts';

/** A partition that a replay reads, and where it began there. */
export interface Reading {
  readonly topic: TopicLog;
  readonly partition: PartitionLog;
  readonly from: ReadFrom;
}

export type ReplayedMessage = StoredMessage;

/** The reader of a replay. */
export interface ReplayTarget {
  /**
   * A partition comes into the replay, before the first of its messages; those that are there when it starts do so before
   * {@link Replay.start} returns.
   */
  reads?(reading: Reading): void;
  /** Takes messages of one partition, in order. */
  deliver(messages: readonly ReplayedMessage[], reading: Reading): void;
  /** Asked before each delivery: whether it would rather not take more now; if so it pauses and resumes `source`. */
  holdsBack(source: Source): boolean;
  /** A damaged part of the log is passed over. */
  damaged(error: Error): void;
  /** The replay cannot go on. */
  failed(error: Error): void;
}

/**
 * Reads the logs of a filter from a start on, and goes on with what is appended: one reader for each partition, which
 * follows the log itself. So there is no moment at which it changes from history to live traffic, and no message
 * that falls into the gap or comes twice.
 *
 * Only one reader reads at a time, and only while the target takes more: however many logs there are, what was read
 * and waits for a slow target is one read.
 */
export class Replay implements Source {
  readonly #logs: Logs;
  readonly #request: ReplayRequest;
  readonly #target: ReplayTarget;
  readonly #stopped = new AbortController();
  #pauses = 0;
  #goOn: (() => void)[] = [];
  /** Settles when the reader that asked last has had its turn. */
  #lastTurn: Promise<void> = Promise.resolve();
  #bytesSinceYield = 0;
  readonly #header = new BatchHeader();

  constructor(logs: Logs, request: ReplayRequest, target: ReplayTarget) {
    this.#logs = logs;
    this.#request = request;
    this.#target = target;
  }

  /** Begins: from here on whatever is appended will be delivered. */
  start(): void {
    for (const topic of this.#logs.topics()) {
      this.#follow(topic, topic.partitions, (partition) => firstOf(this.#request, partition));
    }
    const end = this.#logs.onGrown((topic, added) => this.#follow(topic, added, () => FROM_BEGINNING));
    this.#stopped.signal.addEventListener('abort', end);
  }

  stop(): void {
    this.#stopped.abort();
    for (const goOn of this.#goOn.splice(0)) goOn();
  }

  pause(): void {
    this.#pauses++;
  }

  resume(): void {
    if (--this.#pauses > 0) return;
    for (const goOn of this.#goOn.splice(0)) goOn();
  }

  #follow(
    topic: TopicLog,
    partitions: readonly PartitionLog[],
    fromOf: (partition: PartitionLog) => ReadFrom,
  ): void {
    // As for consumers of Kafka with a pattern: its own topics are for who names them.
    if (isInternalTopic(topic.name) && this.#request.filter !== topic.name) return;
    const mayMatch = () => isMixed(topic) || matchesFilter(this.#request.filter, liveTopicOf(topic.name));
    for (const partition of partitions) {
      const reading = { topic, partition, from: fromOf(partition) };
      const isTold = mayMatch();
      if (isTold) this.#target.reads?.(reading);
      this.#read(reading, isTold, mayMatch).catch((error: Error) => {
        if (!this.#stopped.signal.aborted && !partition.isEnded) this.#target.failed(error);
      });
    }
  }

  async #read(reading: Reading, isTold: boolean, mayMatch: () => boolean): Promise<void> {
    const { signal } = this.#stopped;
    const { topic, partition } = reading;
    const { sinceMs } = reading.from;
    let next = await firstOffset(partition, reading.from);
    while (!signal.aborted && !partition.isEnded) {
      if (next >= partition.readableEnd('committed') || !mayMatch()) {
        await advanceOf(partition, signal);
        if (!mayMatch()) next = Math.max(next, partition.readableEnd('committed'));
        continue;
      }
      if (!isTold) {
        reading = { topic, partition, from: { offset: next, sinceMs } };
        isTold = true;
        this.#target.reads?.(reading);
      }
      await this.#inTurn(async () => {
        next = await this.#readOnce(reading, Math.max(next, partition.firstOffset));
      });
    }
  }

  /** Reads and delivers once; where to go on. */
  async #readOnce(reading: Reading, fromOffset: number): Promise<number> {
    const { partition } = reading;
    await this.#targetReady();
    if (this.#stopped.signal.aborted) return fromOffset;
    const end = partition.readableEnd('committed');
    const batches = await partition.readOrDamage(fromOffset, replayReadBytes, 'committed');
    if (batches instanceof CorruptBatchError) {
      this.#target.damaged(batches);
      return batches.lastOffset + 1;
    }
    // Nothing lies up to there any more, where compaction has taken the newest records.
    if (batches.length === 0) return Math.max(fromOffset, end);
    let next = fromOffset;
    for (const batch of batches) {
      const messages = this.#messagesOf(reading, batch, next);
      if (messages.length > 0) {
        await this.#targetReady();
        if (this.#stopped.signal.aborted) return next;
        this.#target.deliver(messages, reading);
      }
      next = batch.lastOffset + 1;
      this.#bytesSinceYield += batch.bytes.length;
    }
    if (this.#bytesSinceYield >= replayReadBytes) {
      this.#bytesSinceYield = 0;
      await turn();
    }
    return next;
  }

  /** Runs one reader after the other, in the order in which they ask. */
  #inTurn(read: () => Promise<void>): Promise<void> {
    const reading = this.#lastTurn.then(read);
    this.#lastTurn = reading.catch(() => {});
    return reading;
  }

  async #targetReady(): Promise<void> {
    while (!this.#stopped.signal.aborted && (this.#pauses > 0 || this.#target.holdsBack(this))) {
      await new Promise<void>((resolve) => this.#goOn.push(resolve));
    }
  }

  /** The wanted records of a batch. A batch that cannot be read is reported and skipped as a whole. */
  #messagesOf(
    { topic, partition, from }: Reading,
    batch: StoredBatch,
    fromOffset: number,
  ): ReplayedMessage[] {
    const { filter, mayGet } = this.#request;
    const wanted = { filter, mayGet, fromOffset, sinceMs: from.sinceMs };
    try {
      return storedMessages(topic, partition, batch, wanted, this.#header);
    } catch (error) {
      if (!(error instanceof DamagedBatchError)) throw error;
      this.#target.damaged(error);
      return [];
    }
  }
}

/** The beginning of a replay in a partition that is there when it starts. */
function firstOf({ start, positions, goesOn }: ReplayRequest, partition: PartitionLog): ReadFrom {
  const wanted = startIn(partition, start);
  const position = positions?.get(partition);
  if (position === undefined) return goesOn ? FROM_BEGINNING : wanted;
  // A log that lost its end gives these offsets again, unless it is read from where the replay was to begin.
  const end = Math.max(partition.readableEnd('committed'), start.kind === 'offset' ? start.offset : 0);
  return { offset: Math.min(position.offset, end), sinceMs: position.sinceMs };
}

/** Resolves when more can be read, or when nobody wants it any more. */
function advanceOf(partition: PartitionLog, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const end = partition.onAdvance(finish);
    signal.addEventListener('abort', finish, { once: true });

    function finish(): void {
      end();
      signal.removeEventListener('abort', finish);
      resolve();
    }
  });
}
