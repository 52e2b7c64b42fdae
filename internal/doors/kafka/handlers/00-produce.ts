import { maxExpandedBatchBytes } from '../../../limits.ts';
import { BatchMemory } from '../../../log/batch-memory.ts';
import type { TopicLog } from '../../../log/logs.ts';
import type { PartitionLog } from '../../../log/partition-log.ts';
import { type ProducerBatch, SequenceError } from '../../../log/producer-states.ts';
import { produce } from '../../../protocol/kafka/apis/00-produce.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { type BatchHeader, setLogAppendTime, setMaxTimestamp } from '../../../protocol/kafka/record-batch.ts';
import { RecordBatchError, type RecordBatchErrorCode } from '../../../protocol/kafka/record-batch-error.ts';
import { validateBatches } from '../../../protocol/kafka/record-batch-validate.ts';
import type { RequestOf, ResponseOf } from '../../../protocol/kafka/schema.ts';
import { type KafkaError, kafkaError, storeError } from '../errors.ts';
import { CloseConnection, defineHandler, type RequestContext } from '../handler.ts';

type Request = RequestOf<typeof produce>;
type PartitionData = Request['topicData'][number]['partitionData'][number];
type PartitionResponse = ResponseOf<typeof produce>['responses'][number]['partitionResponses'][number];

/** Answered when everything lasts, whatever acks asks for: there are no replicas to wait for. */
export const produceHandler = defineHandler(
  produce,
  async (request, context) => {
    const asked = request.topicData.map((data) => produceTopic(data, request, context));
    const responses = await Promise.all(asked);
    if (request.acks !== 0) return { responses };
    const failed = responses.flatMap(({ partitionResponses }) => partitionResponses).find(isFailed);
    // Who wants no answer learns only so that it should ask for the metadata again.
    if (failed !== undefined) throw new CloseConnection(`produce with acks=0: error ${failed.errorCode}`);
    return undefined;
  },
  { isConcurrent: true },
);

async function produceTopic(data: Request['topicData'][number], request: Request, context: RequestContext) {
  const { version, parts } = context;
  const isById = version >= 13;
  const topic = isById ? parts.logs.topicById(data.topicId) : parts.logs.topic(data.name);
  const unknown = isById ? KafkaErrorCode.unknownTopicId : KafkaErrorCode.unknownTopicOrPartition;
  const partitionResponses = await Promise.all(
    data.partitionData.map((partition) =>
      topic === undefined
        ? refused(partition.index, kafkaError(unknown))
        : produceToPartition(topic, partition, request, context),
    ),
  );
  return { name: data.name, topicId: data.topicId, partitionResponses };
}

async function produceToPartition(
  topic: TopicLog,
  { index, records }: PartitionData,
  { acks, transactionalId }: Request,
  context: RequestContext,
): Promise<PartitionResponse> {
  if (acks < -1 || acks > 1) return refused(index, kafkaError(KafkaErrorCode.invalidRequiredAcks));
  if (transactionalId !== null) {
    return refused(index, kafkaError(KafkaErrorCode.invalidTxnState, 'transactions are not served'));
  }
  const partition = topic.partitions[index];
  if (partition === undefined) return refused(index, kafkaError(KafkaErrorCode.unknownTopicOrPartition));
  if (acks === -1 && topic.settings.minInsyncReplicas > 1) {
    return refused(index, kafkaError(KafkaErrorCode.notEnoughReplicas));
  }
  try {
    return await append(topic, partition, records, context);
  } catch (error) {
    return refused(index, produceError(error), error);
  }
}

async function append(
  topic: TopicLog,
  partition: PartitionLog,
  records: Uint8Array | null,
  { parts, client, version }: RequestContext,
): Promise<PartitionResponse> {
  const bytes = records === null ? NO_BYTES : memory.own(records);
  const { count, maxTimestamp, producer } = validated(bytes, topic, version);
  const { hasLogAppendTime } = topic.settings;
  const now = Date.now();
  if (hasLogAppendTime) setLogAppendTime(bytes, 0, now);
  const baseOffset = await partition.append({
    bytes,
    count,
    maxTimestamp: hasLogAppendTime ? now : maxTimestamp,
    producer,
    lasts: () => parts.delivery.deliver(topic, bytes, client),
  });
  return {
    index: partition.number,
    errorCode: KafkaErrorCode.none,
    baseOffset,
    logAppendTimeMs: hasLogAppendTime ? now : -1,
    logStartOffset: partition.firstOffset,
  };
}

const NO_BYTES = new Uint8Array(0);
/** Batches are remembered for longer than the chunk in which they came. */
const memory = new BatchMemory();

interface ValidatedBatch {
  count: number;
  maxTimestamp: number;
  producer: ProducerBatch | undefined;
}

/** @throws RecordBatchError. */
function validated(bytes: Uint8Array, { settings }: TopicLog, version: number): ValidatedBatch {
  let batch: ValidatedBatch | undefined;
  let isMaxTimestampWrong = false;
  const limits = {
    maxBatchBytes: settings.maxBatchBytes,
    maxExpandedBytes: maxExpandedBatchBytes,
    requireKeys: settings.compacts,
  };
  const now = Date.now();
  const earliest = now - settings.timestampBeforeMaxMs;
  const latest = now + settings.timestampAfterMaxMs;
  validateBatches(bytes, limits, (header: BatchHeader, maxTimestamp, minTimestamp) => {
    if (batch !== undefined)
      throw new RecordBatchError('invalid-record', 'more than one batch for a partition');
    if (header.isTransactional) throw new RecordBatchError('invalid-record', 'transactions are not served');
    if (header.codec === 'zstd' && version < FIRST_VERSION_WITH_ZSTD) {
      throw new RecordBatchError('unsupported-compression', `zstd in version ${version} of Produce`);
    }
    if (!settings.hasLogAppendTime && (maxTimestamp > latest || minTimestamp < earliest)) {
      const wrong = maxTimestamp > latest ? maxTimestamp : minTimestamp;
      throw new RecordBatchError('invalid-timestamp', `timestamp ${wrong} is too far from the clock, ${now}`);
    }
    isMaxTimestampWrong = header.maxTimestamp !== maxTimestamp;
    batch = { count: header.recordCount, maxTimestamp, producer: producerOf(header) };
  });
  if (isMaxTimestampWrong) setMaxTimestamp(bytes, 0, batch!.maxTimestamp);
  return batch!;
}

/** KIP-110. */
const FIRST_VERSION_WITH_ZSTD = 7;

function producerOf({ producerId, producerEpoch, baseSequence }: BatchHeader): ProducerBatch | undefined {
  if (producerId < 0) return undefined;
  return { id: producerId, epoch: producerEpoch, firstSequence: baseSequence };
}

function produceError(error: unknown): KafkaError {
  if (error instanceof RecordBatchError) return kafkaError(BATCH_ERRORS[error.code], error.message);
  if (error instanceof SequenceError) return kafkaError(SEQUENCE_ERRORS[error.code], error.message);
  return storeError(error);
}

const BATCH_ERRORS: Record<RecordBatchErrorCode, KafkaErrorCode> = {
  truncated: KafkaErrorCode.corruptMessage,
  'corrupt-message': KafkaErrorCode.corruptMessage,
  'too-large': KafkaErrorCode.messageTooLarge,
  'invalid-timestamp': KafkaErrorCode.invalidTimestamp,
  'unsupported-compression': KafkaErrorCode.unsupportedCompressionType,
  'invalid-record': KafkaErrorCode.invalidRecord,
  'unsupported-magic': KafkaErrorCode.invalidRecord,
};

const SEQUENCE_ERRORS = {
  'out-of-order': KafkaErrorCode.outOfOrderSequenceNumber,
  'stale-epoch': KafkaErrorCode.invalidProducerEpoch,
} as const;

function isFailed({ errorCode }: PartitionResponse): boolean {
  return errorCode !== KafkaErrorCode.none;
}

function refused(index: number, { errorCode, errorMessage }: KafkaError, error?: unknown): PartitionResponse {
  const recordIndex = error instanceof RecordBatchError ? error.recordIndex : undefined;
  const recordErrors =
    recordIndex === undefined ? [] : [{ batchIndex: recordIndex, batchIndexErrorMessage: errorMessage }];
  return { index, errorCode, errorMessage, baseOffset: -1, logStartOffset: -1, recordErrors };
}
