import type { Nodes } from '../../../log/nodes.ts';
import type { Isolation, PartitionLog } from '../../../log/partition-log.ts';
import { fetch } from '../../../protocol/kafka/apis/01-fetch.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import type { RequestOf, ResponseOf } from '../../../protocol/kafka/schema.ts';
import { type Read, Reading } from '../fetch/reading.ts';
import {
  type FetchedPartition,
  type FetchPlan,
  FINAL_EPOCH,
  NO_SESSION,
  type PartitionKey,
} from '../fetch/sessions.ts';
import { defineHandler, type KafkaClient, type KafkaParts, type RequestContext } from '../handler.ts';
import { currentLeader, endpointsOf } from '../nodes.ts';
import { FETCHED } from '../throttle.ts';

type Request = RequestOf<typeof fetch>;
type Response = ResponseOf<typeof fetch>;
type PartitionResponse = Response['responses'][number]['partitions'][number];

export const fetchHandler = defineHandler(
  fetch,
  async (request, context) => {
    const { parts, client, version } = context;
    const sessionEpoch = version >= 7 ? request.sessionEpoch : FINAL_EPOCH;
    const plan = parts.fetchSessions.plan(
      request.sessionId,
      sessionEpoch,
      askedOf(request),
      forgottenOf(request),
      parts.logs.clock.now(),
    );
    if (typeof plan === 'number') return { errorCode: plan, sessionId: NO_SESSION, responses: [] };
    const reading = new Reading([...plan.partitions], request, context);
    try {
      await reading.start();
      await reading.untilEnough(request.minBytes, request.maxWaitMs, client.closed, parts.logs.clock);
      reading.recheck(context);
      context.answer.memory = reading.memory;
      return { ...answer(reading, plan, context), throttleTimeMs: charge(reading, client) };
    } finally {
      reading.stop();
    }
  },
  { needs: ['read topic'], meters: FETCHED },
);

/** What the client is given counts against its limits; how long it has to wait for that. */
function charge({ reads }: Reading, { throttle, messages }: KafkaClient): number {
  let records = 0;
  for (const { bytes, messages: ofOne } of reads) {
    throttle.take('bytesOutPerSecond', bytes);
    records += ofOne;
  }
  throttle.take('messagesOutPerSecond', records);
  messages.sent += records;
  return throttle.settle(FETCHED);
}

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

function answer({ reads, isolation }: Reading, plan: FetchPlan, context: RequestContext): Response {
  const { session, isIncremental } = plan;
  const { parts } = context;
  let leaders: Set<number> | undefined;
  const responses: { topic: string; topicId: string; partitions: PartitionResponse[] }[] = [];
  for (const read of reads) {
    const { asked } = read;
    const response = partitionResponse(read, isolation, parts);
    const isNews = tellsNews(read, response);
    asked.toldHighWatermark = response.highWatermark;
    asked.toldFirstOffset = response.logStartOffset!;
    asked.wasRefused = response.errorCode !== KafkaErrorCode.none;
    if (response.currentLeader) leaders = (leaders ?? new Set()).add(response.currentLeader.leaderId!);
    if (isIncremental && !isNews) continue;
    if (session !== undefined && read.bytes > 0) parts.fetchSessions.moveToEnd(session, asked);
    const last = responses.at(-1);
    if (last?.topic === asked.topic && last.topicId === asked.topicId) last.partitions.push(response);
    else responses.push({ topic: asked.topic, topicId: asked.topicId, partitions: [response] });
  }
  return {
    ...{ errorCode: KafkaErrorCode.none, sessionId: session?.id ?? NO_SESSION, responses },
    nodeEndpoints: endpointsOf(leaders, context),
  };
}

/** Whether an incremental answer has to hold this partition (KIP-227). */
function tellsNews({ asked, bytes }: Read, response: PartitionResponse): boolean {
  return (
    bytes > 0 ||
    response.divergingEpoch !== undefined ||
    response.errorCode !== KafkaErrorCode.none ||
    asked.wasRefused ||
    response.highWatermark !== asked.toldHighWatermark ||
    response.logStartOffset !== asked.toldFirstOffset
  );
}

function partitionResponse(read: Read, isolation: Isolation, { nodes }: KafkaParts): PartitionResponse {
  const { asked, partition, batches, errorCode, divergingEpoch } = read;
  if (errorCode !== KafkaErrorCode.none || partition === undefined) {
    return {
      partitionIndex: asked.partition,
      errorCode,
      highWatermark: -1,
      lastStableOffset: -1,
      logStartOffset: -1,
      currentLeader: partition && leaderElsewhere(partition, nodes),
      // Kafka has an empty list where there is no partition to ask about transactions.
      abortedTransactions: partition === undefined ? [] : null,
      records: NO_RECORDS,
    };
  }
  const { highWatermark, firstOffset } = partition;
  return {
    partitionIndex: asked.partition,
    errorCode,
    highWatermark,
    lastStableOffset: partition.readableEnd('committed'),
    logStartOffset: firstOffset,
    divergingEpoch: divergingEpoch && {
      epoch: divergingEpoch.leaderEpoch,
      endOffset: divergingEpoch.endOffset,
    },
    abortedTransactions: isolation === 'committed' ? abortedIn(read, partition) : null,
    records: batches,
  };
}

function leaderElsewhere(partition: PartitionLog, nodes: Nodes) {
  return partition.leader === 'here' ? undefined : currentLeader(partition, nodes);
}

/**
 * The aborted transactions that a client has to pass over in what it is given. As in Kafka, whoever has read to the end
 * is told of those that begin behind it, too.
 */
function abortedIn({ asked, nextOffset, bytes }: Read, partition: PartitionLog) {
  if (bytes === 0) return [];
  const isAtEnd = nextOffset >= partition.readableEnd('committed');
  const aborted = partition.abortedBetween(asked.fetchOffset, isAtEnd ? Infinity : nextOffset);
  return aborted.map(({ producerId, firstOffset }) => ({ producerId, firstOffset }));
}

const NO_RECORDS = new Uint8Array(0);
