import { RecordBatchError } from '../../batch/batch-error.ts';
import type { KafkaRecord } from '../../batch/read.ts';
import type { TimestampType } from '../../batch/record-batch.ts';
import { Failure } from '../../lib/failure.ts';
import { readerPartitionBytes, readerTotalBytes, readerWaitMs } from '../../limits/clients.ts';
import { fetch } from '../../protocol/kafka/apis/01-fetch.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import { ConnectionFailure } from '../socket.ts';
import type { KafkaClient } from './client.ts';
import type { AnswerOf } from './connection.ts';
import { FetchedRecords } from './fetched-records.ts';
import { EARLIEST, keyOf, LATEST, offsetsAt } from './offsets.ts';
import { demand, KafkaRefusal } from './refusal.ts';

/** A record with where it comes from. */
export interface ConsumedRecord extends KafkaRecord {
  topic: string;
  partition: number;
  timestampType: TimestampType;
  /** The id of the broker that it was fetched from. */
  brokerId: number;
}

export interface ReaderOptions {
  /** 1 to leave out what transactions wrote that are open or were aborted. */
  isolationLevel: 0 | 1;
  /** Whether to stop when the end of each partition has been reached. */
  stopsAtEnd?: boolean;
  /** Gets each record; false to get no more. */
  onRecord(record: ConsumedRecord): boolean;
  /** Called when the end of a partition has been reached for the first time. */
  onEnd(partition: number, offset: number): void;
  /** Told to the user: a broker that is away, an offset that is gone. */
  onNote(text: string): void;
  /** A promise to wait for before more is read, where there is no room for it. */
  room(): Promise<void> | undefined;
}

type FetchedPartition = AnswerOf<typeof fetch>['responses'][number]['partitions'][number];

/** Later versions name topics by their ids only. */
const LAST_VERSION_WITH_NAMES = 12;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Reads partitions of a topic from offsets on, for as long as it is not stopped; brokers that go away and leaders that
 * change hold it up and do not end it.
 */
export class Reader {
  readonly #client: KafkaClient;
  readonly #topic: string;
  readonly #options: ReaderOptions;
  readonly #positions: Map<number, number>;
  /** The partitions whose end has not been reached yet. */
  readonly #open: Set<number>;
  readonly #stopped = Promise.withResolvers<void>();
  #isStopped = false;

  /** @param positions the offset to go on from in each partition; kept up with what was read. */
  constructor(client: KafkaClient, topic: string, positions: Map<number, number>, options: ReaderOptions) {
    this.#client = client;
    this.#topic = topic;
    this.#positions = positions;
    this.#open = new Set(positions.keys());
    this.#options = options;
  }

  /** Ends {@link run} after the answers that are under way. */
  stop(): void {
    this.#isStopped = true;
    this.#stopped.resolve();
  }

  /**
   * Resolves when it was stopped.
   *
   * @throws KafkaRefusal where reading cannot go on: the topic was deleted, or this client may not read it.
   */
  async run(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    let hasFailed = false;
    this.#stopAtEnd();
    if (this.#positions.size === 0) await this.#stopped.promise;
    while (!this.#isStopped) {
      try {
        const leaders = await this.#leaders();
        if (hasFailed) this.#options.onNote('reading goes on');
        hasFailed = false;
        pauseMs = FIRST_PAUSE_MS;
        await this.#readFrom(leaders);
      } catch (error) {
        const mayPass =
          error instanceof ConnectionFailure || (error instanceof KafkaRefusal && error.isRetriable);
        if (!mayPass || this.#isStopped) throw error;
        if (error instanceof ConnectionFailure) {
          if (!hasFailed) this.#options.onNote(`${error.message}; trying again`);
          hasFailed = true;
        }
        await this.#client.pause(pauseMs);
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
      }
    }
  }

  #stopAtEnd(): void {
    if (this.#options.stopsAtEnd && this.#open.size === 0) this.stop();
  }

  async #leaders(): Promise<Map<number, number[]>> {
    const { partitions } = await this.#client.topic(this.#topic);
    const wanted = partitions.filter(({ partitionIndex }) => this.#positions.has(partitionIndex));
    const leaders = Map.groupBy(wanted, ({ leaderId }) => leaderId);
    return new Map([...leaders].map(([id, led]) => [id, led.map(({ partitionIndex }) => partitionIndex)]));
  }

  /** Reads from each leader on its own; the first one that fails ends all, so that leaders are looked up again. */
  async #readFrom(leaders: Map<number, number[]>): Promise<void> {
    let hasFailed = false;
    const loops = [...leaders].map(async ([leaderId, partitions]) => {
      try {
        while (!this.#isStopped && !hasFailed) await this.#readOnce(leaderId, partitions);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    });
    const outcomes = await Promise.allSettled(loops);
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #readOnce(leaderId: number, partitions: readonly number[]): Promise<void> {
    const connection = await this.#client.connectionTo(leaderId);
    const answer = await connection.send(
      fetch,
      {
        maxWaitMs: readerWaitMs,
        minBytes: 1,
        maxBytes: readerTotalBytes,
        isolationLevel: this.#options.isolationLevel,
        topics: [
          {
            topic: this.#topic,
            partitions: partitions.map((partition) => ({
              partition,
              fetchOffset: this.#positions.get(partition)!,
              partitionMaxBytes: readerPartitionBytes,
            })),
          },
        ],
      },
      { maxVersion: LAST_VERSION_WITH_NAMES, extraTimeMs: readerWaitMs },
    );
    demand(`topic '${this.#topic}'`, answer.errorCode);
    for (const { partitions } of answer.responses) {
      for (const fetched of partitions) {
        if (this.#isStopped) return;
        await this.#take(fetched, leaderId);
      }
    }
  }

  async #take(fetched: FetchedPartition, leaderId: number): Promise<void> {
    const { partitionIndex: partition, errorCode } = fetched;
    if (errorCode === KafkaErrorCode.offsetOutOfRange) {
      await this.#returnToRange(partition);
      return;
    }
    demand(`partition ${partition} of topic '${this.#topic}'`, errorCode);
    const room = this.#options.room();
    if (room !== undefined) await room;
    if (this.#isStopped) return;
    const { isolationLevel, onRecord, onEnd } = this.#options;
    const records = new FetchedRecords(fetched, isolationLevel, this.#positions.get(partition)!);
    for (const [record, timestampType] of this.#undamaged(records, partition)) {
      const isWanted = onRecord({
        ...record,
        topic: this.#topic,
        partition,
        timestampType,
        brokerId: leaderId,
      });
      this.#positions.set(partition, record.offset + 1);
      if (!isWanted) {
        this.stop();
        return;
      }
    }
    this.#positions.set(partition, records.nextOffset);
    const end =
      isolationLevel === 1 && fetched.lastStableOffset >= 0
        ? fetched.lastStableOffset
        : fetched.highWatermark;
    if (records.nextOffset < end || !this.#open.delete(partition)) return;
    onEnd(partition, records.nextOffset);
    this.#stopAtEnd();
  }

  /** @throws Failure that says where, in place of RecordBatchError. */
  *#undamaged(
    records: FetchedRecords,
    partition: number,
  ): Generator<[KafkaRecord, TimestampType], void, undefined> {
    try {
      yield* records;
    } catch (error) {
      if (!(error instanceof RecordBatchError)) throw error;
      const where = `partition ${partition} of topic '${this.#topic}' from offset ${records.nextOffset} on`;
      throw new Failure(`${where} is damaged: ${error.message}`);
    }
  }

  /** Messages were deleted before they were read, or never existed. */
  async #returnToRange(partition: number): Promise<void> {
    const wanted = [{ topic: this.#topic, partition }];
    const key = keyOf(wanted[0]);
    const first = (await offsetsAt(this.#client, wanted, EARLIEST)).get(key) ?? 0;
    const last = (await offsetsAt(this.#client, wanted, LATEST)).get(key) ?? first;
    const position = this.#positions.get(partition)!;
    const nearest = Math.min(Math.max(position, first), last);
    this.#options.onNote(
      `partition ${partition} of topic '${this.#topic}' has offsets ${first} to ${last}, not ${position}: going on at ${nearest}`,
    );
    this.#positions.set(partition, nearest);
  }
}
