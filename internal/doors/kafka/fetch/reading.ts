import { emptyBatch } from '../../../batch/empty-batch.ts';
import { messageCountOf, setBaseOffset } from '../../../batch/record-batch.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { LentMemory } from '../../../lib/lent-memory.ts';
import { kafkaMaxFetchBytes } from '../../../limits/kafka.ts';
import { CorruptBatchError, StoreError, type TopicLog } from '../../../log/logs.ts';
import type { Isolation, PartitionLog } from '../../../log/partition-log.ts';
import type { fetch } from '../../../protocol/kafka/apis/01-fetch.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import type { RequestOf } from '../../../protocol/kafka/schema.ts';
import { storeError } from '../errors.ts';
import type { RequestContext } from '../handler.ts';
import {
  ANY_EPOCH,
  askedTopic,
  confirmedLeaderError,
  isolationOf,
  leaderError,
  unknownTopic,
} from '../topics.ts';
import { type EndOfEpoch, endOfEpoch } from './leader-epochs.ts';
import type { FetchedPartition } from './sessions.ts';

type Request = RequestOf<typeof fetch>;

/** One partition of a request, and what was read of it so far. */
export interface Read {
  readonly asked: FetchedPartition;
  readonly topic: TopicLog | undefined;
  readonly partition: PartitionLog | undefined;
  /** The offset to read on from. */
  nextOffset: number;
  /** Whole batches; those that lie one behind the other are one piece. */
  readonly batches: Uint8Array[];
  bytes: number;
  /** Messages in them. */
  messages: number;
  errorCode: KafkaErrorCode;
  /** The end of the epoch at which log and client parted, if they did. */
  divergingEpoch: EndOfEpoch | undefined;
  /** It is being read; what comes meanwhile is read afterwards. */
  isReading: boolean;
  endFollowing: (() => void) | undefined;
}

type ReadBatch = Pick<Awaited<ReturnType<PartitionLog['read']>>[number], 'bytes' | 'lastOffset'>;

/** Reads for one request: at once the batches that are there, then those that are appended while it waits. */
export class Reading {
  readonly reads: Read[];
  readonly isolation: Isolation;
  readonly #memory: LentMemory;
  #bytes = 0;
  readonly #maxBytes: number;
  /** Something has to be told at once. */
  #isUrgent = false;
  #wake: (() => void) | undefined;

  constructor(asked: readonly FetchedPartition[], request: Request, context: RequestContext) {
    this.isolation = isolationOf(request);
    this.#maxBytes = Math.min(Math.max(request.maxBytes, 0), kafkaMaxFetchBytes);
    this.#memory = context.parts.fetchMemory.lend();
    this.reads = asked.map((partition) => begin(partition, request, context));
  }

  /** Reads what is there, one partition after the other, so that the first ones fill the answer. */
  async start(): Promise<void> {
    for (const read of this.reads) {
      if (read.errorCode === KafkaErrorCode.offsetOutOfRange) await this.#makeSure(read);
      if (read.errorCode !== KafkaErrorCode.none) this.#isUrgent = true;
      if (read.asked.lastFetchedEpoch >= 0) await this.#compareEpochs(read);
      await this.#readOn(read);
    }
  }

  /** Waits for so many bytes, an error, a time, or nobody waiting any more. */
  async untilEnough(minBytes: number, maxWaitMs: number, closed: AbortSignal, clock: Clock): Promise<void> {
    const isEnough = () => this.#isUrgent || this.#bytes >= Math.min(minBytes, this.#maxBytes);
    if (isEnough() || maxWaitMs <= 0 || closed.aborted || this.reads.length === 0) return;
    await new Promise<void>((resolve) => {
      const timer = clock.after(maxWaitMs, finish);
      closed.addEventListener('abort', finish, { once: true });
      this.#wake = () => {
        if (isEnough()) finish();
      };
      for (const read of this.reads) this.#follow(read);

      function finish(): void {
        timer.cancel();
        closed.removeEventListener('abort', finish);
        resolve();
      }
    });
  }

  /** Takes back what the client may no longer have, after the rules may have changed while it waited. */
  recheck({ access }: RequestContext): void {
    for (const read of this.reads) {
      if (read.topic === undefined || access.mayTopic('read', read.topic.name)) continue;
      read.batches.length = 0;
      read.bytes = 0;
      read.messages = 0;
      read.errorCode = KafkaErrorCode.topicAuthorizationFailed;
    }
  }

  /** The memory that the batches lie in; undefined where something is still being read into it. */
  get memory(): LentMemory | undefined {
    return this.reads.some(({ isReading }) => isReading) ? undefined : this.#memory;
  }

  stop(): void {
    this.#wake = undefined;
    for (const read of this.reads) read.endFollowing?.();
  }

  #follow(read: Read): void {
    const { partition } = read;
    if (partition === undefined) return;
    const readOn = () => void this.#readOn(read).then(() => this.#wake?.());
    read.endFollowing = partition.onAdvance(readOn);
    // Something may have come between the first look and now.
    if (partition.readableEnd(this.isolation) > read.nextOffset) readOn();
  }

  /** A client begins anew where an offset is not there: a node that was replaced and does not know it must not say that. */
  async #makeSure(read: Read): Promise<void> {
    const { partition, asked } = read;
    const refusal = await confirmedLeaderError(partition!, asked.currentLeaderEpoch);
    read.errorCode = refusal ?? offsetError(partition!, asked);
  }

  /** Whether the log still has what its reader has seen of it (KIP-595). */
  async #compareEpochs(read: Read): Promise<void> {
    const { partition, asked } = read;
    if (partition === undefined || read.errorCode !== KafkaErrorCode.none) return;
    const { lastFetchedEpoch, fetchOffset } = asked;
    try {
      const end = await endOfEpoch(partition, lastFetchedEpoch);
      if (end === undefined || fetchOffset < partition.firstOffset) {
        await partition.confirm();
        this.#fail(read, KafkaErrorCode.offsetOutOfRange);
      } else if (end.leaderEpoch < lastFetchedEpoch || end.endOffset < fetchOffset) {
        await partition.confirm();
        read.divergingEpoch = end;
        this.#isUrgent = true;
      }
    } catch (error) {
      this.#fail(read, storeError(error).errorCode);
    }
  }

  async #readOn(read: Read): Promise<void> {
    const { partition, asked } = read;
    if (partition === undefined || read.isReading || isSettled(read)) return;
    if (partition.leader !== 'here' && read.bytes === 0) {
      this.#fail(read, KafkaErrorCode.notLeaderOrFollower);
      return;
    }
    read.isReading = true;
    try {
      while (read.nextOffset < partition.readableEnd(this.isolation) || partition.isEnded) {
        const room = Math.min(asked.partitionMaxBytes - read.bytes, this.#maxBytes - this.#bytes);
        // The first batch of an answer is given however large it is, so that its reader gets on.
        if (room <= 0 && this.#bytes > 0) return;
        const end = partition.readableEnd(this.isolation);
        const batches = await this.#batchesOf(partition, read.nextOffset, Math.max(room, 0));
        if (partition.isEnded) {
          this.#fail(read, KafkaErrorCode.unknownTopicOrPartition);
          return;
        }
        // Nothing lies up to there any more, where compaction has taken the newest records.
        if (batches.length === 0) read.nextOffset = end;
        for (const { bytes, lastOffset } of batches) {
          if (bytes.length > Math.min(asked.partitionMaxBytes - read.bytes, this.#maxBytes - this.#bytes)) {
            if (this.#bytes > 0) return;
          }
          add(read, bytes);
          this.#bytes += bytes.length;
          read.nextOffset = lastOffset + 1;
        }
        // There was more, but no room for it: the next batch would be read in vain.
        if (read.bytes > 0 && read.nextOffset < end) return;
      }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      // What was read before is given first.
      if (read.bytes === 0) this.#fail(read, storeError(error).errorCode);
    } finally {
      read.isReading = false;
    }
  }

  /**
   * A batch that is damaged, of which the store has told, is a batch without records here, as compaction leaves them: consumers that
   * are told an error ask for the same offset again and again, and one that finds nothing at the end of a log never comes to it.
   */
  async #batchesOf(
    partition: PartitionLog,
    fromOffset: number,
    maxBytes: number,
  ): Promise<readonly ReadBatch[]> {
    const found = await partition.readOrDamage(fromOffset, maxBytes, this.isolation, this.#memory);
    if (!(found instanceof CorruptBatchError)) return found;
    const { baseOffset, lastOffset } = found;
    const { bytes, count } = emptyBatch(lastOffset + 1 - baseOffset);
    setBaseOffset(bytes, 0, baseOffset, ANY_EPOCH);
    return [{ bytes, lastOffset: baseOffset + count - 1 }];
  }

  #fail(read: Read, errorCode: KafkaErrorCode): void {
    read.errorCode = errorCode;
    this.#isUrgent = true;
  }
}

function add(read: Read, batch: Uint8Array): void {
  const { batches } = read;
  const last = batches.at(-1);
  // A write of few long pieces costs less than one of many.
  if (last?.buffer === batch.buffer && last.byteOffset + last.length === batch.byteOffset) {
    batches[batches.length - 1] = new Uint8Array(last.buffer, last.byteOffset, last.length + batch.length);
  } else batches.push(batch);
  read.bytes += batch.length;
  read.messages += messageCountOf(batch);
}

/** Nothing is read of it. */
function isSettled({ errorCode, divergingEpoch }: Read): boolean {
  return errorCode !== KafkaErrorCode.none || divergingEpoch !== undefined;
}

function begin(asked: FetchedPartition, request: Request, context: RequestContext): Read {
  const { version } = context;
  const isById = version >= 13;
  const topic = askedTopic(context.parts, isById, { name: asked.topic, topicId: asked.topicId });
  const partition = topic?.partitions[asked.partition];
  let errorCode: KafkaErrorCode = KafkaErrorCode.none;
  if (isRefused(topic?.name ?? asked.topic, context)) errorCode = KafkaErrorCode.topicAuthorizationFailed;
  else if (partition === undefined) errorCode = unknownTopic(isById && topic === undefined);
  else if (replicaIdOf(request, version) >= 0) errorCode = KafkaErrorCode.notLeaderOrFollower;
  else
    errorCode =
      leaderError(partition, Math.max(asked.currentLeaderEpoch, ANY_EPOCH)) ?? offsetError(partition, asked);
  return {
    asked,
    topic,
    partition,
    nextOffset: asked.fetchOffset,
    batches: [],
    bytes: 0,
    messages: 0,
    errorCode,
    divergingEpoch: undefined,
    isReading: false,
    endFollowing: undefined,
  };
}

/** An unknown topic that is asked for by its id has no name that could be refused. */
function isRefused(topicName: string, { access }: RequestContext): boolean {
  return topicName !== '' && access.topicRefusal('read', topicName) !== undefined;
}

/** Below 0 for consumers; there are no other brokers that could follow this one. */
function replicaIdOf({ replicaId, replicaState }: Request, version: number): number {
  return version >= 15 ? replicaState.replicaId : replicaId;
}

function offsetError(
  { firstOffset, highWatermark }: PartitionLog,
  { fetchOffset, lastFetchedEpoch }: FetchedPartition,
): KafkaErrorCode {
  // It is told where its epoch ended instead.
  if (lastFetchedEpoch >= 0) return KafkaErrorCode.none;
  const isThere = fetchOffset >= firstOffset && fetchOffset <= highWatermark;
  return isThere ? KafkaErrorCode.none : KafkaErrorCode.offsetOutOfRange;
}
