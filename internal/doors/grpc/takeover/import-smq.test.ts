import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLogs } from '../../../../test/support/logs.ts';
import { TryingStore } from '../../../../test/support/trying-store.ts';
import type { Logs } from '../../../log/logs.ts';
import { RecordFeed } from '../smq/record-feed.ts';
import { IMPORT_CONFIG, importSmq } from './import-smq.ts';

let folder: string;
let file: string;
let logs: Logs;
let store: TryingStore;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tinymq-import-'));
  file = join(folder, 'dbtest.db');
  store = new TryingStore();
  ({ logs } = await openLogs({}, store));
});
afterEach(async () => {
  await logs.close();
  rmSync(folder, { recursive: true });
});

/** A database as the original's server makes it. */
function original(fill: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(file);
  database.exec('PRAGMA auto_vacuum = FULL; PRAGMA journal_mode = WAL');
  fill(database);
  database.close();
}

function topic(database: DatabaseSync, name: string, messages: readonly (string | Uint8Array)[]): void {
  database.exec(
    `CREATE TABLE IF NOT EXISTS Topic_${name} ("offset" INTEGER PRIMARY KEY AUTOINCREMENT, "time" TIMESTAMP DEFAULT CURRENT_TIMESTAMP, "data" BLOB)`,
  );
  const insert = database.prepare(`INSERT INTO Topic_${name} (time, data) VALUES ('2024-05-06 07:08:09', ?)`);
  for (const message of messages) insert.run(Buffer.from(message));
}

/** Everything that can be read of a log: offsets of SMQ with their messages. */
async function contentOf(name: string): Promise<[number, string][]> {
  const partition = logs.topic(name)!.partitions[0];
  const feed = new RecordFeed(partition, partition.firstOffset);
  const found: [number, string][] = [];
  while ((await feed.read(1_000)) > 0) {
    while (feed.next())
      found.push([feed.offset + 1, String(Buffer.from(feed.bytes.subarray(feed.start, feed.end)))]);
  }
  return found;
}

function fingerprints(): [string, string][] {
  return readdirSync(folder)
    .sort()
    .map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    ]);
}

it('takes topics over with their offsets and times, and leaves the file as it was', async () => {
  original((database) => {
    topic(database, 'first', ['a', '', 'c']);
    topic(database, 'empty', []);
    database.exec('CREATE TABLE other (a); CREATE TABLE Topic_foreign (a)');
  });
  const before = fingerprints();
  const progress: object[] = [];
  expect(await importSmq(file, logs, (step) => progress.push(step))).toEqual([
    { topic: 'empty', outcome: 'imported', messages: 0 },
    { topic: 'first', outcome: 'imported', messages: 3 },
  ]);
  expect(await contentOf('first')).toEqual([
    [1, 'a'],
    [2, ''],
    [3, 'c'],
  ]);
  expect(logs.topic('first')!.partitions[0].maxTimestamp).toBe(Date.parse('2024-05-06T07:08:09Z'));
  expect(progress).toEqual([{ topic: 'first', done: 3, of: 3 }]);
  expect(fingerprints()).toEqual(before);
});

describe('offsets of what was deleted', () => {
  it.each([
    [
      'at the beginning',
      'offset <= 7',
      [
        [8, '8'],
        [9, '9'],
        [10, '10'],
      ],
      7,
      10,
    ],
    ['in the middle', 'offset IN (4, 5)', [1, 2, 3, 6, 7, 8, 9, 10].map((n) => [n, String(n)]), 0, 10],
    ['at the end', 'offset > 8', [1, 2, 3, 4, 5, 6, 7, 8].map((n) => [n, String(n)]), 0, 10],
    ['altogether', 'true', [], 10, 10],
  ])('are not given again: %s', async (_what, where, content, firstOffset, highWatermark) => {
    original((database) => {
      topic(
        database,
        't',
        Array.from({ length: 10 }, (_, index) => String(index + 1)),
      );
      database.exec(`DELETE FROM Topic_t WHERE ${where}`);
    });
    await importSmq(file, logs);
    expect(await contentOf('t')).toEqual(content);
    expect(logs.topic('t')!.partitions[0]).toMatchObject({ firstOffset, highWatermark });
  });
});

it('takes over what a server left in its write-ahead log when it was killed', async () => {
  const database = new DatabaseSync(file);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0');
  topic(database, 't', ['a', 'b']);
  const killed = join(folder, 'killed.db');
  for (const end of ['', '-wal']) copyFileSync(file + end, killed + end);
  database.close();
  file = killed;
  const before = fingerprints();
  await importSmq(killed, logs);
  expect(await contentOf('t')).toEqual([
    [1, 'a'],
    [2, 'b'],
  ]);
  expect(fingerprints()).toEqual(before);
});

// Retention goes by the times of messages: what was years old would have been deleted at once.
it('keeps what it took over, however old it is', async () => {
  await logs.close();
  ({ logs } = await openLogs({ retentionMs: 1_000 }, store));
  original((database) => topic(database, 't', ['a']));
  await importSmq(file, logs);
  await logs.applyRetention(Date.now());
  expect(await contentOf('t')).toEqual([[1, 'a']]);
});

it('takes a topic over once, whatever was done with it since', async () => {
  original((database) => topic(database, 't', ['a', 'b']));
  await importSmq(file, logs);
  await logs.topic('t')!.partitions[0].deleteUntil(2);
  expect(await importSmq(file, logs)).toEqual([{ topic: 't', outcome: 'before', messages: 2 }]);
  expect(await contentOf('t')).toEqual([]);
});

it('finishes what was broken off', async () => {
  const large = Array.from({ length: 5 }, (_, index) => Buffer.alloc(400_000, 97 + index));
  original((database) => topic(database, 't', large));
  const failing = importSmq(file, logs, ({ done }) => {
    if (done === 2) store.isFailing = true;
  });
  await expect(failing).rejects.toThrow();
  await store.recover();
  expect(logs.topic('t')!.partitions[0].highWatermark).toBe(2);
  expect(await importSmq(file, logs)).toEqual([{ topic: 't', outcome: 'imported', messages: 5 }]);
  const content = await contentOf('t');
  expect(content.map(([offset, text]) => [offset, text[0], text.length])).toEqual(
    [1, 2, 3, 4, 5].map((offset) => [offset, 'abcde'[offset - 1], 400_000]),
  );
});

it('leaves a log alone that has the name already', async () => {
  original((database) => topic(database, 't', ['a']));
  await logs.topicOrNew('t');
  expect(await importSmq(file, logs)).toEqual([{ topic: 't', outcome: 'taken', messages: 1 }]);
  expect(await contentOf('t')).toEqual([]);
  expect(logs.topic('t')!.configs[IMPORT_CONFIG]).toBeUndefined();
});

it('says what is no database', async () => {
  writeFileSync(file, 'hello');
  await expect(importSmq(file, logs)).rejects.toThrow('it is no file of SQLite');
  await expect(importSmq(join(folder, 'none'), logs)).rejects.toThrow('it is no file of SQLite');
  await expect(importSmq(folder, logs)).rejects.toThrow('it is no file of SQLite');
});
