import type { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';

const numbers = new Float64Array(5);
const numberBytes = new Uint8Array(numbers.buffer);

/**
 * CRC-32 of what a row says about a batch and of its bytes, so that neither a flipped bit nor the bytes of another row
 * pass for it.
 */
export function batchChecksum(
  partition: number,
  baseOffset: number,
  lastOffset: number,
  count: number,
  maxTimestamp: number,
  bytes: Uint8Array,
): number {
  numbers[0] = partition;
  numbers[1] = baseOffset;
  numbers[2] = lastOffset;
  numbers[3] = count;
  numbers[4] = maxTimestamp;
  return crc32(bytes, crc32(numberBytes));
}

const places = new Float64Array(6);
const placeBytes = new Uint8Array(places.buffer);

/** The same of what {@link batchChecksum} leaves out: all that does not change when other batches come. */
export function batchPlaceChecksum(
  runningTimestamp: number,
  runningBytes: number,
  byteLength: number,
  checksum: number,
  bytesId: number,
  baseOffset: number,
): number {
  places[0] = runningTimestamp;
  places[1] = runningBytes;
  places[2] = byteLength;
  places[3] = checksum;
  places[4] = bytesId;
  places[5] = baseOffset;
  return crc32(placeBytes);
}

/** A value of a row, as SQLite gives it. */
export type RowValue = string | number | bigint | Uint8Array | null;

/** CRC-32 of the values of a row. The kind and the length of each come first, so that no two rows are the same bytes. */
export function rowChecksum(values: readonly RowValue[]): number {
  let sum = 0;
  for (const value of values) {
    const bytes = value instanceof Uint8Array ? value : Buffer.from(String(value));
    sum = crc32(bytes, crc32(`${kindOf(value)}${bytes.length} `, sum));
  }
  return sum;
}

/** Numbers have one kind, however they came from SQLite. */
function kindOf(value: RowValue): string {
  if (value === null) return 'n';
  if (value instanceof Uint8Array) return 'b';
  return typeof value === 'string' ? 't' : 'i';
}

/** The columns that the checksum of a row is of; a table of batches has two of its own. */
export const ROW_COLUMNS = {
  meta: ['key', 'value'],
  topic: ['name', 'topic_id', 'configs', 'created_at_ms'],
  partition: [
    ...['id', 'topic', 'number', 'first_offset', 'next_offset', 'leader_epoch', 'max_timestamp'],
    ...['running_bytes', 'swept_bytes', 'replaced_bytes'],
  ],
  producer: ['partition_id', 'producer_id', 'state'],
  group_offset: [
    ...['group_name', 'topic', 'partition', 'committed_offset', 'leader_epoch', 'metadata'],
    'committed_at_ms',
  ],
  entry: ['key', 'value'],
} as const;

export type SealedTable = keyof typeof ROW_COLUMNS;

const PLACE_COLUMNS = 'running_timestamp, running_bytes, byte_length, checksum, bytes_id, base_offset';

/**
 * The checksum of a row as SQL.
 *
 * @param changed what stands in the place of columns that the statement changes.
 */
export function checksumSql(table: SealedTable, changed: Readonly<Record<string, string>> = {}): string {
  return `row_checksum(${ROW_COLUMNS[table].map((column) => changed[column] ?? column).join(', ')})`;
}

/** The same for the place of a batch. */
export function placeChecksumSql(runningTimestamp = 'running_timestamp'): string {
  return `batch_place_checksum(${PLACE_COLUMNS.replace('running_timestamp', runningTimestamp)})`;
}

/** Makes the checksums functions of SQL on a connection. */
export function defineChecksums(db: DatabaseSync): void {
  const options = { deterministic: true, varargs: true };
  db.function('row_checksum', { ...options, useBigIntArguments: true }, (...values) =>
    rowChecksum(values as RowValue[]),
  );
  db.function('batch_place_checksum', options, (...values) =>
    batchPlaceChecksum(...(values as Parameters<typeof batchPlaceChecksum>)),
  );
}
