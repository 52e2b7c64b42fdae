import { kafkaMaxFetchBytes } from '../../../limits.ts';
import type { TopicLog } from '../../../log/logs.ts';
import { StoreError } from '../../../log/logs.ts';
import type { PartitionLog } from '../../../log/partition-log.ts';
import { fetch } from '../../../protocol/kafka/apis/01-fetch.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import type { RequestOf, ResponseOf } from '../../../protocol/kafka/schema.ts';
import { storeError } from '../errors.ts';
import {
  type FetchedPartition,
  type FetchPlan,
  FINAL_EPOCH,
  NO_SESSION,
  type PartitionKey,
} from '../fetch-sessions.ts';
import { defineHandler, type KafkaParts } from '../handler.ts';
import { epochError } from '../topics.ts';

type Request = RequestOf<typeof fetch>;
type Response = ResponseOf<typeof fetch>;
type PartitionResponse = Response['responses'][number]['partitions'][number];

export const fetchHandler = defineHandler(fetch, async (request, context) => {
  const { parts, client, version } = context;
  const sessionEpoch = version >= 7 ? request.sessionEpoch : FINAL_EPOCH;
  const plan = parts.fetchSessions.plan(
    request.sessionId,
    sessionEpoch,
    askedOf(request),
    forgottenOf(request),
    Date.now(),
  );
  if (typeof plan === 'number') return { errorCode: plan, sessionId: NO_SESSION, responses: [] };
  const reading = new Reading([...plan.partitions], request, version, parts);
  try {
    await reading.start();
    await reading.untilEnough(request.minBytes, request.maxWaitMs, client.closed);
    return answer(reading.reads, plan, request, parts);
  } finally {
    reading.stop();
  }
});

function askedOf({ topics }: Request): FetchedPartition[] {
  return topics.flatMap(({ topic, topicId, partitions }) =>
    partitions.map((asked) => ({
      topic,
      topicId,
      partition: asked.partition,
      currentLeaderEpoch: asked.currentLeaderEpoch,
      fetchOffset: asked.fetchOffset,
      lastFetchedEpoch: asked.lastFetchedEpoch,
      partitionMaxBytes: asked.partitionMaxBytes,
      toldHighWatermark: -1,
      toldFirstOffset: -1,
      wasRefused: false,
    })),
  );
}

function forgottenOf({ forgottenTopicsData }: Request): PartitionKey[] {
  return forgottenTopicsData.flatMap(({ topic, topicId, partitions }) =>
    partitions.map((partition) => ({ topic, topicId, partition })),
  );
}

/** One partition of a request, and what was read of it so far. */
interface Read {
  readonly asked: FetchedPartition;
  readonly partition: PartitionLog | undefined;
  /** Where to read on. */
  nextOffset: number;
  readonly batches: Uint8Array[];
  bytes: number;
  errorCode: KafkaErrorCode;
  /** It is being read; what comes meanwhile is read afterwards. */
  isReading: boolean;
  endFollowing: (() => void) | undefined;
}

/** What one request reads: at once what is there, then what is appended while it waits. */
class Reading {
  readonly reads: Read[];
  #bytes = 0;
  readonly #maxBytes: number;
  #hasError = false;
  #wake: (() => void) | undefined;

  constructor(asked: readonly FetchedPartition[], request: Request, version: number, parts: KafkaParts) {
    this.#maxBytes = Math.min(Math.max(request.maxBytes, 0), kafkaMaxFetchBytes);
    this.reads = asked.map((partition) => begin(partition, version, parts));
    this.#hasError = this.reads.some(({ errorCode }) => errorCode !== KafkaErrorCode.none);
  }

  /** Reads what is there, one partition after the other, so that the first ones fill the answer. */
  async start(): Promise<void> {
    for (const read of this.reads) await this.#readOn(read);
  }

  /** Waits for so many bytes, an error, a time, or nobody waiting any more. */
  async untilEnough(minBytes: number, maxWaitMs: number, closed: AbortSignal): Promise<void> {
    const isEnough = () => this.#hasError || this.#bytes >= Math.min(minBytes, this.#maxBytes);
    if (isEnough() || maxWaitMs <= 0 || closed.aborted || this.reads.length === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, maxWaitMs);
      closed.addEventListener('abort', finish, { once: true });
      this.#wake = () => {
        if (isEnough()) finish();
      };
      for (const read of this.reads) this.#follow(read);

      function finish(): void {
        clearTimeout(timer);
        closed.removeEventListener('abort', finish);
        resolve();
      }
    });
  }

  stop(): void {
    this.#wake = undefined;
    for (const read of this.reads) read.endFollowing?.();
  }

  #follow(read: Read): void {
    const { partition } = read;
    if (partition === undefined) return;
    const readOn = () => {
      void this.#readOn(read).then(() => this.#wake?.());
    };
    read.endFollowing = partition.onAdvance(readOn);
    // Something may have come between the first look and now.
    if (partition.highWatermark > read.nextOffset) readOn();
  }

  async #readOn(read: Read): Promise<void> {
    const { partition, asked } = read;
    if (partition === undefined || read.errorCode !== KafkaErrorCode.none || read.isReading) return;
    read.isReading = true;
    try {
      while (read.nextOffset < partition.highWatermark || partition.isEnded) {
        const room = Math.min(asked.partitionMaxBytes - read.bytes, this.#maxBytes - this.#bytes);
        // The first batch of an answer is given however large it is, so that its reader gets on.
        if (room <= 0 && this.#bytes > 0) return;
        const end = partition.highWatermark;
        const batches = await partition.read(read.nextOffset, Math.max(room, 0));
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
          read.batches.push(bytes);
          read.bytes += bytes.length;
          this.#bytes += bytes.length;
          read.nextOffset = lastOffset + 1;
        }
        // There was more, but no room for it: the next batch would be read in vain.
        if (read.bytes > 0 && read.nextOffset < end) return;
      }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      // What was read before the damage is given first.
      if (read.bytes === 0) this.#fail(read, storeError(error).errorCode);
    } finally {
      read.isReading = false;
    }
  }

  #fail(read: Read, errorCode: KafkaErrorCode): void {
    read.errorCode = errorCode;
    this.#hasError = true;
  }
}

function begin(asked: FetchedPartition, version: number, { logs }: KafkaParts): Read {
  const isById = version >= 13;
  const topic: TopicLog | undefined = isById ? logs.topicById(asked.topicId) : logs.topic(asked.topic);
  const partition = topic?.partitions[asked.partition];
  let errorCode: KafkaErrorCode = KafkaErrorCode.none;
  if (topic === undefined && isById) errorCode = KafkaErrorCode.unknownTopicId;
  else if (partition === undefined) errorCode = KafkaErrorCode.unknownTopicOrPartition;
  else
    errorCode = epochError(partition, asked.currentLeaderEpoch) ?? offsetError(partition, asked.fetchOffset);
  return {
    asked,
    partition,
    nextOffset: asked.fetchOffset,
    batches: [],
    bytes: 0,
    errorCode,
    isReading: false,
    endFollowing: undefined,
  };
}

function offsetError({ firstOffset, highWatermark }: PartitionLog, fetchOffset: number): KafkaErrorCode {
  const isThere = fetchOffset >= firstOffset && fetchOffset <= highWatermark;
  return isThere ? KafkaErrorCode.none : KafkaErrorCode.offsetOutOfRange;
}

function answer(reads: readonly Read[], plan: FetchPlan, request: Request, parts: KafkaParts): Response {
  const { session, isIncremental } = plan;
  const responses: { topic: string; topicId: string; partitions: PartitionResponse[] }[] = [];
  for (const read of reads) {
    const { asked } = read;
    const response = partitionResponse(read, request);
    const isNews = tellsNews(read, response);
    asked.toldHighWatermark = response.highWatermark;
    asked.toldFirstOffset = response.logStartOffset!;
    asked.wasRefused = response.errorCode !== KafkaErrorCode.none;
    if (isIncremental && !isNews) continue;
    if (session !== undefined && read.bytes > 0) parts.fetchSessions.moveToEnd(session, asked);
    const last = responses.at(-1);
    if (last?.topic === asked.topic && last.topicId === asked.topicId) last.partitions.push(response);
    else responses.push({ topic: asked.topic, topicId: asked.topicId, partitions: [response] });
  }
  return { errorCode: KafkaErrorCode.none, sessionId: session?.id ?? NO_SESSION, responses };
}

/** Whether an incremental answer has to hold this partition (KIP-227). */
function tellsNews({ asked, bytes }: Read, response: PartitionResponse): boolean {
  return (
    bytes > 0 ||
    response.errorCode !== KafkaErrorCode.none ||
    asked.wasRefused ||
    response.highWatermark !== asked.toldHighWatermark ||
    response.logStartOffset !== asked.toldFirstOffset
  );
}

const READ_COMMITTED = 1;

function partitionResponse(
  { asked, partition, batches, errorCode }: Read,
  request: Request,
): PartitionResponse {
  if (errorCode !== KafkaErrorCode.none || partition === undefined) {
    return {
      partitionIndex: asked.partition,
      errorCode,
      highWatermark: -1,
      lastStableOffset: -1,
      logStartOffset: -1,
      abortedTransactions: null,
      records: NO_RECORDS,
    };
  }
  const { highWatermark, firstOffset } = partition;
  return {
    partitionIndex: asked.partition,
    errorCode,
    highWatermark,
    // Without transactions everything is stable.
    lastStableOffset: highWatermark,
    logStartOffset: firstOffset,
    abortedTransactions: request.isolationLevel === READ_COMMITTED ? [] : null,
    records: batches,
  };
}

const NO_RECORDS = new Uint8Array(0);
