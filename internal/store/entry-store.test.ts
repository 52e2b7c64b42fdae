import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Entry, EntryStore } from './entry-store.ts';
import { KafkaDirectoryStore } from './kafka-directory/kafka-directory-store.ts';
import { MemoryEntries } from './memory/memory-entries.ts';
import { SqliteStore } from './sqlite/sqlite-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-entries-'));
let used = 0;
afterAll(() => rmSync(folder, { recursive: true }));

interface Opened {
  store: EntryStore;
  /** The same entries after a restart. */
  reopen(): Promise<EntryStore>;
  close(): Promise<void>;
}

function openSqlite(): Promise<Opened> {
  const options = { directory: join(folder, String(++used)), fsync: 'os' } as const;
  return openIn(() => new SqliteStore(options));
}

function openKafkaDirectory(): Promise<Opened> {
  const options = { directories: [join(folder, String(++used))], fsync: 'os' } as const;
  return openIn(() => new KafkaDirectoryStore({ ...options, directories: [...options.directories] }));
}

async function openIn(create: () => SqliteStore | KafkaDirectoryStore): Promise<Opened> {
  let store = create();
  await store.open();
  return {
    store,
    async reopen() {
      await store.close();
      store = create();
      await store.open();
      return store;
    },
    close: () => store.close(),
  };
}

async function openMemory(): Promise<Opened> {
  const store = new MemoryEntries();
  return { store, reopen: async () => store, close: async () => {} };
}

async function all(store: EntryStore, maxBytes = 1_000_000): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (;;) {
    const page = await store.readEntries(entries.at(-1)?.key ?? '', maxBytes);
    if (page.length === 0) return entries;
    entries.push(...page);
  }
}

function shown(entries: readonly Entry[]): string[] {
  return entries.map(({ key, value }) => `${key}=${Buffer.from(value)}`);
}

const text = (value: string) => new TextEncoder().encode(value);

describe.each([
  ['SQLite', openSqlite],
  ['a Kafka log directory', openKafkaDirectory],
  ['memory', openMemory],
])('entries in %s', (_, open) => {
  it('last: the newest value of each key, in order, and none that was forgotten', async () => {
    const { store, reopen, close } = await open();
    await store.putEntries([
      { key: 'b', value: text('1') },
      { key: 'a/ü', value: text('') },
      { key: 'a', value: text('2') },
    ]);
    await store.putEntries([
      { key: 'b', value: undefined },
      { key: 'never', value: undefined },
      { key: 'a', value: text('3') },
      { key: 'c', value: text('x'.repeat(100_000)) },
    ]);
    const expected = ['a=3', 'a/ü=', `c=${'x'.repeat(100_000)}`];
    expect(shown(await all(store))).toEqual(expected);
    expect(shown(await all(await reopen()))).toEqual(expected);
    await close();
  });

  it('are read in pages, each of one entry at least', async () => {
    const { store, close } = await open();
    const keys = Array.from({ length: 20 }, (_, index) => `k${String(index).padStart(2, '0')}`);
    await store.putEntries(keys.map((key) => ({ key, value: text('0123456789') })));
    expect(await store.readEntries('', 35)).toHaveLength(3);
    expect(await store.readEntries('', 1)).toHaveLength(1);
    expect((await all(store, 25)).map(({ key }) => key)).toEqual(keys);
    await close();
  });
});
