/**
 * A process that fills a log with records whose content follows from their offset, and compacts it all the time, until
 * it is killed: `node compacting.ts FOLDER`. Prints the next offset after each append that lasts, and `compacted` after
 * each compaction.
 */
import { pathToFileURL } from 'node:url';
import { buildBatch, type NewRecord } from '../../internal/batch/build.ts';
import { setBaseOffset } from '../../internal/batch/record-batch.ts';
import { Compactor } from '../../internal/log/compaction/compaction.ts';
import type { CompactionSettings } from '../../internal/log/compaction/passes.ts';
import { SqliteStore } from '../../internal/store/sqlite/sqlite-store.ts';

const KEYS = 300;
const CODECS = ['none', 'lz4', 'gzip', 'none'] as const;
export const TOPIC = 'compacting';
/** Tombstones go at once, so that a kill may come in the middle of that as well. */
export const SETTINGS: CompactionSettings = {
  minCleanableDirtyRatio: 0.2,
  minCompactionLagMs: 0,
  maxCompactionLagMs: Infinity,
  deleteRetentionMs: 0,
};

/** The record that has an offset: keys come again and again in no order, and every fifth record is a tombstone. */
export function recordAt(offset: number): NewRecord {
  const mixed = Math.imul(offset + 1, 0x9e37_79b1) >>> 7;
  const key = Buffer.from(`key ${mixed % KEYS}`);
  const value = mixed % 5 === 0 ? null : Buffer.from(`value at ${offset}`.padEnd(mixed % 200));
  return { timestamp: offset, key, value };
}

/** A batch of the records that have these offsets. */
export function batchAt(baseOffset: number, count: number) {
  const records = Array.from({ length: count }, (_, index) => recordAt(baseOffset + index));
  const bytes = buildBatch(records, { compression: CODECS[baseOffset % CODECS.length] });
  setBaseOffset(bytes, 0, baseOffset, 0);
  const lastOffset = baseOffset + count - 1;
  return { baseOffset, lastOffset, count, maxTimestamp: lastOffset, bytes };
}

/** Opens the store of a folder, with the one partition. */
export async function openStore(directory: string) {
  const store = new SqliteStore({ directory, fsync: 'os' });
  const state = await store.open();
  const name = TOPIC;
  const topicId = new Uint8Array(16);
  const topic =
    state.topics[0] ??
    (await store.createTopic({ name, topicId, configs: {}, partitionCount: 1, createdAtMs: 0 }));
  const { id, firstOffset, nextOffset, sizeBytes } = topic.partitions[0];
  const partition = {
    id,
    firstOffset,
    sizeBytes,
    highWatermark: nextOffset,
    readableEnd: () => partition.highWatermark,
    dropCached() {},
    noteGone(bytes: number) {
      partition.sizeBytes -= bytes;
    },
  };
  const compactor = new Compactor({ store, keysBytes: 4096, readBytes: 16_384 });
  return { store, partition, compactor };
}

async function run(directory: string): Promise<never> {
  const { store, partition, compactor } = await openStore(directory);
  const compactAgain = async (): Promise<never> => {
    for (;;) {
      const { outcome } = await compactor.compact(partition, SETTINGS, Date.now());
      if (outcome === 'done') process.stdout.write('compacted\n');
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  void compactAgain();
  for (;;) {
    const batch = batchAt(partition.highWatermark, 1 + (partition.highWatermark % 9));
    await store.append(partition.id, batch);
    partition.sizeBytes += batch.bytes.length;
    partition.highWatermark = batch.lastOffset + 1;
    process.stdout.write(`${partition.highWatermark}\n`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await run(process.argv[2]);
