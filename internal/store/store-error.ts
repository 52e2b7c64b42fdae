/** The errors of a store. The log above translates these; nobody compares message texts. */

/**
 * `invalid`: the caller broke the contract; `exists` and `not-found`: topics and partitions; `conflict`: offsets that
 * leave a gap or overlap; `unavailable`: not now, ask again; `corrupt`: bytes on the disk are not what was written;
 * `locked`: another process has the directory; `unsupported`: this runtime or this format cannot be used; `not-leader`: another
 * node writes this, ask there; `batch-too-large`: it takes none of this size, now or later.
 */
export type StoreErrorCode =
  | 'invalid'
  | 'exists'
  | 'not-found'
  | 'conflict'
  | 'unavailable'
  | 'corrupt'
  | 'locked'
  | 'unsupported'
  | 'not-leader'
  | 'batch-too-large';

/** A refusal or failure of a store. */
export class StoreError extends Error {
  override readonly name: string = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Why a store cannot be written to at the moment. `no-majority`: of the servers that keep it too few answer, and what was asked for
 * may come to be all the same.
 */
export type UnavailableReason = 'closed' | 'disk-full' | 'failed' | 'no-majority';

/**
 * Nothing was acknowledged, and the store recovers by itself unless it was closed. What was rejected with this is not
 * in the store once it has recovered.
 */
export class StoreUnavailableError extends StoreError {
  override readonly name = 'StoreUnavailableError';
  readonly reason: UnavailableReason;

  constructor(reason: UnavailableReason, message: string, options?: ErrorOptions) {
    super('unavailable', message, options);
    this.reason = reason;
  }
}

/** The error for those who want to write, made from one of the system, of SQLite or of a store. */
export function unavailableReason(error: unknown): UnavailableReason {
  if (error instanceof StoreUnavailableError) return error.reason;
  const { code, errcode = 0 } = error as { code?: unknown; errcode?: number };
  const isFull = code === 'ENOSPC' || code === 'EDQUOT' || (errcode & SQLITE_PRIMARY_CODE) === SQLITE_FULL;
  return isFull ? 'disk-full' : 'failed';
}

/** SQLite's result codes have details above these bits. */
export const SQLITE_PRIMARY_CODE = 0xff;
const SQLITE_FULL = 13;

/** A stored batch whose bytes changed on the disk. Its offsets are known, so that a reader can go on behind it. */
export class CorruptBatchError extends StoreError {
  override readonly name = 'CorruptBatchError';
  readonly partition: number;
  readonly baseOffset: number;
  readonly lastOffset: number;

  constructor(partition: number, baseOffset: number, lastOffset: number) {
    super(
      'corrupt',
      `the batch at offsets ${baseOffset} to ${lastOffset} of partition id ${partition} is damaged on the disk`,
    );
    this.partition = partition;
    this.baseOffset = baseOffset;
    this.lastOffset = lastOffset;
  }
}
