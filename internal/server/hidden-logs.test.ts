import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { LOGS_FOLDER } from '../store/data-folder/logs-folder.ts';
import { SqliteStore } from '../store/sqlite/sqlite-store.ts';
import { refuseHiddenLogs } from './hidden-logs.ts';
import { checkBounds } from './options.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-hidden-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a data folder of a node of a cluster', () => {
  it('is one without logs: none, an empty one, one with sessions', async () => {
    await refuseHiddenLogs(join(folder, 'none'));
    const directory = join(folder, 'empty');
    mkdirSync(join(directory, LOGS_FOLDER, '__consumer_offsets-0'), { recursive: true });
    const store = new SqliteStore({ directory, fsync: 'os' });
    await store.open();
    await store.close();
    await refuseHiddenLogs(directory);
  });

  it('is refused with logs in rows, which nobody would see', async () => {
    const directory = join(folder, 'rows');
    mkdirSync(directory);
    const store = new SqliteStore({ directory, fsync: 'os' });
    await store.open();
    const topicId = new Uint8Array(16).fill(7);
    await store.createTopic({ name: 't', topicId, configs: {}, partitionCount: 1, createdAtMs: 0 });
    await store.close();
    await expect(refuseHiddenLogs(directory)).rejects.toThrow(/has 1 log, .*tinymq logs import/);
  });

  it('is refused with logs in segment files', async () => {
    const directory = join(folder, 'segments');
    for (const name of ['a-0', 'a-1']) mkdirSync(join(directory, LOGS_FOLDER, name), { recursive: true });
    await expect(refuseHiddenLogs(directory)).rejects.toThrow(/has 2 logs, .*another -data-dir/);
  });
});

describe('options of a cluster', () => {
  const problemOf = (cluster: object, more: object = {}) => {
    try {
      checkBounds({ cluster: { servers: ['nats://localhost:4222'], ...cluster }, ...more });
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };

  it('are checked before anybody is asked', () => {
    expect(problemOf({})).toBeUndefined();
    expect(problemOf({ servers: [] })).toMatch(/names no server/);
    expect(problemOf({ servers: ['nats://user:secret@h:4222'] })).not.toMatch(/secret/);
    expect(problemOf({ servers: ['http://h:4222'] })).toMatch(/cluster.servers/);
    expect(problemOf({ name: 'a.b' })).toMatch(/cluster.name/);
    expect(problemOf({ fsync: 'never' })).toMatch(/cluster.fsync/);
    expect(problemOf({}, { kafkaLogDirs: { directories: ['/kafka'] } })).toMatch(/kafkaLogDirs/);
  });
});
