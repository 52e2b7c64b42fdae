import type { DatabaseSync } from 'node:sqlite';
import { noSuchPartition } from '../batch-rules.ts';
import type { BatchSpan } from '../log-store.ts';
import { CorruptBatchError } from '../store-error.ts';
import { batchChecksum } from './checksum.ts';
import { OWN_BUFFER_BYTES, type PackedBatches, READ_FIELDS, type ReadRequest } from './messages.ts';
import { sizeReader } from './state.ts';

/** The side of the store that reads: on a connection of its own, so that a long read holds up no commit. */
export class SqliteReader {
  readonly #db: DatabaseSync;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #sizeBytes: (partition: number) => number;

  /** @param db a connection from `openForReading`; this owns it now */
  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#statements = prepare(db);
    this.#sizeBytes = sizeReader(db);
  }

  /** Answers one request from one state of the file. @throws StoreError; errors of SQLite */
  answer(request: ReadRequest): unknown {
    this.#statements.begin.run();
    try {
      switch (request.kind) {
        case 'read':
          return this.#read(request.partition, request.fromOffset, request.maxBytes);
        case 'batch-for-time':
          return this.#batchForTime(request.partition, request.timestamp);
        case 'offset-for-size':
          return this.#offsetForSize(request.partition, request.keepBytes);
      }
    } finally {
      this.#statements.end.run();
    }
  }

  close(): void {
    this.#db.close();
  }

  #read(partition: number, fromOffset: number, maxBytes: number): PackedBatches {
    const from = Math.max(fromOffset, this.#firstOffset(partition));
    const rows: BatchRow[] = [];
    let byteLength = 0;
    let slabLength = 0;
    for (const found of this.#statements.rowsFrom.iterate(partition, from)) {
      const row = found as unknown as BatchRow;
      if (row.last_offset < from) continue;
      if (rows.length > 0 && byteLength + row.byte_length > maxBytes) break;
      rows.push(row);
      byteLength += row.byte_length;
      if (row.byte_length < OWN_BUFFER_BYTES) slabLength += row.byte_length;
    }
    const slab = new Uint8Array(slabLength);
    const buffers: ArrayBuffer[] = [];
    const fields = new Float64Array(rows.length * READ_FIELDS);
    let slabUsed = 0;
    let readCount = 0;
    for (const row of rows) {
      const bytes = this.#checkedBytes(partition, row);
      if (!bytes) {
        if (readCount === 0) throw new CorruptBatchError(partition, row.base_offset, row.last_offset);
        break;
      }
      if (bytes.length < OWN_BUFFER_BYTES) {
        slab.set(bytes, slabUsed);
        slabUsed += bytes.length;
      } else {
        buffers.push(bytes.buffer);
      }
      const at = readCount++ * READ_FIELDS;
      fields[at] = row.base_offset;
      fields[at + 1] = row.last_offset;
      fields[at + 2] = row.record_count;
      fields[at + 3] = row.max_timestamp;
      fields[at + 4] = bytes.length;
    }
    return { fields: fields.subarray(0, readCount * READ_FIELDS), slab: slab.buffer, buffers };
  }

  /** The bytes of a batch, or undefined if they are not what was written. */
  #checkedBytes(partition: number, row: BatchRow): Uint8Array<ArrayBuffer> | undefined {
    const bytes = this.#statements.bytes.get(row.bytes_id)?.bytes as Uint8Array<ArrayBuffer> | undefined;
    if (bytes?.length !== row.byte_length) return undefined;
    const checksum = batchChecksum(
      partition,
      row.base_offset,
      row.last_offset,
      row.record_count,
      row.max_timestamp,
      bytes,
    );
    return checksum === row.checksum ? bytes : undefined;
  }

  #batchForTime(partition: number, timestamp: number): BatchSpan | undefined {
    const statements = this.#statements;
    const firstOffset = this.#firstOffset(partition);
    const last = statements.lastRow.get(partition) as unknown as BatchRow | undefined;
    if (!last || last.running_timestamp < timestamp) return undefined;
    // The running timestamp never falls: halve the offsets until it begins to reach the time.
    let low = this.#rowAt(partition, firstOffset)?.base_offset ?? 0;
    let high = last.base_offset;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const row = this.#rowAt(partition, middle);
      if (row && row.running_timestamp >= timestamp) high = Math.max(low, row.base_offset);
      else low = middle + 1;
    }
    // The batch that raised it may be gone from the front, so look for one that reaches the time itself.
    const found = statements.rowForTime.get(partition, low, timestamp, firstOffset) as unknown as
      | BatchRow
      | undefined;
    return (
      found && {
        baseOffset: found.base_offset,
        lastOffset: found.last_offset,
        maxTimestamp: found.max_timestamp,
      }
    );
  }

  #offsetForSize(partition: number, keepBytes: number): number {
    let offset = this.#firstOffset(partition);
    let over = this.#sizeBytes(partition) - keepBytes;
    if (over <= 0) return offset;
    const from = offset;
    for (const found of this.#statements.rowsFrom.iterate(partition, from)) {
      const row = found as unknown as BatchRow;
      if (row.last_offset < from) continue;
      over -= row.byte_length;
      offset = row.last_offset + 1;
      if (over <= 0) break;
    }
    return offset;
  }

  /** The row that begins at or before an offset. */
  #rowAt(partition: number, offset: number): BatchRow | undefined {
    return this.#statements.rowAt.get(partition, offset) as unknown as BatchRow | undefined;
  }

  #firstOffset(partition: number): number {
    const row = this.#statements.firstOffset.get(partition);
    if (!row) throw noSuchPartition(partition);
    return row.first_offset as number;
  }
}

interface BatchRow {
  base_offset: number;
  last_offset: number;
  record_count: number;
  max_timestamp: number;
  running_timestamp: number;
  byte_length: number;
  checksum: number;
  bytes_id: number;
}

function prepare(db: DatabaseSync) {
  const row =
    'base_offset, last_offset, record_count, max_timestamp, running_timestamp, byte_length, checksum, bytes_id';
  return {
    begin: db.prepare('BEGIN'),
    end: db.prepare('ROLLBACK'),
    firstOffset: db.prepare('SELECT first_offset FROM partition WHERE id = ?'),
    /** From the row that begins at or before an offset, which may end before it. */
    rowsFrom: db.prepare(
      `SELECT ${row} FROM batch WHERE partition_id = ?1 AND base_offset >= coalesce(
         (SELECT max(base_offset) FROM batch WHERE partition_id = ?1 AND base_offset <= ?2), 0)
       ORDER BY base_offset`,
    ),
    rowAt: db.prepare(
      `SELECT ${row} FROM batch WHERE partition_id = ? AND base_offset <= ? ORDER BY base_offset DESC LIMIT 1`,
    ),
    lastRow: db.prepare(`SELECT ${row} FROM batch WHERE partition_id = ? ORDER BY base_offset DESC LIMIT 1`),
    rowForTime: db.prepare(
      `SELECT ${row} FROM batch WHERE partition_id = ? AND base_offset >= ? AND max_timestamp >= ?
         AND last_offset >= ? ORDER BY base_offset LIMIT 1`,
    ),
    bytes: db.prepare('SELECT bytes FROM batch_bytes WHERE id = ?'),
  };
}
