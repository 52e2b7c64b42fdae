import type { Clock, ClockTimer } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { producerExpirationMs, retentionFirstAfterMs } from '../limits/log.ts';
import type { LogStore } from '../store/log-store.ts';
import type { Compactor } from './compaction/compaction.ts';
import { CONSUMER_OFFSETS, isInternalTopic } from './names.ts';
import type { PartitionLog } from './partition-log.ts';
import type { TopicSettings } from './topic-configs.ts';

/** The part of a topic that retention uses. */
export interface RetainedTopic {
  readonly name: string;
  readonly settings: TopicSettings;
  readonly partitions: readonly PartitionLog[];
}

export interface RetentionParts {
  clock: Clock;
  store: LogStore;
  compactor: Compactor;
  /** The topics there are, each time it is asked. */
  topics: () => Iterable<RetainedTopic>;
  logger: Pick<Logger, 'info' | 'error'>;
}

/**
 * Keeps logs as small as their topics say, one partition after the other: what is too old or too much goes, what is to
 * be compacted is, and producers that are quiet for long are forgotten.
 */
export class Retention {
  readonly #parts: RetentionParts;
  /**
   * The oldest batch of a partition that was not too old: until it is, there is no need to look again. With many quiet
   * partitions looking would take seconds.
   */
  readonly #oldest = new WeakMap<PartitionLog, { firstOffset: number; maxTimestamp: number }>();
  /** Up to where a partition was not too large. */
  readonly #fitting = new WeakMap<PartitionLog, { highWatermark: number; keepBytes: number }>();
  #first: ClockTimer | undefined;
  #every: ClockTimer | undefined;
  #running: Promise<void> = Promise.resolve();
  #isBusy = false;
  #isStopped = false;

  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  /** Looks soon, for a broker that is started again and again, and then at this interval. */
  start(everyMs: number): void {
    const { clock } = this.#parts;
    const look = () => {
      if (!this.#isBusy) void this.apply(clock.now());
    };
    this.#first = clock.after(Math.min(everyMs, retentionFirstAfterMs), look);
    this.#every = clock.every(everyMs, look);
  }

  /** Ends what is running, between two steps. */
  async stop(): Promise<void> {
    this.#first?.cancel();
    this.#every?.cancel();
    this.#isStopped = true;
    await this.#parts.compactor.stop();
    await this.#running;
  }

  /** Looks at all topics once, after what is running. What fails is logged. */
  apply(nowMs: number): Promise<void> {
    this.#isBusy = true;
    const running = this.#running.then(() => this.#apply(nowMs));
    this.#running = running;
    return running.finally(() => {
      if (this.#running === running) this.#isBusy = false;
    });
  }

  async #apply(nowMs: number): Promise<void> {
    // Topics that come while this goes on have nothing old.
    for (const topic of [...this.#parts.topics()]) {
      // Kafka's own topics in its directory are Kafka's to clean, but for the one that is written here too.
      if (isInternalTopic(topic.name) && topic.name !== CONSUMER_OFFSETS) continue;
      for (const partition of topic.partitions) {
        if (this.#isStopped) return;
        // Its leader decides what is kept.
        if (partition.leader !== 'here') continue;
        await this.#deleteOld(topic, partition, nowMs);
        if (topic.settings.compacts) await this.#compact(topic, partition, nowMs);
      }
    }
  }

  async #deleteOld(topic: RetainedTopic, partition: PartitionLog, nowMs: number): Promise<void> {
    const { deletes, retentionMs, retentionBytes } = topic.settings;
    try {
      await partition.forgetProducers(nowMs - producerExpirationMs);
      if (deletes && Number.isFinite(retentionMs)) await this.#deleteOlder(partition, nowMs - retentionMs);
      if (deletes && Number.isFinite(retentionBytes)) await this.#deleteMore(partition, retentionBytes);
    } catch (error) {
      this.#failed(topic, partition, error as Error, 'old records could not be deleted');
    }
  }

  async #deleteOlder(partition: PartitionLog, timestamp: number): Promise<void> {
    const { firstOffset, highWatermark } = partition;
    const seen = this.#oldest.get(partition);
    if (firstOffset === highWatermark) return;
    if (seen?.firstOffset === firstOffset && timestamp <= seen.maxTimestamp) return;
    const span = await this.#parts.store.batchForTime(partition.id, timestamp);
    // Batches that were appended while the store looked were not looked at.
    await partition.deleteUntil(span?.baseOffset ?? highWatermark);
    if (span === undefined) this.#oldest.delete(partition);
    else this.#oldest.set(partition, { firstOffset: partition.firstOffset, maxTimestamp: span.maxTimestamp });
  }

  async #deleteMore(partition: PartitionLog, keepBytes: number): Promise<void> {
    const { id, highWatermark } = partition;
    const seen = this.#fitting.get(partition);
    if (seen?.highWatermark === highWatermark && seen.keepBytes <= keepBytes) return;
    await partition.deleteUntil(await this.#parts.store.offsetForSize(id, keepBytes));
    this.#fitting.set(partition, { highWatermark, keepBytes });
  }

  async #compact(topic: RetainedTopic, partition: PartitionLog, nowMs: number): Promise<void> {
    try {
      const { outcome, ...figures } = await this.#parts.compactor.compact(partition, topic.settings, nowMs);
      if (outcome !== 'done') return;
      this.#parts.logger.info(
        { log: topic.name, partition: partition.number, ...figures },
        'a log was compacted',
      );
    } catch (error) {
      this.#failed(topic, partition, error as Error, 'a log could not be compacted');
    }
  }

  #failed(topic: RetainedTopic, partition: PartitionLog, error: Error, what: string): void {
    if (partition.isEnded || this.#isStopped) return;
    this.#parts.logger.error({ log: topic.name, partition: partition.number, error: error.message }, what);
  }
}
