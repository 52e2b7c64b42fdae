/**
 * The faults of record batches, each with the Kafka error code that a broker answers:
 * `truncated` and `corrupt-message` CORRUPT_MESSAGE (2), `too-large` MESSAGE_TOO_LARGE (10),
 * `invalid-timestamp` INVALID_TIMESTAMP (32), `unsupported-compression` UNSUPPORTED_COMPRESSION_TYPE (76),
 * `invalid-record` and `unsupported-magic` INVALID_RECORD (87).
 */
export type RecordBatchErrorCode =
  | 'truncated'
  | 'corrupt-message'
  | 'too-large'
  | 'invalid-timestamp'
  | 'unsupported-compression'
  | 'invalid-record'
  | 'unsupported-magic';

/** Record batches that cannot be read or must not be accepted. */
export class RecordBatchError extends Error {
  override readonly name = 'RecordBatchError';
  readonly code: RecordBatchErrorCode;
  /** Which record of its batch is wrong, from 0; undefined where it is the batch itself. */
  readonly recordIndex: number | undefined;
  /** Each record that a broker must not accept, as far as they are told one by one; empty where it is the batch. */
  readonly rejected: readonly RejectedRecord[];

  constructor(
    code: RecordBatchErrorCode,
    message: string,
    recordIndex?: number,
    rejected: readonly RejectedRecord[] = [],
  ) {
    super(message);
    this.code = code;
    this.recordIndex = recordIndex;
    this.rejected = rejected;
  }
}

/** A record that can be read and must not be accepted. */
export interface RejectedRecord {
  /** Its number in its batch, from 0. */
  readonly index: number;
  readonly problem: string;
}
