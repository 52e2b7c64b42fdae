import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { foldersOfStores } from '../../../test/support/folders-of-stores.ts';
import { asRecordBatch } from '../../../test/support/kafka-directory.ts';
import type { LogStore, StoredState } from '../log-store.ts';
import { SqliteStore } from '../sqlite/sqlite-store.ts';
import type { ConversionEvent } from './convert.ts';
import { DataFolderStore } from './data-folder-store.ts';

const { folders, opened, newFolder } = foldersOfStores('tinymq-convert-');

const batch = (baseOffset: number, bytes = 100, count = 1) =>
  asRecordBatch({
    ...{ baseOffset, lastOffset: baseOffset + count - 1, count },
    ...{ maxTimestamp: 1_000 + baseOffset, bytes: new Uint8Array(bytes).fill(7) },
  });

/** A folder as a version had it that kept all in SQLite: with gaps, deleted batches, producers, groups and values. */
async function olderFolder(topicCount = 1): Promise<string> {
  const directory = newFolder();
  const store = new SqliteStore({ directory, fsync: 'os' });
  await store.open();
  for (let at = 0; at < topicCount; at++) {
    const topicId = new Uint8Array(16).fill(at + 1);
    const configs = { 'retention.ms': String(at) };
    const { partitions } = await store.createTopic({
      ...{ name: `topic${at}`, topicId, configs, createdAtMs: 5, partitionCount: 2 },
    });
    const [{ id }, other] = [partitions[0]!, partitions[1]!];
    const producer = { id: 5n, state: Uint8Array.of(1, 2) };
    for (let offset = 0; offset < 10; offset++) await store.append(id, { ...batch(offset), producer });
    await store.replace(id, 3, 5, [batch(4)]);
    await store.replace(id, 7, 9, [batch(8)]);
    await store.deleteUntil(id, 2);
    await store.setLeaderEpoch(id, 3);
    await store.skipTo(other.id, 40);
    await store.deleteUntil(other.id, 40);
  }
  const commit = { partition: 0, offset: 4, leaderEpoch: 3, metadata: 'm', committedAtMs: 6 };
  await store.saveGroupOffsets('g', [
    { topic: 'topic0', ...commit },
    { topic: 'elsewhere', ...commit },
  ]);
  await store.saveGroupMembers('g', Uint8Array.of(9));
  await store.putMeta('meta', Uint8Array.of(3));
  await store.putEntries([{ key: 's/one', value: Uint8Array.of(4) }]);
  await store.close();
  return directory;
}

async function open(directory: string, onConversion?: (told: ConversionEvent) => void) {
  const store = new DataFolderStore({ directory, fsync: 'os', onConversion, segmentBytes: 1_000 });
  opened.push(store);
  return { store, state: await store.open() };
}

/** What is in a store, as far as it has to be the same in both forms: numbers of partitions are not. */
async function contentOf(store: LogStore, { topics, groups, groupMembers }: StoredState) {
  const kept = [];
  for (const { partitions, ...topic } of topics) {
    const all = [];
    for (const { id, transactions: _, maxTimestamp: __, ...partition } of partitions) {
      const batches = (await store.read(id, 0, 1e9)).map(({ bytes, ...each }) => ({
        ...each,
        bytes: Buffer.from(bytes).toString('hex'),
      }));
      all.push({ ...partition, batches });
    }
    kept.push({ ...topic, partitions: all });
  }
  return { kept, groups, groupMembers, meta: await store.getMeta('meta') };
}

async function olderContent(directory: string) {
  const store = new SqliteStore({ directory, fsync: 'os' });
  const content = await contentOf(store, await store.open());
  await store.close();
  return content;
}

describe('a folder of an older version', () => {
  it('is converted when it is opened, with all that is in it', async () => {
    const directory = await olderFolder(3);
    const before = await olderContent(directory);
    const told: ConversionEvent[] = [];
    const { store, state } = await open(directory, (each) => told.push(each));
    expect(await contentOf(store, state)).toEqual(before);
    expect(await store.readEntries('', 1e6)).toEqual([{ key: 's/one', value: Uint8Array.of(4) }]);
    expect(told.at(-1)).toMatchObject({ kind: 'converted', topicCount: 3, batchCount: 12 });
    expect(told.filter(({ kind }) => kind === 'converting')).not.toEqual([]);
    await store.close();
    // Once: what was written since is not touched by an older store that is still there.
    const again = await open(directory, (each) => told.push({ ...each, kind: 'again' as never }));
    expect(await contentOf(again.store, again.state)).toEqual(before);
    expect(told.filter(({ kind }) => kind === ('again' as never))).toEqual([]);
    const { id } = again.state.topics[0]!.partitions[0]!;
    await again.store.append(id, batch(10));
    await again.store.close();
    const { state: last } = await open(directory);
    expect(last.topics[0]!.partitions[0]).toMatchObject({ firstOffset: 2, nextOffset: 11, leaderEpoch: 3 });
  });

  // A compacted log has thousands of gaps; a segment for each would be thousands of files.
  it('gets no segment for a gap', async () => {
    const { store } = await open(await olderFolder());
    await store.close();
    const files = readdirSync(join(folders[0]!, 'logs', 'topic0-0'));
    expect(files.filter((name) => name.endsWith('.log'))).toHaveLength(2);
  });

  it('is converted anew where a crash ended that, and never twice', async () => {
    const directory = await olderFolder(2);
    const before = await olderContent(directory);
    // Killed in the middle: something is in the folder that is being made.
    mkdirSync(join(directory, 'logs.converting', 'topic0-0'), { recursive: true });
    await cp(join(directory, 'tinymq.db'), join(directory, 'logs.converting', 'meta.properties'));
    const saved = newFolder();
    await cp(directory, saved, { recursive: true });
    const { store, state } = await open(directory);
    expect(await contentOf(store, state)).toEqual(before);
    await store.close();
    expect(existsSync(join(directory, 'logs.converting'))).toBe(false);
    // Killed after the new folder had its name, and before the batches were gone from SQLite.
    await cp(join(directory, 'logs'), join(saved, 'logs'), { recursive: true });
    const told: ConversionEvent[] = [];
    const after = await open(saved, (each) => told.push(each));
    expect(told).toEqual([]);
    expect(await contentOf(after.store, after.state)).toEqual(before);
    await after.store.close();
    expect((await olderContent(saved)).kept).toEqual([]);
  });

  describe('of which a start has copied a part', () => {
    /** Leaves a copy that was ended behind so many pieces, as a crash does. */
    async function begun(pieces: number): Promise<string> {
      const directory = await olderFolder(6);
      const left = newFolder();
      let seen = 0;
      await open(directory, ({ kind }) => {
        if (kind === 'converting' && ++seen === pieces) cpSync(directory, left, { recursive: true });
      });
      return left;
    }

    it('goes on behind that', async () => {
      const directory = await begun(4);
      const before = await olderContent(directory);
      const told: ConversionEvent[] = [];
      const { store, state } = await open(directory, (each) => told.push(each));
      const [first] = told;
      expect(first).toMatchObject({ kind: 'begins' });
      const { copiedBytes, totalBytes } = first as Extract<ConversionEvent, { kind: 'begins' }>;
      expect(copiedBytes).toBeGreaterThan(totalBytes / 3);
      expect(told.at(-1)).toMatchObject({ kind: 'converted' });
      expect((told.at(-1) as { batchCount: number }).batchCount).toBeLessThan(24 - 4);
      expect(await contentOf(store, state)).toEqual(before);
    });

    it('copies a topic again of which something is missing before its end', async () => {
      const directory = await begun(4);
      const before = await olderContent(directory);
      // As a crash leaves batches that lay in two segments: those in the second are there, and not all in the first.
      const folder = join(directory, 'logs.converting', 'topic0-0');
      const [segment] = readdirSync(folder).filter((name) => name.endsWith('.log'));
      truncateSync(join(folder, segment!), 200);
      const { store, state } = await open(directory);
      expect(await contentOf(store, state)).toEqual(before);
    });

    it('begins anew where that is of another store', async () => {
      const [directory, other] = [await begun(4), await begun(2)];
      const before = await olderContent(directory);
      rmSync(join(directory, 'logs.converting'), { recursive: true });
      cpSync(join(other, 'logs.converting'), join(directory, 'logs.converting'), { recursive: true });
      const told: ConversionEvent[] = [];
      const { store, state } = await open(directory, (each) => told.push(each));
      expect(told[0]).toMatchObject({ kind: 'begins', copiedBytes: 0 });
      expect(await contentOf(store, state)).toEqual(before);
    });
  });

  it('is refused where there are two stores with logs, and nothing of either goes', async () => {
    const directory = await olderFolder();
    const other = newFolder();
    await (await open(other)).store.close();
    await cp(join(other, 'logs'), join(directory, 'logs'), { recursive: true });
    const before = await olderContent(directory);
    await expect(open(directory)).rejects.toMatchObject({ code: 'unsupported' });
    expect(await olderContent(directory)).toEqual(before);
  });
});
