import { storeSweepBatches, storeSweepBytes } from '../../limits/store.ts';
import {
  checkFirst,
  checkNext,
  checkReplaced,
  checkSkip,
  noSuchPartition,
  reachesOver,
} from '../batch-rules.ts';
import type { NewBatch, StoredPartition } from '../log-store.ts';
import { batchChecksum, batchPlaceChecksum } from './checksum.ts';
import { LAST_PARTITION } from './schema.ts';
import type { PartitionRow } from './state.ts';
import type { BatchRow, WriteStatements } from './statements.ts';

/** The batches of all partitions, on the side that writes. It knows the ends of each, so that an append looks nothing up. */
export class PartitionBatches {
  readonly #statements: WriteStatements;
  readonly #partitions = new Map<number, PartitionRow>();
  /** Partitions with batches below their first offset, and those whose topic is gone. */
  readonly #toSweep: Set<number>;
  #lastBytesId: number;

  /** @param toSweep partitions of which there is something to delete. */
  constructor(statements: WriteStatements, rows: readonly PartitionRow[], toSweep: Iterable<number>) {
    this.#statements = statements;
    for (const row of rows) this.#partitions.set(row.id, row);
    this.#toSweep = new Set(toSweep);
    this.#lastBytesId = (statements.lastBytesId.get()!.id as number | null) ?? 0;
  }

  /** @throws StoreError `not-found` */
  partition(id: number): PartitionRow {
    const partition = this.#partitions.get(id);
    if (!partition) throw noSuchPartition(id);
    return partition;
  }

  /** Appends a batch; `at` is the place of its fields. Returns the number of its partition. @throws StoreError */
  append(appends: Float64Array, at: number, bytes: Uint8Array): number {
    const partition = this.partition(appends[at]!);
    const baseOffset = appends[at + 1]!;
    const lastOffset = appends[at + 2]!;
    const maxTimestamp = appends[at + 4]!;
    checkNext(baseOffset, partition.nextOffset);
    partition.nextOffset = lastOffset + 1;
    partition.runningBytes += bytes.length;
    if (maxTimestamp > partition.maxTimestamp) partition.maxTimestamp = maxTimestamp;
    const batch = { baseOffset, lastOffset, count: appends[at + 3]!, maxTimestamp, bytes };
    this.#insert(partition.id, batch, partition.maxTimestamp, partition.runningBytes);
    return partition.id;
  }

  /** Adds partitions to a topic that has `before` of them. */
  grow(topic: string, before: number, partitionCount: number): StoredPartition[] {
    const added: StoredPartition[] = [];
    for (let number = before; number < partitionCount; number++) {
      const id = Number(this.#statements.insertPartition.run(topic, number).lastInsertRowid);
      this.#statements.sealPartition.run(id);
      this.#statements.putMeta.run(LAST_PARTITION, Buffer.from(String(id)));
      const ends = { firstOffset: 0, nextOffset: 0, maxTimestamp: -1 };
      this.#partitions.set(id, { id, ...ends, runningBytes: 0, sweptBytes: 0, replacedBytes: 0 });
      added.push({ id, number, ...ends, leaderEpoch: 0, sizeBytes: 0, producers: [] });
    }
    return added;
  }

  /** Its topic is gone; the batches follow step by step. */
  remove(id: number): void {
    this.#statements.doom.run(id);
    this.#statements.deleteProducers.run(id);
    this.#partitions.delete(id);
    this.#toSweep.add(id);
  }

  /** @throws StoreError `not-found`, `invalid` */
  skipTo(id: number, offset: number): void {
    const partition = this.partition(id);
    checkSkip(offset, partition.nextOffset);
    partition.nextOffset = offset;
    this.#saveEnds(partition);
  }

  /** Returns the bytes of what goes. @throws StoreError `not-found`, `invalid` */
  deleteUntil(id: number, offset: number): number {
    const partition = this.partition(id);
    const { firstOffset } = partition;
    checkFirst(offset, partition.nextOffset);
    if (offset <= firstOffset) return 0;
    const { bytes } = this.#statements.bytesBetween.get(id, firstOffset, offset) as { bytes: number };
    partition.firstOffset = offset;
    this.#saveEnds(partition);
    this.#toSweep.add(partition.id);
    return bytes;
  }

  /** Returns how many bytes fewer there are. @throws StoreError `not-found`, `conflict`, `invalid` */
  replace(id: number, fromOffset: number, toOffset: number, batches: NewBatch[]): number {
    const partition = this.partition(id);
    const statements = this.#statements;
    checkReplaced(toOffset, batches, partition);
    const replaced = statements.range.all(
      partition.id,
      toOffset,
      fromOffset,
      partition.firstOffset,
    ) as unknown as BatchRow[];
    const partly = replaced.find((row) => row.base_offset < fromOffset || row.last_offset > toOffset);
    if (partly) throw reachesOver(partly.base_offset, partly.last_offset);
    const before = statements.rowBefore.get(partition.id, fromOffset) as unknown as BatchRow | undefined;
    let runningBytes = before?.running_bytes ?? partition.sweptBytes;
    let runningTimestamp = before?.running_timestamp ?? -1;
    const { replacedBytes } = partition;
    for (const row of replaced) {
      this.#deleteRow(partition.id, row);
      partition.replacedBytes += row.byte_length;
    }
    for (const batch of batches) {
      runningBytes += batch.bytes.length;
      runningTimestamp = Math.max(runningTimestamp, batch.maxTimestamp);
      partition.replacedBytes -= batch.bytes.length;
      this.#insert(partition.id, batch, runningTimestamp, runningBytes);
    }
    // The running timestamp never falls, so the next row says whether any is to be raised; looking at all takes long.
    const after = statements.rowAfter.get(partition.id, toOffset) as unknown as BatchRow | undefined;
    if (after !== undefined && after.running_timestamp < runningTimestamp) {
      statements.raiseTimestamps.run(runningTimestamp, partition.id, toOffset);
    }
    partition.maxTimestamp = Math.max(partition.maxTimestamp, runningTimestamp);
    this.#saveEnds(partition);
    return partition.replacedBytes - replacedBytes;
  }

  /** True if there are batches that are no longer of any partition. */
  get hasToSweep(): boolean {
    return this.#toSweep.size > 0;
  }

  /** Deletes some of them. */
  sweep(): void {
    const [id] = this.#toSweep;
    if (id !== undefined && this.#sweepPartition(id)) this.#toSweep.delete(id);
  }

  #insert(
    partition: number,
    { baseOffset, lastOffset, count, maxTimestamp, bytes }: NewBatch,
    runningTimestamp: number,
    runningBytes: number,
  ): void {
    const checksum = batchChecksum(partition, baseOffset, lastOffset, count, maxTimestamp, bytes);
    const bytesId = ++this.#lastBytesId;
    this.#statements.insertBytes.run(bytesId, bytes);
    this.#statements.insertBatch.run(
      partition,
      baseOffset,
      lastOffset,
      count,
      maxTimestamp,
      runningTimestamp,
      runningBytes,
      bytes.length,
      checksum,
      bytesId,
      batchPlaceChecksum(runningTimestamp, runningBytes, bytes.length, checksum, bytesId, baseOffset),
    );
  }

  /** One step of deleting what is no longer of a partition. @returns whether nothing is left to delete */
  #sweepPartition(id: number): boolean {
    const statements = this.#statements;
    const partition = this.#partitions.get(id);
    const until = partition?.firstOffset ?? Number.MAX_SAFE_INTEGER;
    let rows = 0;
    let bytes = 0;
    for (const row of statements.swept.all(id, until, storeSweepBatches) as unknown as BatchRow[]) {
      this.#deleteRow(id, row);
      rows++;
      bytes += row.byte_length;
      if (bytes >= storeSweepBytes) break;
    }
    const next = statements.firstRow.get(id) as unknown as BatchRow | undefined;
    if (!partition) {
      if (!next) statements.undoom.run(id);
      return !next;
    }
    const sweptBytes = next ? next.running_bytes - next.byte_length : partition.runningBytes;
    partition.replacedBytes -= sweptBytes - partition.sweptBytes - bytes;
    partition.sweptBytes = sweptBytes;
    if (rows > 0) this.#saveEnds(partition);
    return !next || next.last_offset >= until;
  }

  #deleteRow(partition: number, row: BatchRow): void {
    deleteRow(this.#statements, partition, row);
  }

  #saveEnds(partition: PartitionRow): void {
    this.#statements.saveEnds.run(
      partition.firstOffset,
      partition.nextOffset,
      partition.maxTimestamp,
      partition.runningBytes,
      partition.sweptBytes,
      partition.replacedBytes,
      partition.id,
    );
  }
}

/** Deletes the batches of partitions from an offset on. */
export function discard(statements: WriteStatements, keepUntil: ReadonlyMap<number, number>): void {
  for (const [partition, offset] of keepUntil) {
    for (const row of statements.rowsFrom.all(partition, offset) as unknown as BatchRow[]) {
      deleteRow(statements, partition, row);
    }
  }
}

function deleteRow(statements: WriteStatements, partition: number, row: BatchRow): void {
  statements.deleteBytes.run(row.bytes_id);
  statements.deleteBatch.run(partition, row.base_offset);
}
