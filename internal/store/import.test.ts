import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type ImportProgress, importLogs } from './import.ts';
import type { LogStore, NewBatch, StoredBatch } from './log-store.ts';
import { MemoryStore } from './memory/memory-store.ts';
import { SqliteStore } from './sqlite/sqlite-store.ts';
import { CorruptBatchError, StoreUnavailableError } from './store-error.ts';

const ID = Uint8Array.from({ length: 16 }, (_, index) => index + 1);

const folders: string[] = [];
const opened: LogStore[] = [];

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

describe('an import', () => {
  it('copies topics, batches with their gaps, first and next offsets, and what groups committed', async () => {
    const { from, ids } = await source();
    const into = sqlite();
    const progress: ImportProgress[] = [];
    const result = await importLogs(from, into, (each) => progress.push({ ...each }));
    expect(result).toEqual({ topicCount: 1, batchCount: 3, groupCount: 1, damaged: [], unfinished: [] });
    expect(progress.at(-1)).toEqual({ topic: 'sensors', partition: 0, copiedBytes: 9, totalBytes: 9 });
    const state = await reopened(into);
    expect(state.topics).toHaveLength(1);
    const [topic] = state.topics;
    expect(topic).toMatchObject({
      name: 'sensors',
      topicId: ID,
      configs: { 'retention.ms': '-1' },
      createdAtMs: 9,
    });
    expect(topic.partitions).toMatchObject([
      { firstOffset: 3, nextOffset: 30, leaderEpoch: 5 },
      { firstOffset: 8, nextOffset: 8, leaderEpoch: 0 },
    ]);
    const store = opened.at(-1)!;
    expect(await store.read(topic.partitions[0].id, 0, 100)).toEqual(await from.read(ids[0], 0, 100));
    expect(state.groups).toEqual(new Map([['g', [commit(4)]]]));
  });

  it('that is asked for again changes nothing', async () => {
    const { from } = await source();
    const into = memory();
    await importLogs(from, into);
    const before = await into.open();
    const again = await importLogs(from, into);
    expect(again).toEqual({ topicCount: 1, batchCount: 0, groupCount: 0, damaged: [], unfinished: [] });
    expect(await into.open()).toEqual(before);
  });

  it('that was interrupted goes on where it was', async () => {
    const { from, ids } = await source();
    const into = new Interrupted();
    opened.push(into);
    await expect(importLogs(from, into)).rejects.toBeInstanceOf(StoreUnavailableError);
    into.appendsLeft = Infinity;
    expect(await importLogs(from, into)).toMatchObject({ batchCount: 2 });
    const { topics } = await into.open();
    expect(await into.read(topics[0].partitions[0].id, 0, 100)).toEqual(await from.read(ids[0], 0, 100));
  });

  it('refuses a topic that is another one, or that has grown, before it copies anything', async () => {
    const { from } = await source();
    const other = memory();
    await other.open();
    await other.createTopic({ ...newTopic('sensors', 1), topicId: new Uint8Array(16) });
    await expect(importLogs(from, other)).rejects.toMatchObject({ code: 'exists' });
    const grown = memory();
    await importLogs(from, grown);
    const { topics } = await grown.open();
    await grown.append(topics[0].partitions[0].id, batch(30, 1));
    await expect(importLogs(from, grown)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('leaves damaged batches out and says so', async () => {
    const { from } = await source(new Damaged());
    const into = memory();
    const result = await importLogs(from, into);
    expect(result).toMatchObject({
      batchCount: 2,
      damaged: [{ topic: 'sensors', partition: 0, baseOffset: 10, lastOffset: 11 }],
    });
    const { topics } = await into.open();
    const offsets = (await into.read(topics[0].partitions[0].id, 0, 100)).map(({ baseOffset }) => baseOffset);
    expect(offsets).toEqual([2, 20]);
  });
});

/** Offsets 2 to 29 with gaps, of which those before 3 were deleted; a partition that is empty; internal topics. */
async function source(from: MemoryStore = memory()): Promise<{ from: MemoryStore; ids: number[] }> {
  await from.open();
  const { partitions } = await from.createTopic({
    ...newTopic('sensors', 2),
    configs: { 'retention.ms': '-1' },
  });
  const ids = partitions.map(({ id }) => id);
  await from.createTopic({ ...newTopic('__consumer_offsets', 1), topicId: new Uint8Array(16) });
  for (const next of [batch(2, 3), batch(10, 2), batch(20, 5)]) {
    await from.skipTo(ids[0], next.baseOffset);
    await from.append(ids[0], next);
  }
  await from.skipTo(ids[0], 30);
  await from.deleteUntil(ids[0], 3);
  await from.setLeaderEpoch(ids[0], 5);
  await from.skipTo(ids[1], 8);
  await from.deleteUntil(ids[1], 8);
  await from.saveGroupOffsets('g', [commit(4)]);
  return { from, ids };
}

/** Fails after the first batch. */
class Interrupted extends MemoryStore {
  appendsLeft = 1;

  override async append(partition: number, batch: NewBatch): Promise<void> {
    if (this.appendsLeft-- <= 0) throw new StoreUnavailableError('failed', 'interrupted');
    await super.append(partition, batch);
  }

  override async skipTo(partition: number, offset: number): Promise<void> {
    if (this.appendsLeft <= 0) throw new StoreUnavailableError('failed', 'interrupted');
    await super.skipTo(partition, offset);
  }
}

/** The batch at offset 10 is damaged. */
class Damaged extends MemoryStore {
  override async read(partition: number, fromOffset: number, maxBytes: number): Promise<StoredBatch[]> {
    const batches = await super.read(partition, fromOffset, maxBytes);
    const at = batches.findIndex(({ baseOffset }) => baseOffset === 10);
    if (at === 0) throw new CorruptBatchError(partition, 10, 11);
    return at < 0 ? batches : batches.slice(0, at);
  }
}

function memory(): MemoryStore {
  const store = new MemoryStore();
  opened.push(store);
  return store;
}

function sqlite(): SqliteStore {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-import-'));
  folders.push(folder);
  const store = new SqliteStore({ directory: folder, fsync: 'os' });
  opened.push(store);
  return store;
}

async function reopened(store: SqliteStore) {
  await store.close();
  const again = new SqliteStore({ directory: folders.at(-1)!, fsync: 'os' });
  opened.push(again);
  return again.open();
}

function newTopic(name: string, partitionCount: number) {
  return { name, topicId: ID, configs: {}, partitionCount, createdAtMs: 9 };
}

function batch(baseOffset: number, count: number): NewBatch {
  return {
    baseOffset,
    lastOffset: baseOffset + count - 1,
    count,
    maxTimestamp: baseOffset,
    bytes: Uint8Array.of(baseOffset, 2, 3),
  };
}

function commit(offset: number) {
  return { topic: 'sensors', partition: 0, offset, leaderEpoch: -1, metadata: '', committedAtMs: 5 };
}
