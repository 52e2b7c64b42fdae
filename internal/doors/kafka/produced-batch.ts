import { RecordBatchError, type RecordBatchErrorCode, type RejectedRecord } from '../../batch/batch-error.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_END,
  BatchAttribute,
  type BatchHeader,
  setMaxTimestamp,
} from '../../batch/record-batch.ts';
import {
  type BatchLimits,
  type BatchSink,
  validateBatches,
  validateBatchesPaced,
} from '../../batch/validate.ts';
import { maxExpandedBatchBytes } from '../../limits/batch.ts';
import { aloneFromBytes, atOnceBytes } from '../../limits/kafka.ts';
import type { ProducerBatch } from '../../log/producer-states.ts';
import type { TopicSettings } from '../../log/topic-configs.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import type { Slices } from './slices.ts';

/** A batch that a producer sent and that its partition may have. */
export interface ValidatedBatch {
  readonly count: number;
  /** In milliseconds since 1970. */
  readonly maxTimestamp: number;
  readonly producer: ProducerBatch | undefined;
}

/** A fault in a produced batch, in Kafka's words. */
export class ProduceRefusal extends Error {
  override readonly name = 'ProduceRefusal';
  readonly errorCode: KafkaErrorCode;
  /** Kafka tells where the log begins of what its log has refused, not of what did not come so far. */
  readonly tellsLogStart: boolean;
  /** The records of the batch that are wrong; empty where it is the batch itself. */
  readonly rejected: readonly RejectedRecord[];

  constructor(
    errorCode: KafkaErrorCode,
    message: string,
    tellsLogStart: boolean,
    rejected: readonly RejectedRecord[] = [],
  ) {
    super(message);
    this.errorCode = errorCode;
    this.tellsLogStart = tellsLogStart;
    this.rejected = rejected;
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

/** The end of the batch at `at`; `at` if none is there whole. */
function batchEnd(bytes: Uint8Array, at: number): number {
  const left = bytes.length - at;
  if (left < BATCH_LENGTH_END) return at;
  const lengthAt = at + BATCH_LENGTH_AT;
  const batchLength = new DataView(bytes.buffer, bytes.byteOffset).getInt32(lengthAt);
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
 * Checks a batch down to its records, and corrects its greatest timestamp where the producer has it wrong. A batch that
 * takes long is checked in slices. `onHeaders` may be shown headers more than once.
 *
 * @throws ProduceRefusal, also by the promise.
 */
export function validated(
  bytes: Uint8Array,
  settings: TopicSettings,
  slices: Slices,
  nowMs: number,
  onHeaders?: BatchLimits['onHeaders'],
): ValidatedBatch | Promise<ValidatedBatch> {
  const limits = { ...limitsOf(settings, nowMs), onHeaders };
  if (bytes.length > atOnceBytes) return validatedInSlices(bytes, limits, slices);
  const short = slices.soon(() => validatedIfShort(bytes, limits));
  if (short instanceof Promise) {
    return short.then((batch) => batch ?? validatedInSlices(bytes, limits, slices));
  }
  return short ?? validatedInSlices(bytes, limits, slices);
}

/** Undefined where few bytes expand to very many. */
function validatedIfShort(bytes: Uint8Array, limits: BatchLimits): ValidatedBatch | undefined {
  const sink = new Validated(bytes);
  try {
    validateBatches(bytes, { ...limits, maxExpandedBytes: atOnceBytes }, sink.accept);
  } catch (error) {
    if (expandsFurther(error, bytes, limits)) return undefined;
    throw refusalOf(error);
  }
  return sink.batch;
}

async function validatedInSlices(
  bytes: Uint8Array,
  limits: BatchLimits,
  slices: Slices,
): Promise<ValidatedBatch> {
  const sink = new Validated(bytes);
  const validate = (maxExpandedBytes: number) =>
    validateBatchesPaced(bytes, { ...limits, maxExpandedBytes }, slices, sink.accept);
  try {
    await validate(aloneFromBytes).catch((error) => {
      if (!expandsFurther(error, bytes, limits)) throw error;
      return slices.alone(() => validate(limits.maxExpandedBytes));
    });
  } catch (error) {
    throw refusalOf(error);
  }
  return sink.batch;
}

/** Whether the only thing that is wrong is how far the batch may expand. */
function expandsFurther(error: unknown, bytes: Uint8Array, { maxBatchBytes }: BatchLimits): boolean {
  return error instanceof RecordBatchError && error.code === 'too-large' && bytes.length <= maxBatchBytes;
}

function limitsOf(settings: TopicSettings, nowMs: number): BatchLimits {
  const { maxBatchBytes, compacts: requireKeys } = settings;
  return {
    maxBatchBytes,
    maxExpandedBytes: maxExpandedBatchBytes,
    requireKeys,
    timestamps: settings.hasLogAppendTime ? undefined : timestampsOf(settings, nowMs),
  };
}

function timestampsOf({ timestampBeforeMaxMs, timestampAfterMaxMs }: TopicSettings, nowMs: number) {
  return { earliest: nowMs - timestampBeforeMaxMs, latest: nowMs + timestampAfterMaxMs };
}

/** Takes the one batch that is in order. */
class Validated {
  readonly #bytes: Uint8Array;
  #batch: ValidatedBatch | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get batch(): ValidatedBatch {
    return this.#batch!;
  }

  readonly accept: BatchSink = (header, maxTimestamp) => {
    checkHeader(header);
    this.#batch = { count: header.recordCount, maxTimestamp, producer: producerOf(header) };
    if (header.maxTimestamp !== maxTimestamp) setMaxTimestamp(this.#bytes, 0, maxTimestamp);
  };
}

/** The error that a producer gets for a batch that is refused; any other error is a bug. */
function refusalOf(error: unknown): unknown {
  if (!(error instanceof RecordBatchError)) return error;
  const errorCode = BATCH_ERRORS[error.code];
  const tellsLogStart =
    errorCode !== KafkaErrorCode.corruptMessage && errorCode !== KafkaErrorCode.messageTooLarge;
  return new ProduceRefusal(errorCode, error.message, tellsLogStart, rejectedBy(error));
}

function rejectedBy({ message, recordIndex, rejected }: RecordBatchError): readonly RejectedRecord[] {
  if (rejected.length > 0 || recordIndex === undefined) return rejected;
  return [{ index: recordIndex, problem: message }];
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
