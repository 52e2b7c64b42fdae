import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endOf } from '../../../test/support/end-of.ts';
import { flippedBits, withFlipped } from '../../../test/support/flipped-bits.ts';
import { rounds } from '../../../test/support/torture.ts';
import { backUpStore } from './backup.ts';
import { SqliteStore } from './sqlite-store.ts';
import { type Verified, verifyBackup, verifyFolder } from './verify.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-verify-'));
const closed = join(folder, 'closed');
const crashed = join(folder, 'crashed');
const backup = join(folder, 'backup.db');
afterAll(() => rmSync(folder, { recursive: true }));

const FLIPS = rounds(250);
/** Each is looked at twice, in case a broker was writing. */
const LOG_FLIPS = rounds(80);

/** A store with something of every kind. */
async function fill(store: SqliteStore, round: number): Promise<void> {
  const topic = await store.createTopic({
    ...{
      name: `topic-${round}`,
      topicId: new Uint8Array(16).fill(round),
      configs: { 'retention.ms': '1000' },
    },
    ...{ partitionCount: 2, createdAtMs: 1_700_000_000_000 + round },
  });
  for (const { id } of topic.partitions) {
    for (let offset = 0; offset < 40; offset += 2) {
      await store.append(id, {
        ...{ baseOffset: offset, lastOffset: offset + 1, count: 2, maxTimestamp: 1_700_000_000_000 + offset },
        bytes: new Uint8Array(300).fill(offset),
        producer: { id: 2n ** 62n + BigInt(round), state: new Uint8Array(40).fill(offset) },
      });
    }
    await store.deleteUntil(id, 6);
  }
  await store.saveGroupOffsets(`group-${round}`, [
    {
      ...{ topic: `topic-${round}`, partition: 0, offset: 12, leaderEpoch: 0, metadata: 'm' },
      committedAtMs: 1_700_000_000_000,
    },
  ]);
  await store.saveGroupMembers(`group-${round}`, new Uint8Array(100).fill(7));
  await store.putEntries(
    Array.from({ length: 60 }, (_, index) => ({
      key: `r/sensors/${round}/${index}`,
      value: new Uint8Array(200).fill(index),
    })),
  );
  await store.putEntries([{ key: `s/client-${round}`, value: new Uint8Array(9_000).fill(1) }]);
  await store.flush();
}

beforeAll(async () => {
  const store = new SqliteStore({ directory: closed, fsync: 'commit' });
  await store.open();
  for (let round = 0; round < 3; round++) await fill(store, round);
  await store.close();
  const again = new SqliteStore({ directory: crashed, fsync: 'commit' });
  await again.open();
  await fill(again, 1);
  // As a crash leaves them: what was acknowledged is in the write-ahead log.
  copyStore(crashed, join(folder, 'image'));
  await again.close();
  await backUpStore(closed, backup, () => {});
});

function copyStore(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const suffix of ['', '-wal']) {
    const file = join(from, `tinymq.db${suffix}`);
    if (existsSync(file)) copyFileSync(file, join(to, `tinymq.db${suffix}`));
  }
}

async function verified(directory: string): Promise<Verified> {
  return endOf(verifyFolder(directory, (key) => `entry ${key}`));
}

/** All that a broker could read out of it; what cannot be read is no content. */
function contentOf(file: string): string {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    const names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
    return names
      .map(({ name }) => {
        // The bytes of a batch that was deleted stay for a while, and nobody reads them.
        const read = name === 'batch_bytes' ? ' WHERE id IN (SELECT bytes_id FROM batch)' : '';
        const rows = db.prepare(`SELECT * FROM "${name}"${read}`);
        rows.setReadBigInts(true);
        const shown = rows.all().map((row) => Object.values(row).map(textOf).join());
        return `${name}: ${shown.sort().join('\n')}`;
      })
      .join('\n');
  } finally {
    db.close();
  }
}

function textOf(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : String(value);
}

/** What became of each bit that was flipped: `told`, or `unused` where nothing can be read that was not written. */
async function flipEach(
  file: string,
  before: string,
  verify: () => Promise<Verified>,
  seed: number,
): Promise<{ told: string[]; unused: number }> {
  const bytes = readFileSync(file);
  const told: string[] = [];
  let unused = 0;
  for (const bit of flippedBits(bytes.length, FLIPS, seed)) {
    writeFileSync(file, withFlipped(bytes, bit));
    const problems = await verify().then(
      ({ problems: found }) => found,
      (error: Error) => [error.message],
    );
    if (problems.length > 0) {
      told.push(...problems);
      continue;
    }
    expect(contentOf(file), `bit ${bit.bit} of byte ${bit.at}`).toBe(before);
    unused++;
  }
  return { told, unused };
}

describe('a store from before rows had checksums', () => {
  it('is read, and said to be unchecked; what is written since is checked', async () => {
    const directory = join(folder, 'older');
    copyStore(closed, directory);
    const file = join(directory, 'tinymq.db');
    downgrade(file);
    expect(await verified(directory)).toMatchObject({ problems: [], unchecked: 0, entries: 183 });
    const store = new SqliteStore({ directory, fsync: 'commit' });
    const { topics } = await store.open();
    expect(topics).toHaveLength(3);
    await store.putEntries([{ key: 'r/new', value: new Uint8Array(300).fill(9) }]);
    await store.close();
    const found = await verified(directory);
    expect(found.problems).toEqual([]);
    expect(found.unchecked).toBeGreaterThan(183);
    const db = new DatabaseSync(file);
    db.prepare("UPDATE entry SET value = ? WHERE key = 'r/new'").run(new Uint8Array(300).fill(8));
    db.close();
    expect((await verified(directory)).problems).toEqual(['entry r/new is not what was written']);
    const again = new SqliteStore({ directory, fsync: 'commit' });
    await again.open();
    expect(await again.readEntries('r/n', 1)).toMatchObject([{ key: 'r/new', isDamaged: true }]);
    await again.close();
  });
});

/** Makes a store what format 3 was. */
function downgrade(file: string): void {
  const db = new DatabaseSync(file);
  for (const table of ['meta', 'topic', 'partition', 'producer', 'group_offset', 'entry'])
    db.exec(`ALTER TABLE ${table} DROP COLUMN checksum`);
  db.exec("ALTER TABLE batch DROP COLUMN place_checksum; DELETE FROM meta WHERE key = 'partition/last'");
  db.exec('PRAGMA user_version = 3');
  db.close();
}

describe('a flipped bit', () => {
  it('in the file of a store is told, with what is damaged, unless nothing is there', async () => {
    const directory = join(folder, 'flipped');
    copyStore(closed, directory);
    const file = join(directory, 'tinymq.db');
    const before = contentOf(file);
    expect((await verified(directory)).problems).toEqual([]);
    const { told, unused } = await flipEach(file, before, () => verified(directory), 1);
    expect(told.join('\n')).toMatch(
      /topic 'topic-\d' partition \d, offsets \d+ to \d+: the bytes are not what/,
    );
    expect(told.join('\n')).toMatch(/^entry r\/sensors\/\d\/\d+ is not what was written$/m);
    expect(told.join('\n')).toMatch(/^entry s\/client-\d is not what was written$/m);
    expect(unused).toBeLessThan(FLIPS);
  });

  it('in the write-ahead log of a store that was not closed is told', async () => {
    const directory = join(folder, 'flipped-log');
    const image = join(folder, 'image');
    copyStore(image, directory);
    const before = contentOf(join(directory, 'tinymq.db'));
    const bytes = readFileSync(join(image, 'tinymq.db-wal'));
    let told = 0;
    for (const bit of flippedBits(bytes.length, LOG_FLIPS, 2)) {
      rmSync(directory, { recursive: true });
      copyStore(image, directory);
      writeFileSync(join(directory, 'tinymq.db-wal'), withFlipped(bytes, bit));
      const { problems } = await verified(directory);
      if (problems.length > 0) told++;
      else expect(contentOf(join(directory, 'tinymq.db')), `bit ${bit.bit} of byte ${bit.at}`).toBe(before);
    }
    expect(told).toBeGreaterThan(LOG_FLIPS / 2);
  });

  it('in a backup is told', async () => {
    const before = contentOf(backup);
    const verify = () => endOf(verifyBackup(backup, (key) => key));
    expect((await verify()).problems).toEqual([]);
    const { told } = await flipEach(backup, before, verify, 3);
    expect(told.length).toBeGreaterThan(0);
  });
});
