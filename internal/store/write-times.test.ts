import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { asRecordBatch, writeKafkaDirectory } from '../../test/support/kafka-directory.ts';
import { KafkaDirectoryStore } from './kafka-directory/kafka-directory-store.ts';
import type { FsyncPolicy, LogStore } from './log-store.ts';
import { SqliteStore } from './sqlite/sqlite-store.ts';
import type { WriteTimes } from './write-times.ts';

const folders: string[] = [];

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'tinymq-times-'));
  folders.push(made);
  return made;
}

afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true });
});

type Open = (fsync: FsyncPolicy, times: WriteTimes) => LogStore;

const STORES: [string, Open][] = [
  ['SQLite', (fsync, times) => new SqliteStore({ directory: folder(), fsync, times })],
  [
    'a Kafka log directory',
    (fsync, times) => {
      const directory = folder();
      writeKafkaDirectory(directory);
      return new KafkaDirectoryStore({ directories: [directory], fsync, times });
    },
  ],
];

it.each(STORES)('%s says how long each group of changes took, and the disk for it', async (_, open) => {
  for (const fsync of ['commit', 'os'] as const) {
    const groups: number[] = [];
    const syncs: number[] = [];
    const store = open(fsync, {
      groups: { observe: (seconds) => groups.push(seconds) },
      syncs: { observe: (seconds) => syncs.push(seconds) },
    });
    await store.open();
    const topicId = new Uint8Array(16).fill(1);
    const topic = await store.createTopic({
      ...{ name: 't', topicId, configs: {}, partitionCount: 1, createdAtMs: 1 },
    });
    const before = groups.length;
    const batches = [0, 1, 2].map((offset) =>
      asRecordBatch({
        ...{ baseOffset: offset, lastOffset: offset, count: 1, maxTimestamp: 1 },
        bytes: new Uint8Array(50),
      }),
    );
    // In one turn, so that they are one group.
    await Promise.all(batches.map((batch) => store.append(topic.partitions[0]!.id, batch)));
    expect(groups).toHaveLength(before + 1);
    expect(Math.min(...groups)).toBeGreaterThan(0);
    expect(syncs.length > 0).toBe(fsync === 'commit');
    expect(syncs.every((seconds) => seconds >= 0 && seconds <= Math.max(...groups))).toBe(true);
    await store.close();
  }
});
