import { BatchAttribute, BatchHeader, parseBatchHeader, sealBatch } from '../../batch/record-batch.ts';
import type { StoredBatch } from '../log-store.ts';
import type { TransactionIndex } from '../transactions.ts';

const header = new BatchHeader();
/** The byte of the attributes that says anything. */
const ATTRIBUTES_AT = 22;

/**
 * A batch as it is where nobody can end a transaction any more: a committed one belongs to none, and of the others, and of
 * the marks, nothing stays.
 */
export function settled(batch: StoredBatch, transactions: TransactionIndex): StoredBatch | undefined {
  parseBatchHeader(batch.bytes, 0, header);
  if (!header.isTransactional && !header.isControl) return batch;
  if (!transactions.isCommitted(header) || transactions.isOpen(header)) return undefined;
  const bytes = new Uint8Array(batch.bytes);
  bytes[ATTRIBUTES_AT]! &= ~BatchAttribute.transactional;
  sealBatch(bytes, 0);
  return { ...batch, bytes };
}
