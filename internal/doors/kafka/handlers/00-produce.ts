import { setLogAppendTime } from '../../../batch/record-batch.ts';
import { BrokerError, ERRORS, type ErrorCode } from '../../../errors.ts';
import { BatchMemory } from '../../../log/batch-memory.ts';
import type { TopicLog } from '../../../log/logs.ts';
import { liveTopicOf } from '../../../log/names.ts';
import type { PartitionLog } from '../../../log/partition-log.ts';
import { SequenceError } from '../../../log/producer-states.ts';
import type { SpanFacts } from '../../../observe/spans.ts';
import { produce } from '../../../protocol/kafka/apis/00-produce.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import type { RequestOf, ResponseOf } from '../../../protocol/kafka/schema.ts';
import { type KafkaError, kafkaError, storeError } from '../errors.ts';
import { CloseConnection, defineHandler, type KafkaParts, type RequestContext } from '../handler.ts';
import { currentLeader, type Endpoint, endpointsOf } from '../nodes.ts';
import {
  isTransactional,
  oneBatch,
  ProduceRefusal,
  type ValidatedBatch,
  validated,
} from '../produced-batch.ts';
import { RecordClaims } from '../record-claims.ts';
import { PRODUCED } from '../throttle.ts';
import { askedTopic, internalTopicError, leaderError, unknownTopic } from '../topics.ts';
import { TracedBatch } from '../traced-batch.ts';

type Request = RequestOf<typeof produce>;
type TopicData = Request['topicData'][number];
type PartitionData = TopicData['partitionData'][number];
type TopicResponse = ResponseOf<typeof produce>['responses'][number];
type PartitionResponse = TopicResponse['partitionResponses'][number];

/** Answered when everything is durable, whatever acks asks for: there are no replicas to wait for. */
export const produceHandler = defineHandler(
  produce,
  async (request, context) => {
    const { throttle } = context.client;
    throttle.take('bytesInPerSecond', bytesOf(request));
    const named = request.topicData.filter(({ partitionData }) => partitionData.length > 0);
    const mayWrite = request.transactionalId !== null || !named.some(hasTransaction);
    const responses = await Promise.all(
      named.map((data) => (mayWrite ? produceTopic(data, request, context) : unauthorized(data))),
    );
    const throttleTimeMs = throttle.settle(PRODUCED);
    if (request.acks !== 0)
      return { responses, throttleTimeMs, nodeEndpoints: leadersOf(responses, context) };
    const failed = responses.flatMap(({ partitionResponses }) => partitionResponses).find(isFailed);
    // With acks=0 closing the connection is the only way to make the client refresh its metadata.
    if (failed !== undefined) throw new CloseConnection(`produce with acks=0: error ${failed.errorCode}`);
    return undefined;
  },
  { needs: ['write topic', 'publish topic', 'alter session'], isConcurrent: true, meters: PRODUCED },
);

/** Where the leaders are to whom partitions were sent. */
function leadersOf(responses: readonly TopicResponse[], context: RequestContext): Endpoint[] {
  let ids: Set<number> | undefined;
  for (const { partitionResponses } of responses) {
    for (const { currentLeader } of partitionResponses) {
      if (currentLeader !== undefined) ids = (ids ?? new Set()).add(currentLeader.leaderId!);
    }
  }
  return endpointsOf(ids, context);
}

function bytesOf({ topicData }: Request): number {
  let bytes = 0;
  for (const { partitionData } of topicData) {
    for (const { records } of partitionData) bytes += records?.length ?? 0;
  }
  return bytes;
}

function hasTransaction({ partitionData }: TopicData): boolean {
  return partitionData.some(({ records }) => isTransactional(records));
}

/** Without a transactional id a request with transactional batches is refused as a whole. */
function unauthorized({ name, topicId, partitionData }: TopicData) {
  const error = kafkaError(KafkaErrorCode.transactionalIdAuthorizationFailed);
  return { name, topicId, partitionResponses: partitionData.map(({ index }) => refused(index, error)) };
}

async function produceTopic(data: TopicData, request: Request, context: RequestContext) {
  const { version, parts, access } = context;
  const isById = version >= 13;
  const topic = askedTopic(parts, isById, data);
  const topicName = topic?.name ?? data.name;
  // An unknown topic that is asked for by its id has no name that could be refused.
  const denial = topicName === '' ? undefined : access.topicRefusal('write', topicName);
  const refusal = denial ?? internalTopicError(topicName);
  const partitionResponses = await Promise.all(
    data.partitionData.map((partition) =>
      topic === undefined || refusal !== undefined
        ? refused(partition.index, refusal ?? kafkaError(unknownTopic(isById)))
        : produceToPartition(topic, partition, request, context),
    ),
  );
  if (denial === undefined) tellRefused(topicName, data, partitionResponses, context);
  return { name: data.name, topicId: data.topicId, partitionResponses };
}

function tellRefused(
  topicName: string,
  { partitionData }: TopicData,
  responses: readonly PartitionResponse[],
  { refused }: RequestContext,
): void {
  for (const [at, response] of responses.entries()) {
    const code = REFUSALS[response.errorCode];
    if (code === undefined) continue;
    const about = { topic: liveTopicOf(topicName), bytes: partitionData[at]?.records?.length };
    const reason = response.errorMessage ?? ERRORS[code].rule;
    refused(new BrokerError(code, `partition ${response.index}: ${reason}`, about));
  }
}

/** What Kafka's errors are called by the broker. Those that send a client elsewhere refuse nothing. */
const REFUSALS: Partial<Record<number, ErrorCode>> = {
  [KafkaErrorCode.unknownTopicOrPartition]: 'unknown-topic',
  [KafkaErrorCode.unknownTopicId]: 'unknown-topic',
  [KafkaErrorCode.invalidTopicException]: 'invalid-topic',
  [KafkaErrorCode.messageTooLarge]: 'message-too-large',
  [KafkaErrorCode.recordListTooLarge]: 'message-too-large',
  [KafkaErrorCode.corruptMessage]: 'invalid-batch',
  [KafkaErrorCode.invalidRecord]: 'invalid-batch',
  [KafkaErrorCode.invalidTimestamp]: 'invalid-batch',
  [KafkaErrorCode.unsupportedForMessageFormat]: 'invalid-batch',
  [KafkaErrorCode.unsupportedCompressionType]: 'invalid-batch',
  [KafkaErrorCode.invalidTxnState]: 'invalid-batch',
  [KafkaErrorCode.invalidRequiredAcks]: 'invalid-batch',
  [KafkaErrorCode.outOfOrderSequenceNumber]: 'out-of-sequence',
  [KafkaErrorCode.duplicateSequenceNumber]: 'out-of-sequence',
  [KafkaErrorCode.invalidProducerEpoch]: 'out-of-sequence',
  [KafkaErrorCode.kafkaStorageError]: 'store-unavailable',
  [KafkaErrorCode.notEnoughReplicasAfterAppend]: 'store-unavailable',
};

async function produceToPartition(
  topic: TopicLog,
  { index, records }: PartitionData,
  { acks }: Request,
  context: RequestContext,
): Promise<PartitionResponse> {
  if (acks < -1 || acks > 1) return refused(index, kafkaError(KafkaErrorCode.invalidRequiredAcks));
  const partition = topic.partitions[index];
  if (partition === undefined) return refused(index, kafkaError(KafkaErrorCode.unknownTopicOrPartition));
  const wrongLeader = leaderError(partition);
  if (wrongLeader !== undefined) return sentToLeader(partition, wrongLeader, context.parts);
  const { spans } = context.parts;
  const traced = spans.isOn ? new TracedBatch(spans) : undefined;
  const response = await append(topic, partition, records, context, traced).catch((error) =>
    failed(partition, error),
  );
  traced?.end(...spanOf(topic, response, context));
  return response;
}

/** What a span tells of a batch, and what went wrong. */
function spanOf(
  { name }: TopicLog,
  { index, errorCode, baseOffset }: PartitionResponse,
  { clientId }: RequestContext,
): [SpanFacts, problem: string | undefined] {
  const isKept = errorCode === KafkaErrorCode.none;
  const facts = {
    ...{ operation: 'publish', destination: liveTopicOf(name), isAsked: true },
    attributes: {
      'messaging.operation.type': 'send',
      'messaging.client.id': clientId === '' ? undefined : clientId,
      'messaging.destination.partition.id': String(index),
      'network.protocol.name': 'kafka',
      'tinymq.log': name,
      'tinymq.log.offset': isKept ? baseOffset : undefined,
    },
  };
  return [facts, isKept ? undefined : (REFUSALS[errorCode] ?? `kafka-error-${errorCode}`)];
}

async function append(
  topic: TopicLog,
  partition: PartitionLog,
  records: Uint8Array | null,
  context: RequestContext,
  traced: TracedBatch | undefined,
): Promise<PartitionResponse> {
  const { parts } = context;
  const bytes = memory.own(oneBatch(records, context.version));
  const claims = context.access.isOpen ? undefined : new RecordClaims(context.access, topic.name);
  const checked = checkedInOrder(bytes, topic, context, bothOf(claims?.look, traced?.look));
  const { count, maxTimestamp, producer } = checked instanceof Promise ? await checked : checked;
  if (claims?.denial !== undefined) return refused(partition.number, claims.denial);
  context.client.throttle.take('messagesInPerSecond', count);
  const { hasLogAppendTime } = topic.settings;
  const now = parts.logs.clock.now();
  if (hasLogAppendTime) setLogAppendTime(bytes, 0, now);
  const baseOffset = await partition.append({
    bytes,
    count,
    maxTimestamp: hasLogAppendTime ? now : maxTimestamp,
    producer,
  });
  context.client.messages.received += count;
  const settled = parts.delivery.settled(partition);
  if (settled !== undefined) await settled;
  return {
    index: partition.number,
    errorCode: KafkaErrorCode.none,
    baseOffset,
    logAppendTimeMs: hasLogAppendTime ? now : -1,
    logStartOffset: partition.firstOffset,
  };
}

type LookAtHeaders = RecordClaims['look'];

function bothOf(one: LookAtHeaders | undefined, other: LookAtHeaders | undefined): LookAtHeaders | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return (headers) => {
    one(headers);
    other(headers);
  };
}

/** Batches of a client are appended in the order in which it sent them: one that is quick to check waits for those before. */
function checkedInOrder(
  bytes: Uint8Array,
  { settings }: TopicLog,
  { parts, client }: RequestContext,
  onHeaders: LookAtHeaders | undefined,
): ValidatedBatch | Promise<ValidatedBatch> {
  const check = () => validated(bytes, settings, parts.slices, parts.logs.clock.now(), onHeaders);
  const before = client.checking;
  const checked = before === undefined ? check() : before.then(check);
  if (!(checked instanceof Promise)) return checked;
  const settled = checked
    .catch(() => {})
    .then(() => {
      if (client.checking === settled) client.checking = undefined;
    });
  client.checking = settled;
  return checked;
}

/** Batches are remembered for longer than the chunk in which they came. */
const memory = new BatchMemory();

/** @throws the error itself where it is a bug. */
function failed(partition: PartitionLog, error: unknown): PartitionResponse {
  const { number, firstOffset } = partition;
  if (error instanceof SequenceError) {
    const response = refused(number, kafkaError(SEQUENCE_ERRORS[error.code], error.message));
    return { ...response, logStartOffset: firstOffset };
  }
  if (!(error instanceof ProduceRefusal)) return refused(number, appendError(error));
  const { errorCode, message, tellsLogStart, rejected } = error;
  return {
    ...refused(number, kafkaError(errorCode, message)),
    logStartOffset: tellsLogStart ? firstOffset : -1,
    recordErrors: rejected.map(({ index, problem }) => ({
      batchIndex: index,
      batchIndexErrorMessage: problem,
    })),
  };
}

function sentToLeader(partition: PartitionLog, errorCode: KafkaErrorCode, { nodes }: KafkaParts) {
  return {
    ...refused(partition.number, kafkaError(errorCode)),
    currentLeader: currentLeader(partition, nodes),
  };
}

/** The batch may be there. */
function appendError(error: unknown): KafkaError {
  return storeError(error, KafkaErrorCode.notEnoughReplicasAfterAppend);
}

const SEQUENCE_ERRORS = {
  'out-of-order': KafkaErrorCode.outOfOrderSequenceNumber,
  'stale-epoch': KafkaErrorCode.invalidProducerEpoch,
} as const;

function isFailed({ errorCode }: PartitionResponse): boolean {
  return errorCode !== KafkaErrorCode.none;
}

function refused(index: number, { errorCode, errorMessage }: KafkaError): PartitionResponse {
  return { index, errorCode, errorMessage, baseOffset: -1, logStartOffset: -1 };
}
