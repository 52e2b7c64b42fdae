import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import type { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { rounds } from '../../../test/support/torture.ts';
import { storeFreeBytesKept } from '../../limits/store.ts';
import type { LogStore, NewBatch, StoredState, StoreEvent } from '../log-store.ts';
import { openForWriting } from './files.ts';
import type { Change, WriteTransaction } from './messages.ts';
import { SqliteStore } from './sqlite-store.ts';
import { STORE_FORMAT } from './store-file.ts';
import { SqliteWriter } from './writer.ts';

const folders: string[] = [];
const opened: LogStore[] = [];
const children: ChildProcess[] = [];
const mounts: string[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const store of opened.splice(0)) await store.close();
  for (const mount of mounts.splice(0)) spawnSync('umount', [mount]);
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

describe('files of the store', () => {
  it('are for their owner only', async () => {
    const directory = join(newFolder(), 'deep', 'data');
    const { store, id } = await openWithPartition(directory);
    await store.append(id, batch(0));
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    const files = readdirSync(directory);
    expect(files).toEqual(expect.arrayContaining(['lock', 'tinymq.db', 'tinymq.db-wal']));
    for (const file of files) expect([file, statSync(join(directory, file)).mode & 0o077]).toEqual([file, 0]);
  });

  it('are not opened twice, neither by this process nor by another; a closed store lets go', async () => {
    const directory = newFolder();
    const { store } = await openWithPartition(directory);
    await expect(open(directory)).rejects.toMatchObject({
      code: 'locked',
      message: `${directory} is in use by another broker (process ${process.pid})`,
    });
    const other = spawnSync(process.execPath, ['--input-type=module', '-e', OPENER, STORE_URL, directory]);
    expect(other.stdout.toString()).toBe('locked');
    expect(other.stderr.toString()).toBe('');
    await store.close();
    expect((await open(directory)).state.topics).toHaveLength(1);
  });

  it('that are not of tinymq are left alone', async () => {
    const directory = newFolder();
    const foreign = new DatabaseSync(join(directory, 'tinymq.db'));
    foreign.exec('CREATE TABLE something (x)');
    foreign.close();
    await expect(open(directory)).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/is an SQLite file of another program/),
    });
  });

  it('of a newer version are left alone', async () => {
    const directory = newFolder();
    await (await openWithPartition(directory)).store.close();
    const newer = new DatabaseSync(join(directory, 'tinymq.db'));
    newer.exec('PRAGMA user_version = 99');
    newer.close();
    await expect(open(directory)).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/has format 99/),
    });
  });

  it('of format 2 keep what they have, and get the newest format', async () => {
    const directory = newFolder();
    await (await openWithPartition(directory)).store.close();
    const older = new DatabaseSync(join(directory, 'tinymq.db'));
    for (const table of ['meta', 'topic', 'partition', 'producer', 'group_offset', 'entry'])
      older.exec(`ALTER TABLE ${table} DROP COLUMN checksum`);
    older.exec('ALTER TABLE batch DROP COLUMN place_checksum; PRAGMA user_version = 2');
    older.close();
    const { store, state } = await open(directory);
    expect(state.topics).toHaveLength(1);
    await store.close();
    const migrated = new DatabaseSync(join(directory, 'tinymq.db'));
    expect(migrated.prepare('PRAGMA user_version').get()).toEqual({ user_version: STORE_FORMAT });
    migrated.close();
  });

  it('that are damaged are set aside, not deleted, and reported', async () => {
    const directory = newFolder();
    writeFileSync(join(directory, 'tinymq.db'), Buffer.alloc(100_000, 'no database'));
    const { state, events } = await open(directory);
    expect(state.topics).toEqual([]);
    const [moved] = readdirSync(directory).filter((file) =>
      /^tinymq\.db\.damaged-[^-]+-\d\d-\w+-\d\d-[\d.]+Z$/.test(file),
    );
    expect(events).toEqual([
      { kind: 'set-aside', file: join(directory, moved), reason: 'file is not a database' },
    ]);
    expect(readFileSync(join(directory, moved)).subarray(0, 11).toString()).toBe('no database');
  });

  it('in a place that cannot be made are an error that says so', async () => {
    const file = join(newFolder(), 'file');
    writeFileSync(file, '');
    await expect(open(join(file, 'data'))).rejects.toMatchObject({
      name: 'StoreUnavailableError',
      message: expect.stringMatching(/ENOTDIR/),
    });
  });

  // The runtime's own way to make several folders at once never came back from there, and no signal was heard.
  it.runIf(existsSync('/proc/self'))(
    'in a folder that only says that there is none are an error too',
    async () => {
      await expect(open('/proc/no-such-folder/data')).rejects.toMatchObject({
        name: 'StoreUnavailableError',
        message: expect.stringMatching(/ENOENT/),
      });
    },
  );

  it('shrink again after much was deleted', async () => {
    const directory = newFolder();
    const { store, id } = await openWithPartition(directory);
    const bytes = new Uint8Array(4 * 1024 * 1024).fill(1);
    const count = Math.ceil(storeFreeBytesKept / bytes.length) + 12;
    for (let offset = 0; offset < count; offset++) await store.append(id, batch(offset, bytes));
    await store.deleteUntil(id, count);
    const file = join(directory, 'tinymq.db');
    await until(async () => {
      // Space is given back in the background, beside other work.
      await store.putMeta('now', Uint8Array.of(1));
      const db = new DatabaseSync(file, { readOnly: true });
      const pages = db.prepare('PRAGMA page_count').get()!.page_count as number;
      db.close();
      return pages * 16_384 < storeFreeBytesKept + 4 * bytes.length;
    });
    await store.close();
    expect(statSync(file).size).toBeLessThan(storeFreeBytesKept + 4 * bytes.length);
  });
});

describe('a runtime', () => {
  it('that was started without SQLite is told what is needed', () => {
    const run = spawnSync(process.execPath, [
      '--no-experimental-sqlite',
      '--input-type=module',
      '-e',
      OPENER,
      STORE_URL,
      newFolder(),
    ]);
    expect(run.stderr.toString()).toBe('');
    expect(run.stdout.toString()).toBe('unsupported');
  });

  it('that calls SQLite experimental does not tell the users', () => {
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', OPENER, STORE_URL, newFolder()]);
    expect(run.stderr.toString()).toBe('');
    expect(run.stdout.toString()).toBe('opened');
  });
});

describe('damage', () => {
  it('of one bit is reported and never delivered as data', async () => {
    const directory = newFolder();
    const { store, id } = await openWithPartition(directory);
    const markers = ['first marker', 'second marker', 'third marker'].map((text) =>
      Buffer.from(text.padEnd(50_000, '.')),
    );
    for (const [offset, bytes] of markers.entries()) await store.append(id, batch(offset, bytes));
    await store.close();
    flipBit(join(directory, 'tinymq.db'), 'second marker');
    const after = await open(directory);
    expect((await after.store.read(id, 0, 1e9)).map(({ baseOffset }) => baseOffset)).toEqual([0]);
    await expect(after.store.read(id, 1, 1e9)).rejects.toMatchObject({
      name: 'CorruptBatchError',
      partition: id,
      baseOffset: 1,
      lastOffset: 1,
    });
    expect(after.events).toEqual([{ kind: 'corrupt', partition: id, baseOffset: 1, lastOffset: 1 }]);
    expect(after.store.health()).toMatchObject({ status: 'ready', corruptBatches: 1 });
    expect((await after.store.read(id, 2, 1e9)).map(({ bytes }) => bytes.length)).toEqual([50_000]);
  });

  it('at the end of the write-ahead log loses nothing that was acknowledged', async () => {
    const directory = newFolder();
    const acknowledged = await appendUntilKilled(directory, 300);
    const wal = join(directory, 'tinymq.db-wal');
    expect(statSync(wal).size).toBeGreaterThan(16_384);
    appendFileSync(wal, Buffer.alloc(16_384 + 24 + 100, 0xa5));
    await expectAppended(directory, acknowledged);
  });

  it('in the middle of the write-ahead log leaves what was before it, without a gap', async () => {
    const directory = newFolder();
    await appendUntilKilled(directory, 300);
    const wal = join(directory, 'tinymq.db-wal');
    truncateSync(wal, Math.floor(statSync(wal).size * 0.7));
    const { next } = await expectAppended(directory, new Set());
    expect(next).toBeGreaterThan(0);
  });
});

describe('kill -9', () => {
  it('again and again loses nothing acknowledged and gives no offset twice', async () => {
    const directory = newFolder();
    const acknowledged = new Set<number>();
    for (let round = 0; round < rounds(6); round++) {
      for (const offset of await appendUntilKilled(directory, 20 + 90 * (round % 6))) {
        expect(acknowledged.has(offset)).toBe(false);
        acknowledged.add(offset);
      }
    }
    expect(acknowledged.size).toBeGreaterThan(1_000);
    await expectAppended(directory, acknowledged);
  });
});

describe('a failed commit', () => {
  it('is none: the batches of it are gone after the store was opened again', async () => {
    const directory = newFolder();
    const db = openForWriting(directory, 'commit');
    let isFailing = false;
    const prepare = db.prepare.bind(db);
    db.prepare = (sql) => {
      const statement = prepare(sql);
      if (sql !== 'COMMIT') return statement;
      const commit = statement.run.bind(statement);
      statement.run = () => {
        // The disk took the transaction, and then said that it did not.
        const result = commit();
        if (isFailing) throw new Error('disk I/O error');
        return result;
      };
      return statement;
    };
    const writer = new SqliteWriter(db, new Map());
    writer.apply(groupOf([{ kind: 'create-topic', topic: newTopic }]));
    const id = 1;
    writer.apply(groupOf([], [[id, 0]]));
    isFailing = true;
    expect(() => writer.apply(groupOf([], [[id, 1]]))).toThrow('disk I/O error');
    writer.close();
    const recovered = new SqliteWriter(openForWriting(directory, 'commit'), new Map([[id, 1]]));
    expect(recovered.state.topics[0].partitions[0]).toMatchObject({ nextOffset: 1, sizeBytes: 1 });
    expect(recovered.apply(groupOf([], [[id, 1]])).outcomes).toEqual([]);
    recovered.close();
  });
});

describe('a thread that ends', () => {
  it('is replaced: changes after the store was opened again, reads at once', async () => {
    const threads: Worker[] = [];
    const note = (worker: Worker) => threads.push(worker);
    process.on('worker', note);
    const { store, id, events } = await openWithPartition(newFolder());
    await store.append(id, batch(0));
    process.off('worker', note);
    const [writer, reader] = threads;
    const recovered = nextEvent(store, 'recovered');
    await writer.terminate();
    const { state } = await recovered;
    expect(state.topics![0].partitions[0].nextOffset).toBe(1);
    expect(events.map(({ kind }) => kind)).toEqual(['unavailable', 'recovered']);
    await store.append(id, batch(1));
    const unanswered = store.read(id, 0, 1e9);
    await Promise.all([
      reader.terminate(),
      unanswered.catch((error) => expect(error).toMatchObject({ name: 'StoreUnavailableError' })),
    ]);
    expect(await store.read(id, 0, 1e9)).toHaveLength(2);
  });
});

const canMount = mountTmpfs(1) !== undefined;

describe('a full disk', () => {
  it.skipIf(!canMount)(
    '(where a small one can be mounted) refuses, keeps what it has, and recovers when there is room',
    async () => {
      const mount = mountTmpfs(24)!;
      const ballast = join(mount, 'ballast');
      writeFileSync(ballast, Buffer.alloc(12 * 1024 * 1024));
      const { store, id, events } = await openWithPartition(join(mount, 'data'));
      let next = 0;
      const bytes = () => new Uint8Array(100_000).fill(next);
      const failure = await appendUntilRefused();
      expect(failure).toMatchObject({ name: 'StoreUnavailableError', reason: 'disk-full' });
      expect(next).toBeGreaterThan(10);
      expect(events).toEqual([{ kind: 'unavailable', reason: expect.stringMatching(/full/) }]);
      expect(store.health()).toMatchObject({ status: 'unavailable', problem: expect.stringMatching(/full/) });
      await expect(store.putMeta('x', bytes())).rejects.toMatchObject({ reason: 'disk-full' });
      expect((await store.read(id, next - 1, 1))[0].bytes).toHaveLength(100_000);

      const recovered = nextEvent(store, 'recovered');
      rmSync(ballast);
      const { state } = await recovered;
      expect(state.topics![0].partitions[0].nextOffset).toBe(next);
      expect(store.health()).toMatchObject({
        status: 'ready',
        problem: '',
        waitingChanges: 0,
        waitingBytes: 0,
      });
      for (let more = 0; more < 5; more++, next++) await store.append(id, batch(next, bytes()));
      for (let offset = 0; offset < next; offset++) {
        const [read] = await store.read(id, offset, 1);
        const byte = offset % 256;
        expect([read.baseOffset, read.bytes[0], read.bytes.at(-1)]).toEqual([offset, byte, byte]);
      }

      async function appendUntilRefused(): Promise<unknown> {
        for (;;) {
          try {
            await store.append(id, batch(next, bytes()));
            next++;
          } catch (error) {
            return error;
          }
        }
      }
    },
  );
});

// The child that appends batches whose bytes tell their offset, a hundred at a time, and prints what is acknowledged.

const STORE_URL = new URL('./sqlite-store.ts', import.meta.url).href;

const APPENDER = `
const [url, directory] = process.argv.slice(1);
const { SqliteStore } = await import(url);
const store = new SqliteStore({ directory, fsync: 'commit' });
const state = await store.open();
const topic = state.topics[0] ?? await store.createTopic(${JSON.stringify({
  name: 'sensors',
  configs: {},
  partitionCount: 1,
  createdAtMs: 0,
}).replace('{', '{ topicId: new Uint8Array(16), ')});
let { id, nextOffset } = topic.partitions[0];
const appendOne = async () => {
  for (;;) {
    const offset = nextOffset++;
    const bytes = Buffer.alloc(10 + (offset * 7919) % 5000, String(offset) + ',');
    await store.append(id, { baseOffset: offset, lastOffset: offset, count: 1, maxTimestamp: offset, bytes });
    process.stdout.write(offset + '\\n');
  }
};
for (let i = 0; i < 100; i++) void appendOne();
`;

const OPENER = `
const [url, directory] = process.argv.slice(1);
const { SqliteStore } = await import(url);
const store = new SqliteStore({ directory, fsync: 'commit' });
await store.open().then(() => process.stdout.write('opened'), (error) => process.stdout.write(error.code));
await store.close();
`;

/** Lets a child append, and kills it after so many acknowledgements. Returns all the offsets it told. */
async function appendUntilKilled(directory: string, count: number): Promise<Set<number>> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', APPENDER, STORE_URL, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const acknowledged = new Set<number>();
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.add(Number(line));
    if (acknowledged.size === count) child.kill('SIGKILL');
  }
  if (child.signalCode === null) await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL');
  return acknowledged;
}

/** Opens what a child left, and checks every batch of it. */
async function expectAppended(directory: string, acknowledged: Set<number>): Promise<{ next: number }> {
  const { store, state } = await open(directory);
  const { id, nextOffset } = state.topics[0].partitions[0];
  let next = 0;
  while (next < nextOffset) {
    for (const { baseOffset, bytes } of await store.read(id, next, 1_000_000)) {
      expect(baseOffset).toBe(next++);
      const expected = Buffer.alloc(10 + ((baseOffset * 7919) % 5000), `${baseOffset},`);
      expect(expected.equals(bytes)).toBe(true);
    }
  }
  for (const offset of acknowledged) expect(offset).toBeLessThan(next);
  return { next };
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-sqlite-'));
  chmodSync(folder, 0o700);
  folders.push(folder);
  return folder;
}

/** Mounts a small disk in memory; undefined where this user may not. */
function mountTmpfs(sizeMiB: number): string | undefined {
  const folder = newFolder();
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'none', folder]).status !== 0)
    return undefined;
  mounts.push(folder);
  return folder;
}

async function open(
  directory: string,
): Promise<{ store: LogStore; state: StoredState; events: StoreEvent[] }> {
  const store = new SqliteStore({ directory, fsync: 'commit' });
  opened.push(store);
  const events: StoreEvent[] = [];
  store.onEvent((event) => events.push(event));
  return { store, state: await store.open(), events };
}

async function openWithPartition(directory: string) {
  const { store, events } = await open(directory);
  const topic = await store.createTopic(newTopic);
  return { store, events, id: topic.partitions[0].id };
}

const newTopic = {
  name: 'sensors',
  topicId: new Uint8Array(16),
  configs: {},
  partitionCount: 1,
  createdAtMs: 0,
};

function batch(offset: number, bytes: Uint8Array = Uint8Array.of(1)): NewBatch {
  return { baseOffset: offset, lastOffset: offset, count: 1, maxTimestamp: 0, bytes };
}

/** Changes, then appends of one byte each to partitions at offsets. */
function groupOf(changes: Change[], appends: [partition: number, offset: number][] = []): WriteTransaction {
  return {
    kind: 'group',
    changeCount: changes.length + appends.length,
    appends: Float64Array.from(
      appends.flatMap(([partition, offset]) => [partition, offset, offset, 1, 0, 1, 0]),
    ),
    slab: new ArrayBuffer(appends.length),
    producers: [],
    changes: changes.map((change, position) => ({ position, change })),
  };
}

function flipBit(file: string, where: string): void {
  const bytes = readFileSync(file);
  const at = bytes.indexOf(where);
  expect(at).toBeGreaterThan(0);
  bytes[at + 3] ^= 1;
  writeFileSync(file, bytes);
}

function nextEvent<K extends StoreEvent['kind']>(
  store: LogStore,
  kind: K,
): Promise<Extract<StoreEvent, { kind: K }>> {
  return new Promise((resolve) => {
    const stop = store.onEvent((event) => {
      if (event.kind !== kind) return;
      stop();
      resolve(event as Extract<StoreEvent, { kind: K }>);
    });
  });
}

async function until(test: () => Promise<boolean>): Promise<void> {
  while (!(await test()));
}
