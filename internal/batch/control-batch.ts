import { recordBytes } from './read.ts';
import type { BatchHeader } from './record-batch.ts';
import { RecordCursor } from './record-cursor.ts';

/** The step of a transaction that a batch makes: it has records of it, or ends it. */
export type TransactionKind = 'records' | 'commit' | 'abort';

/** The key of a control record: version (2), type (2). */
const CONTROL_KEY_BYTES = 4;
const ABORT = 0;
const COMMIT = 1;
/** A mark is one short record; what says to be much longer is none. */
export const MAX_CONTROL_BATCH_BYTES = 4096;

/**
 * The step that a whole batch makes in its producer's transaction; undefined for a batch outside of transactions, and for a mark
 * of another kind.
 *
 * @throws RecordBatchError for a mark that cannot be read.
 */
export function transactionKind(bytes: Uint8Array, header: BatchHeader): TransactionKind | undefined {
  if (!header.isTransactional) return undefined;
  if (!header.isControl) return 'records';
  if (header.end - header.at > MAX_CONTROL_BATCH_BYTES || header.recordCount === 0) return undefined;
  const { bytes: from, start, end } = recordBytes(bytes, header, MAX_CONTROL_BATCH_BYTES);
  const cursor = new RecordCursor();
  cursor.read(from, start, end, 0);
  const { keyStart, keyEnd } = cursor;
  if (keyStart < 0 || keyEnd - keyStart < CONTROL_KEY_BYTES) return undefined;
  const type = (from[keyStart + 2]! << 8) | from[keyStart + 3]!;
  if (type === COMMIT) return 'commit';
  return type === ABORT ? 'abort' : undefined;
}
