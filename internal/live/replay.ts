import { setImmediate as turn } from 'node:timers/promises';
import { RecordBatchError } from '../batch/batch-error.ts';
import { records } from '../batch/read.ts';
import { BatchHeader, parseBatchHeader } from '../batch/record-batch.ts';
import type { Source } from '../broker/delivery/channel.ts';
import type { Message } from '../broker/delivery/publication.ts';
import { maxExpandedBatchBytes } from '../limits/batch.ts';
import { replayReadBytes } from '../limits/live.ts';
import type { Logs, TopicLog } from '../log/logs.ts';
import { isInternalTopic, liveTopicOf } from '../log/names.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import type { StoredBatch } from '../store/log-store.ts';
import { CorruptBatchError } from '../store/store-error.ts';
import { matchesFilter } from '../topic.ts';
import { MIXED_CONFIG } from './capture.ts';
import { messageOf } from './records.ts';
import type { ReplayRequest, ReplayStart } from './replay-filter.ts';

/** The reader of a replay. */
export interface ReplayTarget {
  /** Takes messages of one log, in order. */
  deliver(messages: readonly Message[]): void;
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
    for (const topic of this.#logs.topics()) this.#follow(topic, topic.partitions, this.#request.start);
    const end = this.#logs.onGrown((topic, added) => this.#follow(topic, added, { kind: 'earliest' }));
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

  #follow(topic: TopicLog, partitions: readonly PartitionLog[], start: ReplayStart): void {
    // As for consumers of Kafka with a pattern: its own topics are for who names them.
    if (isInternalTopic(topic.name) && this.#request.filter !== topic.name) return;
    const mayMatch = () =>
      topic.configs[MIXED_CONFIG] === 'true' || matchesFilter(this.#request.filter, liveTopicOf(topic.name));
    for (const partition of partitions) {
      const latest = partition.readableEnd('committed');
      this.#read(topic, partition, start, latest, mayMatch).catch((error: Error) => {
        if (!this.#stopped.signal.aborted && !partition.isEnded) this.#target.failed(error);
      });
    }
  }

  async #read(
    topic: TopicLog,
    partition: PartitionLog,
    start: ReplayStart,
    latest: number,
    mayMatch: () => boolean,
  ): Promise<void> {
    const { signal } = this.#stopped;
    const sinceMs = start.kind === 'time' ? start.timeMs : Number.NEGATIVE_INFINITY;
    let next = await firstOffset(partition, start, latest);
    while (!signal.aborted && !partition.isEnded) {
      if (next >= partition.readableEnd('committed') || !mayMatch()) {
        await advanceOf(partition, signal);
        if (!mayMatch()) next = Math.max(next, partition.readableEnd('committed'));
        continue;
      }
      await this.#inTurn(async () => {
        next = await this.#readOnce(topic, partition, Math.max(next, partition.firstOffset), sinceMs);
      });
    }
  }

  /** Reads and delivers once; where to go on. */
  async #readOnce(
    topic: TopicLog,
    partition: PartitionLog,
    fromOffset: number,
    sinceMs: number,
  ): Promise<number> {
    await this.#targetReady();
    if (this.#stopped.signal.aborted) return fromOffset;
    const end = partition.readableEnd('committed');
    let batches: StoredBatch[];
    try {
      batches = await partition.read(fromOffset, replayReadBytes, 'committed');
    } catch (error) {
      if (!(error instanceof CorruptBatchError)) throw error;
      this.#target.damaged(error);
      return error.lastOffset + 1;
    }
    // Nothing lies up to there any more, where compaction has taken the newest records.
    if (batches.length === 0) return Math.max(fromOffset, end);
    let next = fromOffset;
    for (const batch of batches) {
      const messages = this.#messagesOf(topic, partition, batch, next, sinceMs);
      if (messages.length > 0) {
        await this.#targetReady();
        if (this.#stopped.signal.aborted) return next;
        this.#target.deliver(messages);
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
    topic: TopicLog,
    partition: PartitionLog,
    batch: StoredBatch,
    fromOffset: number,
    sinceMs: number,
  ): Message[] {
    const messages: Message[] = [];
    try {
      const header = parseBatchHeader(batch.bytes, 0, this.#header);
      if (!partition.isCommitted(header)) return [];
      for (const record of records(batch.bytes, header, maxExpandedBatchBytes)) {
        if (record.offset < fromOffset || record.timestamp < sinceMs) continue;
        const message = messageOf(record, topic.name);
        if (matchesFilter(this.#request.filter, message.topic)) messages.push(message);
      }
    } catch (error) {
      if (!(error instanceof RecordBatchError)) throw error;
      const where = `${topic.name}, offsets ${batch.baseOffset} to ${batch.lastOffset}`;
      this.#target.damaged(new Error(`${where}: ${error.message}`, { cause: error }));
      return [];
    }
    return messages;
  }
}

async function firstOffset(partition: PartitionLog, start: ReplayStart, latest: number): Promise<number> {
  switch (start.kind) {
    case 'earliest':
      return partition.firstOffset;
    case 'latest':
      return latest;
    case 'offset':
      return Math.max(start.offset, partition.firstOffset);
    case 'time':
      return partition.offsetForTime(start.timeMs);
  }
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
