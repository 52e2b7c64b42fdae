import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { LogStore, StoredState } from '../../internal/store/log-store.ts';
import { encodeProducer } from '../../internal/store/producer-state.ts';
import { SqliteStore } from '../../internal/store/sqlite/sqlite-store.ts';
import { asRecordBatch } from './kafka-directory.ts';

/** What a folder of an older version is to hold. */
export interface OlderLogs {
  topics: number;
  /** In each of two partitions. */
  batches: number;
  batchBytes: number;
}

/** Makes a data folder as versions with format 4 of the store had it: batches, producers, gaps and groups are in SQLite. */
export async function makeOlderFolder(directory: string, logs: OlderLogs): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const store = new SqliteStore({ directory, fsync: 'os' });
  await store.open();
  for (let at = 0; at < logs.topics; at++) await fillTopic(store, at, logs);
  const commit = { partition: 0, offset: 4, leaderEpoch: 0, metadata: 'm', committedAtMs: 6 };
  await store.saveGroupOffsets('readers', [{ topic: 'topic0', ...commit }]);
  await store.saveGroupMembers('readers', Uint8Array.of(9));
  await store.putEntries([{ key: 'x/one', value: Uint8Array.of(4) }]);
  await store.close();
  const db = new DatabaseSync(join(directory, 'tinymq.db'));
  db.exec('PRAGMA user_version = 4');
  db.close();
}

async function fillTopic(store: SqliteStore, at: number, { batches, batchBytes }: OlderLogs): Promise<void> {
  const { partitions } = await store.createTopic({
    ...{ name: `topic${at}`, topicId: new Uint8Array(16).fill(at + 1), configs: {} },
    ...{ createdAtMs: 5, partitionCount: 2 },
  });
  for (const { id, number } of partitions) {
    const appends: Promise<void>[] = [];
    for (let offset = 0; offset < batches; offset++) {
      const bytes = new Uint8Array(batchBytes).fill(offset + number);
      const state = encodeProducer({
        ...{ epoch: 0, lastSeenMs: offset },
        batches: [{ firstSequence: offset, lastSequence: offset, baseOffset: offset }],
      });
      appends.push(
        store.append(id, {
          ...asRecordBatch({
            ...{ baseOffset: offset, lastOffset: offset, count: 1, maxTimestamp: 1_000 + offset, bytes },
          }),
          producer: { id: 5n, state },
        }),
      );
    }
    await Promise.all(appends);
    // As compaction and DeleteRecords leave it.
    if (batches > 6) await store.replace(id, 3, 5, []);
    await store.deleteUntil(id, 2);
  }
}

/** All that is in a store, in a form that is the same wherever it lies. */
export async function contentOf(store: LogStore, state: StoredState): Promise<unknown> {
  const topics = [];
  for (const { partitions, ...topic } of state.topics) {
    const all = [];
    for (const { id, transactions: _, maxTimestamp: __, ...partition } of partitions) {
      const batches = [];
      for (let from = 0; ; ) {
        const some = await store.read(id, from, 8e6);
        if (some.length === 0) break;
        for (const { bytes, ...batch } of some)
          batches.push({ ...batch, bytes: Buffer.from(bytes).toString('base64') });
        from = some.at(-1)!.lastOffset + 1;
      }
      all.push({ ...partition, batches });
    }
    topics.push({ ...topic, partitions: all });
  }
  return { topics, groups: state.groups, groupMembers: state.groupMembers };
}
