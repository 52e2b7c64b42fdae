import type { DatabaseSync } from 'node:sqlite';
import {
  storeFreeBytesKept,
  storeSweepBatches,
  storeSweepBytes,
  storeVacuumPages,
} from '../../limits/store.ts';
import {
  checkFirst,
  checkMorePartitions,
  checkNext,
  checkReplaced,
  checkSkip,
  noSuchPartition,
  noSuchTopic,
  reachesOver,
  topicExists,
} from '../batch-rules.ts';
import { type Entry, type PackedEntries, packEntries } from '../entry-store.ts';
import { groupMembersKey } from '../group-members.ts';
import type { NewBatch, StoredPartition, StoredState, StoredTopic } from '../log-store.ts';
import { StoreError } from '../store-error.ts';
import { batchChecksum } from './checksum.ts';
import { closeQuietly } from './files.ts';
import { APPEND_FIELDS, type Change, type Outcome, type WriteTransaction } from './messages.ts';
import { PAGE_BYTES, pragma } from './schema.ts';
import { loadState, type PartitionRow } from './state.ts';
import { type BatchRow, prepareWrites, type WriteStatements } from './statements.ts';

/**
 * The side of the store that changes the file, one transaction per group. It knows the ends of all partitions, so that
 * an append looks nothing up. After an error that is not a refusal it must be closed: what it knows may be wrong then.
 */
export class SqliteWriter {
  readonly #db: DatabaseSync;
  readonly #statements: WriteStatements;
  readonly #partitions = new Map<number, PartitionRow>();
  /** Partitions with batches below their first offset, and those whose topic is gone. */
  readonly #toSweep = new Set<number>();
  /** Whether something other than appends happened since it was last seen how much room is free. */
  #mayHaveFreePages = true;
  #lastBytesId: number;

  /** The stored state, as it was when this writer began. */
  readonly state: StoredState;

  /**
   * @param db a connection from `openForWriting`; this owns it now
   * @param keepUntil partitions whose batches from an offset on were never acknowledged, and go
   * @throws errors of SQLite
   */
  constructor(db: DatabaseSync, keepUntil: Map<number, number>) {
    this.#db = db;
    // Until everything is in the main file, a page of the write-ahead log that the disk lost once may be lost again.
    const { busy } = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number };
    if (busy !== 0) throw new Error('the write-ahead log is in use');
    this.#statements = prepareWrites(db);
    this.#discard(keepUntil);
    const { state, rows, toSweep } = loadState(db);
    this.state = state;
    for (const row of rows) this.#partitions.set(row.id, row);
    for (const id of toSweep) this.#toSweep.add(id);
    this.#lastBytesId = (this.#statements.lastBytesId.get()!.id as number | null) ?? 0;
  }

  /** Makes the changes of a group last, all in one transaction. @throws errors of SQLite: then none of it lasts */
  apply(group: WriteTransaction): Outcome[] {
    const outcomes: Outcome[] = [];
    const { appends, slab, producers, changes } = group;
    let field = 0;
    let byte = 0;
    let producer = 0;
    let change = 0;
    this.#statements.begin.run();
    for (let position = 0; position < group.changeCount; position++) {
      try {
        if (changes[change]?.position === position) {
          const answer = this.#change(changes[change++].change);
          if (answer !== undefined) outcomes.push({ position, kind: 'answered', answer });
          continue;
        }
        const at = field;
        const bytes = new Uint8Array(slab, byte, appends[at + 5]);
        field += APPEND_FIELDS;
        byte += bytes.length;
        const from = appends[at + 6] === 1 ? producers[producer++] : undefined;
        const partition = this.#append(appends, at, bytes);
        if (from) this.#statements.saveProducer.run(partition, from.id, from.state);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        outcomes.push({ position, kind: 'refused', refusal: { code: error.code, message: error.message } });
      }
    }
    this.#statements.commit.run();
    return outcomes;
  }

  /**
   * Gives back a little of the space of deleted batches: first for the next appends; what is free beyond
   * `storeFreeBytesKept` goes back to the file system. @returns whether there is more to do
   */
  sweep(): boolean {
    const [partition] = this.#toSweep;
    if (partition !== undefined) {
      this.#statements.begin.run();
      const isClean = this.#sweepPartition(partition);
      this.#statements.commit.run();
      if (isClean) this.#toSweep.delete(partition);
      this.#mayHaveFreePages = true;
      return true;
    }
    if (!this.#mayHaveFreePages) return false;
    const freePages = pragma(this.#db, 'freelist_count') - storeFreeBytesKept / PAGE_BYTES;
    this.#mayHaveFreePages = freePages > 0;
    if (freePages <= 0) return false;
    this.#db.exec(`PRAGMA incremental_vacuum(${Math.min(freePages, storeVacuumPages)})`);
    return true;
  }

  close(): void {
    closeQuietly(this.#db);
  }

  #append(appends: Float64Array, at: number, bytes: Uint8Array): number {
    const partition = this.#partition(appends[at]);
    const baseOffset = appends[at + 1];
    const lastOffset = appends[at + 2];
    const maxTimestamp = appends[at + 4];
    checkNext(baseOffset, partition.nextOffset);
    partition.nextOffset = lastOffset + 1;
    partition.runningBytes += bytes.length;
    if (maxTimestamp > partition.maxTimestamp) partition.maxTimestamp = maxTimestamp;
    this.#insert(
      partition.id,
      baseOffset,
      lastOffset,
      appends[at + 3],
      maxTimestamp,
      partition.maxTimestamp,
      partition.runningBytes,
      bytes,
    );
    return partition.id;
  }

  #insert(
    partition: number,
    baseOffset: number,
    lastOffset: number,
    count: number,
    maxTimestamp: number,
    runningTimestamp: number,
    runningBytes: number,
    bytes: Uint8Array,
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
    );
  }

  #change(change: Change): unknown {
    this.#mayHaveFreePages = true;
    const statements = this.#statements;
    switch (change.kind) {
      case 'create-topic': {
        const { name, topicId, configs, createdAtMs, partitionCount } = change.topic;
        if (statements.topic.get(name)) throw topicExists(name);
        statements.insertTopic.run(name, topicId, JSON.stringify(configs), createdAtMs);
        const partitions = this.#grow(name, 0, partitionCount);
        return { name, topicId, configs, createdAtMs, partitions } satisfies StoredTopic;
      }
      case 'alter-topic':
        this.#checkTopic(change.name);
        statements.alterTopic.run(JSON.stringify(change.configs), change.name);
        return;
      case 'add-partitions': {
        this.#checkTopic(change.name);
        const before = statements.partitionCount.get(change.name)!.count as number;
        checkMorePartitions(change.name, before, change.partitionCount);
        return this.#grow(change.name, before, change.partitionCount);
      }
      case 'delete-topic':
        this.#checkTopic(change.name);
        for (const { id } of statements.partitionIds.all(change.name) as { id: number }[]) {
          statements.doom.run(id);
          statements.deleteProducers.run(id);
          this.#partitions.delete(id);
          this.#toSweep.add(id);
        }
        statements.deletePartitions.run(change.name);
        statements.deleteTopic.run(change.name);
        statements.deleteTopicOffsets.run(change.name);
        return;
      case 'leader-epoch':
        statements.leaderEpoch.run(change.leaderEpoch, this.#partition(change.partition).id);
        return;
      case 'skip-to':
        this.#skipTo(this.#partition(change.partition), change.offset);
        return;
      case 'delete-until':
        this.#deleteUntil(this.#partition(change.partition), change.offset);
        return;
      case 'replace':
        this.#replace(this.#partition(change.partition), change.fromOffset, change.toOffset, change.batches);
        return;
      case 'forget-producers':
        for (const id of change.producerIds) {
          statements.deleteProducer.run(this.#partition(change.partition).id, id);
        }
        return;
      case 'save-group':
        for (const entry of change.offsets) {
          const { topic, partition, offset, leaderEpoch, metadata, committedAtMs } = entry;
          statements.saveOffset.run(
            change.group,
            topic,
            partition,
            offset,
            leaderEpoch,
            metadata,
            committedAtMs,
          );
        }
        return;
      case 'delete-group-offsets':
        for (const { topic, partition } of change.partitions) {
          statements.deleteOffset.run(change.group, topic, partition);
        }
        return;
      case 'delete-group':
        statements.deleteGroup.run(change.group);
        statements.deleteMeta.run(groupMembersKey(change.group));
        return;
      case 'put-meta':
        if (change.value === undefined) statements.deleteMeta.run(change.key);
        else statements.putMeta.run(change.key, change.value);
        return;
      case 'put-entries':
        this.#putEntries(change.entries);
        return;
      case 'get-meta':
        return statements.meta.get(change.key)?.value;
      case 'entries':
        return packEntries(this.#entries(change.after, change.maxBytes));
      case 'barrier':
        return;
    }
  }

  #entries(after: string, maxBytes: number): Entry[] {
    const entries: Entry[] = [];
    let byteLength = 0;
    for (const row of this.#statements.entriesAfter.iterate(after)) {
      const entry = row as unknown as Entry;
      byteLength += entry.value.length;
      if (entries.length > 0 && byteLength > maxBytes) break;
      entries.push(entry);
    }
    return entries;
  }

  #putEntries({ keys, lengths, values }: PackedEntries): void {
    let at = 0;
    for (const [index, key] of keys.entries()) {
      const length = lengths[index];
      if (length < 0) {
        this.#statements.deleteEntry.run(key);
        continue;
      }
      this.#statements.putEntry.run(key, values.subarray(at, at + length));
      at += length;
    }
  }

  #grow(topic: string, before: number, partitionCount: number): StoredPartition[] {
    const added: StoredPartition[] = [];
    for (let number = before; number < partitionCount; number++) {
      const id = Number(this.#statements.insertPartition.run(topic, number).lastInsertRowid);
      const ends = { firstOffset: 0, nextOffset: 0, maxTimestamp: -1 };
      this.#partitions.set(id, { id, ...ends, runningBytes: 0, sweptBytes: 0, replacedBytes: 0 });
      added.push({ id, number, ...ends, leaderEpoch: 0, sizeBytes: 0, producers: [] });
    }
    return added;
  }

  #skipTo(partition: PartitionRow, offset: number): void {
    checkSkip(offset, partition.nextOffset);
    partition.nextOffset = offset;
    this.#saveEnds(partition);
  }

  #deleteUntil(partition: PartitionRow, offset: number): void {
    checkFirst(offset, partition.nextOffset);
    if (offset <= partition.firstOffset) return;
    partition.firstOffset = offset;
    this.#saveEnds(partition);
    this.#toSweep.add(partition.id);
  }

  #replace(partition: PartitionRow, fromOffset: number, toOffset: number, batches: NewBatch[]): void {
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
    for (const row of replaced) {
      this.#deleteRow(partition.id, row);
      partition.replacedBytes += row.byte_length;
    }
    for (const { baseOffset, lastOffset, count, maxTimestamp, bytes } of batches) {
      runningBytes += bytes.length;
      runningTimestamp = Math.max(runningTimestamp, maxTimestamp);
      partition.replacedBytes -= bytes.length;
      this.#insert(
        partition.id,
        baseOffset,
        lastOffset,
        count,
        maxTimestamp,
        runningTimestamp,
        runningBytes,
        bytes,
      );
    }
    // The running timestamp never falls, so the next row says whether any is to be raised; looking at all takes long.
    const after = statements.rowAfter.get(partition.id, toOffset) as unknown as BatchRow | undefined;
    if (after !== undefined && after.running_timestamp < runningTimestamp) {
      statements.raiseTimestamps.run(runningTimestamp, partition.id, toOffset, runningTimestamp);
    }
    partition.maxTimestamp = Math.max(partition.maxTimestamp, runningTimestamp);
    this.#saveEnds(partition);
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
    this.#statements.deleteBytes.run(row.bytes_id);
    this.#statements.deleteBatch.run(partition, row.base_offset);
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

  #discard(keepUntil: Map<number, number>): void {
    this.#statements.begin.run();
    for (const [partition, offset] of keepUntil) {
      for (const row of this.#statements.rowsFrom.all(partition, offset) as unknown as BatchRow[]) {
        this.#deleteRow(partition, row);
      }
    }
    this.#statements.commit.run();
  }

  #partition(id: number): PartitionRow {
    const partition = this.#partitions.get(id);
    if (!partition) throw noSuchPartition(id);
    return partition;
  }

  #checkTopic(name: string): void {
    if (!this.#statements.topic.get(name)) throw noSuchTopic(name);
  }
}
