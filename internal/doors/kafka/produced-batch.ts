import { maxExpandedBatchBytes } from '../../limits.ts';
import type { ProducerBatch } from '../../log/producer-states.ts';
import type { TopicSettings } from '../../log/topic-configs.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_END,
  BatchAttribute,
  type BatchHeader,
  setMaxTimestamp,
} from '../../protocol/kafka/record-batch.ts';
import { RecordBatchError, type RecordBatchErrorCode } from '../../protocol/kafka/record-batch-error.ts';
import { validateBatches } from '../../protocol/kafka/record-batch-validate.ts';

/** A batch that a producer sent and that its partition may have. */
export interface ValidatedBatch {
  readonly count: number;
  /** In milliseconds since 1970. */
  readonly maxTimestamp: number;
  readonly producer: ProducerBatch | undefined;
}

/** What is wrong with what a producer sent, in Kafka's words. */
export class ProduceRefusal extends Error {
  override readonly name = 'ProduceRefusal';
  readonly errorCode: KafkaErrorCode;
  /** Kafka tells where the log begins of what its log has refused, not of what did not come so far. */
  readonly tellsLogStart: boolean;
  /** Which record of the batch is wrong, from 0; undefined where it is the batch itself. */
  readonly recordIndex: number | undefined;

  constructor(errorCode: KafkaErrorCode, message: string, tellsLogStart: boolean, recordIndex?: number) {
    super(message);
    this.errorCode = errorCode;
    this.tellsLogStart = tellsLogStart;
    this.recordIndex = recordIndex;
  }
}

/** Whether the first batch belongs to a transaction. */
export function isTransactional(records: Uint8Array | null): boolean {
  if (records === null || records.length < BATCH_HEADER_BYTES || records[MAGIC_AT] !== MAGIC) return false;
  return (records[ATTRIBUTES_AT]! & BatchAttribute.transactional) !== 0;
}

/**
 * The one batch that a partition may be sent at a time. Like Kafka this looks only at what is there whole, and leaves
 * out what is cut off behind it.
 *
 * @param version of the Produce request.
 * @throws ProduceRefusal.
 */
export function oneBatch(records: Uint8Array | null, version: number): Uint8Array {
  const bytes = records ?? NO_BYTES;
  const end = batchEnd(bytes, 0);
  if (end === 0) throw new ProduceRefusal(KafkaErrorCode.invalidRecord, 'no whole batch', false);
  if (bytes[MAGIC_AT] !== MAGIC) {
    throw new ProduceRefusal(
      KafkaErrorCode.invalidRecord,
      `magic ${bytes[MAGIC_AT]} is not served: use record batches`,
      false,
    );
  }
  const isZstd = (bytes[ATTRIBUTES_AT]! & BatchAttribute.compressionMask) === ZSTD;
  if (isZstd && version < FIRST_VERSION_WITH_ZSTD) {
    const message = `zstd in version ${version} of Produce`;
    throw new ProduceRefusal(KafkaErrorCode.unsupportedCompressionType, message, false);
  }
  if (batchEnd(bytes, end) > end) {
    throw new ProduceRefusal(KafkaErrorCode.invalidRecord, 'more than one batch for a partition', false);
  }
  return end === bytes.length ? bytes : bytes.subarray(0, end);
}

/** Where the batch at `at` ends; `at` where none is there whole. */
function batchEnd(bytes: Uint8Array, at: number): number {
  const left = bytes.length - at;
  if (left < BATCH_LENGTH_END) return at;
  const lengthAt = at + BATCH_LENGTH_AT;
  const batchLength =
    (bytes[lengthAt]! << 24) |
    (bytes[lengthAt + 1]! << 16) |
    (bytes[lengthAt + 2]! << 8) |
    bytes[lengthAt + 3]!;
  if (batchLength < LEAST_LENGTH) {
    throw new ProduceRefusal(KafkaErrorCode.corruptMessage, `a batch length of ${batchLength} bytes`, false);
  }
  if (left <= MAGIC_AT) return at;
  const magic = bytes[at + MAGIC_AT]!;
  if (magic > MAGIC) {
    throw new ProduceRefusal(KafkaErrorCode.corruptMessage, `magic ${magic} is not known`, false);
  }
  const size = BATCH_LENGTH_END + batchLength;
  return size > left ? at : at + size;
}

const NO_BYTES = new Uint8Array(0);
const BATCH_LENGTH_AT = 8;
const MAGIC_AT = 16;
const MAGIC = 2;
/** Of the older formats: an offset and a size are not counted, and this much follows at least. */
const LEAST_LENGTH = 14;
/** The byte of the attributes that says anything. */
const ATTRIBUTES_AT = 22;
const ZSTD = 4;
/** KIP-110. */
const FIRST_VERSION_WITH_ZSTD = 7;

/**
 * Checks a batch down to its records, and corrects its greatest timestamp where the producer has it wrong.
 *
 * @throws ProduceRefusal.
 */
export function validated(bytes: Uint8Array, settings: TopicSettings): ValidatedBatch {
  const limits = {
    maxBatchBytes: settings.maxBatchBytes,
    maxExpandedBytes: maxExpandedBatchBytes,
    requireKeys: settings.compacts,
  };
  let batch: ValidatedBatch | undefined;
  let isMaxTimestampWrong = false;
  try {
    validateBatches(bytes, limits, (header, maxTimestamp, minTimestamp) => {
      checkHeader(header);
      checkTimes(maxTimestamp, minTimestamp, settings);
      isMaxTimestampWrong = header.maxTimestamp !== maxTimestamp;
      batch = { count: header.recordCount, maxTimestamp, producer: producerOf(header) };
    });
  } catch (error) {
    if (!(error instanceof RecordBatchError)) throw error;
    const errorCode = BATCH_ERRORS[error.code];
    const tellsLogStart =
      errorCode !== KafkaErrorCode.corruptMessage && errorCode !== KafkaErrorCode.messageTooLarge;
    throw new ProduceRefusal(errorCode, error.message, tellsLogStart, error.recordIndex);
  }
  if (isMaxTimestampWrong) setMaxTimestamp(bytes, 0, batch!.maxTimestamp);
  return batch!;
}

function checkHeader(header: BatchHeader): void {
  if (header.baseOffset !== 0) {
    throw new ProduceRefusal(
      KafkaErrorCode.invalidRecord,
      `a batch begins at 0, not ${header.baseOffset}`,
      true,
    );
  }
  if (header.isTransactional) {
    throw new ProduceRefusal(KafkaErrorCode.invalidTxnState, 'transactions are not served', true);
  }
}

function checkTimes(maxTimestamp: number, minTimestamp: number, settings: TopicSettings): void {
  if (settings.hasLogAppendTime) return;
  const now = Date.now();
  const isLate = maxTimestamp > now + settings.timestampAfterMaxMs;
  const isEarly = minTimestamp !== NO_TIMESTAMP && minTimestamp < now - settings.timestampBeforeMaxMs;
  if (!isLate && !isEarly) return;
  const message = `timestamp ${isLate ? maxTimestamp : minTimestamp} is too far from the clock, ${now}`;
  throw new ProduceRefusal(KafkaErrorCode.invalidTimestamp, message, true);
}

/** What producers give to records without a time. */
const NO_TIMESTAMP = -1;

function producerOf({ producerId, producerEpoch, baseSequence }: BatchHeader): ProducerBatch | undefined {
  if (producerId < 0) return undefined;
  return { id: producerId, epoch: producerEpoch, firstSequence: baseSequence };
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
