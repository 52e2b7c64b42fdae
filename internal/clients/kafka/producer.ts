import { BatchBuilder } from '../../batch/build.ts';
import type { Codec } from '../../batch/compression/compression.ts';
import type { RecordHeader } from '../../batch/record-cursor.ts';
import { Failure } from '../../lib/failure.ts';
import { maxProducerWaitingBytes } from '../../limits/clients.ts';
import { produce } from '../../protocol/kafka/apis/00-produce.ts';
import { initProducerId } from '../../protocol/kafka/apis/22-init-producer-id.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import { ConnectionFailure } from '../socket.ts';
import type { KafkaClient, TopicMetadata } from './client.ts';
import { partitionOf } from './partitioner.ts';
import { demand, type KafkaRefusal } from './refusal.ts';

export interface ProducerOptions {
  /** 0, 1, or -1 for all in-sync replicas. */
  acks: 0 | 1 | -1;
  compression: Codec;
  /** Undefined to choose by the key. */
  partition: number | undefined;
  /** How much is sent at once, before compression. */
  maxBatchBytes: number;
  /** How long the leader may wait for its replicas. */
  timeoutMs: number;
  /** Told to the user: a broker that is away. */
  onNote(text: string): void;
  /** Called when a batch has its place; the offset is -1 where acks is 0. */
  onStored?(partition: number, baseOffset: number, count: number): void;
}

/** Later versions name topics by their ids only. */
const LAST_VERSION_WITH_NAMES = 12;
/** What a record takes beside key, value and headers, at most. */
const RECORD_OVERHEAD_BYTES = 64;

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
/** What a producer without transactions says about how long they may take. */
const NO_TRANSACTION_TIMEOUT_MS = 0x7fff_ffff;
/** Sequences begin again after the greatest int32. */
const SEQUENCES = 2 ** 31;

/** With it a broker knows a batch that it gets a second time. */
interface ProducerIdentity {
  producerId: number;
  producerEpoch: number;
}

/**
 * Sends messages to a topic. What comes while a batch of its partition is under way becomes the next one, so that
 * little waits and much goes together; and one at a time keeps the order whatever has to be sent again. Where all in-sync
 * replicas have to answer, a broker that goes away for a moment loses nothing and gets nothing twice.
 */
export class Producer {
  readonly #client: KafkaClient;
  readonly #options: ProducerOptions;
  readonly #identity: ProducerIdentity | undefined;
  readonly #partitions: PartitionQueue[];
  #topic: TopicMetadata;
  #sticky: number;
  #waitingBytes = 0;
  #unansweredCount = 0;
  #failure: unknown;
  readonly #failed = Promise.withResolvers<never>();
  #wake: (() => void)[] = [];

  private constructor(
    client: KafkaClient,
    topic: TopicMetadata,
    identity: ProducerIdentity | undefined,
    options: ProducerOptions,
  ) {
    this.#client = client;
    this.#identity = identity;
    this.#topic = topic;
    this.#options = options;
    this.#partitions = topic.partitions.map((_, partition) => new PartitionQueue(partition));
    this.#sticky = this.#anyPartition();
    this.failed.catch(() => {});
  }

  /**
   * A producer for a topic, which comes to be if the broker makes topics that are asked for.
   *
   * @throws KafkaRefusal; Failure where the partition does not exist.
   */
  static async open(client: KafkaClient, name: string, options: ProducerOptions): Promise<Producer> {
    const topic = await client.topic(name, true);
    const { partition } = options;
    if (partition !== undefined && partition >= topic.partitions.length) {
      throw new Failure(
        `topic '${name}' has no partition ${partition}, only 0 to ${topic.partitions.length - 1}`,
      );
    }
    const isIdempotent = options.acks === -1 && (await client.serves(initProducerId));
    return new Producer(client, topic, isIdempotent ? await identify(client) : undefined, options);
  }

  /** Rejects with what made a message fail. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Messages that were taken and have no place yet. */
  get unansweredCount(): number {
    return this.#unansweredCount;
  }

  /**
   * Takes a message; it is sent in this turn or when those before it are done.
   *
   * @param timestamp in milliseconds since 1970.
   * @returns a promise where there is no room for more at the moment.
   * @throws what made an earlier message fail.
   */
  add(
    timestamp: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly RecordHeader[],
  ): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    const queue = this.#partitions[this.#partitionFor(key)];
    const headerBytes = headers.reduce(
      (sum, header) => sum + header.key.length * 3 + (header.value?.length ?? 0) + 10,
      0,
    );
    const size = RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0) + headerBytes;
    if (queue.builder.count > 0 && queue.builder.sizeBytes + size > this.#options.maxBatchBytes)
      this.#seal(queue);
    const before = queue.builder.sizeBytes;
    queue.builder.append(timestamp, key, 0, key?.length ?? 0, value, 0, value?.length ?? 0, headers);
    this.#waitingBytes += queue.builder.sizeBytes - before;
    this.#unansweredCount++;
    if (!queue.isScheduled) {
      queue.isScheduled = true;
      setImmediate(() => this.#sendAll(queue));
    }
    return this.#waitingBytes > maxProducerWaitingBytes
      ? this.#until(() => this.#waitingBytes <= maxProducerWaitingBytes)
      : undefined;
  }

  /**
   * Resolves when all messages have their place.
   *
   * @throws what made one of them fail.
   */
  flush(): Promise<void> {
    return this.#until(() => this.#partitions.every(({ isScheduled }) => !isScheduled));
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition() && this.#failure === undefined) {
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #partitionFor(key: Uint8Array | null): number {
    if (this.#options.partition !== undefined) return this.#options.partition;
    return key === null ? this.#sticky : partitionOf(key, this.#partitions.length);
  }

  #anyPartition(): number {
    return Math.floor(Math.random() * this.#partitions.length);
  }

  /** Messages without a key stay with one partition for a batch, so that batches are large. */
  #seal(queue: PartitionQueue): void {
    const { count, sizeBytes } = queue.builder;
    const sequence =
      this.#identity === undefined ? {} : { ...this.#identity, baseSequence: queue.nextSequence };
    const bytes = queue.builder.finish({ compression: this.#options.compression, ...sequence });
    queue.sealed.push({ count, sizeBytes, bytes });
    queue.nextSequence = (queue.nextSequence + count) % SEQUENCES;
    if (queue.partition === this.#sticky) this.#sticky = this.#anyPartition();
  }

  async #sendAll(queue: PartitionQueue): Promise<void> {
    try {
      while (this.#failure === undefined) {
        if (queue.sealed.length === 0) {
          if (queue.builder.count === 0) break;
          this.#seal(queue);
        }
        const batch = queue.sealed.shift()!;
        await this.#deliver(queue.partition, batch);
        this.#waitingBytes -= batch.sizeBytes;
        this.#unansweredCount -= batch.count;
        this.#wakeAll();
      }
    } catch (error) {
      this.#failure ??= error;
      this.#failed.reject(this.#failure);
    }
    queue.isScheduled = false;
    this.#wakeAll();
  }

  /** Sends a batch until it is answered. */
  async #deliver(partition: number, batch: SealedBatch): Promise<void> {
    const { timeoutMs, onNote } = this.#options;
    const isKnownAgain = this.#identity !== undefined;
    const endsAt = performance.now() + timeoutMs;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        return await this.#client.retrying(
          () => this.#send(partition, batch),
          (error) => error.isRetriable && (isKnownAgain || !mayHaveWritten(error)),
        );
      } catch (error) {
        if (!isKnownAgain || !(error instanceof ConnectionFailure) || performance.now() > endsAt) throw error;
        if (pauseMs === FIRST_PAUSE_MS) onNote(`${error.message}; trying again`);
      }
      await this.#client.pause(pauseMs);
      // Meanwhile another broker may lead the partition.
      this.#topic = await this.#client.topic(this.#topic.name!).catch(() => this.#topic);
    }
  }

  async #send(partition: number, batch: SealedBatch): Promise<void> {
    const { acks, timeoutMs, onStored } = this.#options;
    const name = this.#topic.name!;
    const leader = this.#topic.partitions.find(({ partitionIndex }) => partitionIndex === partition);
    const connection = await this.#client.connectionTo(leader?.leaderId ?? -1);
    const request = {
      acks,
      timeoutMs,
      topicData: [{ name, partitionData: [{ index: partition, records: batch.bytes }] }],
    };
    const options = { maxVersion: LAST_VERSION_WITH_NAMES, extraTimeMs: timeoutMs };
    if (acks === 0) {
      await connection.post(produce, request, options);
      onStored?.(partition, -1, batch.count);
      return;
    }
    const { responses } = await connection.send(produce, request, options);
    const answer = responses[0].partitionResponses[0];
    if (answer.errorCode === KafkaErrorCode.notLeaderOrFollower) this.#topic = await this.#client.topic(name);
    const said = answer.recordErrors[0]?.batchIndexErrorMessage ?? answer.errorMessage;
    demand(`partition ${partition} of topic '${name}'`, answer.errorCode, said);
    onStored?.(partition, answer.baseOffset, batch.count);
  }

  #wakeAll(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}

/** A batch that waits to be sent. */
interface SealedBatch {
  bytes: Uint8Array;
  count: number;
  /** Before compression. */
  sizeBytes: number;
}

/** What waits for one partition. */
class PartitionQueue {
  readonly partition: number;
  readonly builder = new BatchBuilder();
  readonly sealed: SealedBatch[] = [];
  nextSequence = 0;
  /** Whether somebody sends, or will at the end of this turn. */
  isScheduled = false;

  constructor(partition: number) {
    this.partition = partition;
  }
}

/** @throws KafkaRefusal */
function identify(client: KafkaClient): Promise<ProducerIdentity> {
  return client.retrying(async () => {
    const { errorCode, producerId, producerEpoch } = await client.send(initProducerId, {
      transactionalId: null,
      transactionTimeoutMs: NO_TRANSACTION_TIMEOUT_MS,
    });
    demand('the id of a producer', errorCode);
    return { producerId, producerEpoch };
  });
}

/** Whether a batch may be there although it was refused: sent again by nobody in particular, it would be there twice. */
function mayHaveWritten({ code }: KafkaRefusal): boolean {
  return code === KafkaErrorCode.requestTimedOut || code === KafkaErrorCode.notEnoughReplicasAfterAppend;
}
