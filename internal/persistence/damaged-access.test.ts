import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AccessDirectory } from '../access/directory.ts';
import { KafkaDirectoryStore } from '../store/kafka-directory/kafka-directory-store.ts';
import { MemoryEntries } from '../store/memory/memory-entries.ts';
import { SqliteStore } from '../store/sqlite/sqlite-store.ts';
import { STORE_FILE } from '../store/sqlite/store-file.ts';
import { AccessEntries } from './access-entries.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinymq-damage-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const STORES = {
  sqlite: { file: STORE_FILE, make: () => new SqliteStore({ directory: folder, fsync: 'os' }) },
  'kafka-directory': {
    file: 'tinymq.journal',
    make: () => new KafkaDirectoryStore({ directories: [folder], fsync: 'os' }),
  },
} as const;

async function opened(kind: keyof typeof STORES): Promise<AccessDirectory> {
  const store = STORES[kind].make();
  await store.open();
  try {
    return await AccessDirectory.open(new AccessEntries(store));
  } finally {
    await store.close();
  }
}

/** One change after the other, so that each is a line of the journal. */
async function filled(kind: keyof typeof STORES): Promise<void> {
  const store = STORES[kind].make();
  await store.open();
  const directory = await AccessDirectory.open(new AccessEntries(store));
  await directory.edit([
    { kind: 'add-user', user: { name: 'mallory', isEnabled: false, groups: ['outsiders'], scram: {} } },
  ]);
  const of = { users: ['*'], actions: ['publish'] } as const;
  await directory.edit([
    { kind: 'put-rule', rule: { ...of, id: 'forbid', effect: 'deny', topics: ['secret/#'] } },
  ]);
  await directory.edit([
    { kind: 'put-limit', limit: { id: 'few', user: 'mallory', values: { connections: 1 } } },
  ]);
  await directory.edit([{ kind: 'put-rule', rule: { ...of, id: 'rest', effect: 'allow', topics: ['#'] } }]);
  await store.close();
}

/** Where the value of an entry stands in the file of a store. */
function placeOf(bytes: Buffer, word: string): number {
  const plain = bytes.lastIndexOf(word);
  if (plain >= 0) return plain;
  // In the journal values are base64, which depends on where in the value a word begins.
  for (const line of bytes.toString('latin1').matchAll(/"(a\/[url]\/[^"]*)","([^"]*)"/g)) {
    if (Buffer.from(line[2]!, 'base64').includes(word)) return line.index + line[1]!.length + 20;
  }
  throw new Error(`${word} is nowhere`);
}

/**
 * The store once read its journal until the first line that was not whole, and said nothing: one flipped bit in the line of a
 * user, and the rules behind it were gone. In a database a flipped bit may leave JSON that says something else.
 */
describe.each(['sqlite', 'kafka-directory'] as const)(
  'users, rules and limits in a store that was damaged (%s)',
  (kind) => {
    it.each([
      ['a user', 'outsiders'],
      ['a rule', 'secret/#'],
      ['a limit', 'connections'],
      ['the last change', '"#"'],
    ])('are not read without what it said: %s', async (_, word) => {
      await filled(kind);
      const path = join(folder, STORES[kind].file);
      const whole = readFileSync(path);
      expect((await opened(kind)).current.rules.map(({ id }) => id)).toEqual(['forbid', 'rest']);
      const place = placeOf(whole, word);
      for (const bits of [0x01, 0x04, 0x20]) {
        const damaged = Buffer.from(readFileSync(path));
        damaged[place]! ^= bits;
        writeFileSync(path, damaged);
        await expect(opened(kind), `byte ${place}`).rejects.toThrow(/damaged|cannot be read/);
        // Nothing is mended in silence either.
        await expect(opened(kind)).rejects.toThrow(/damaged|cannot be read/);
        writeFileSync(path, whole);
      }
    });
  },
);

it('a journal whose last write a crash cut is read without it, wherever it was cut', async () => {
  await filled('kafka-directory');
  const path = join(folder, 'tinymq.journal');
  const whole = readFileSync(path);
  const lastLine = whole.lastIndexOf('\n', whole.length - 2) + 1;
  for (let end = lastLine; end < whole.length - 1; end += 7) {
    writeFileSync(path, whole.subarray(0, end));
    expect(
      (await opened('kafka-directory')).current.rules.map(({ id }) => id),
      `${end}`,
    ).toEqual(['forbid']);
  }
  // Blocks that the disk never got are zeros, though a later one is there.
  const zeros = Buffer.from(whole);
  const end = Math.min(whole.length, Math.ceil((lastLine + 1) / 512) * 512);
  zeros.fill(0, lastLine + 1, end);
  writeFileSync(path, zeros);
  expect((await opened('kafka-directory')).current.rules.map(({ id }) => id)).toEqual(['forbid']);
});

it('a whole line whose line break was changed is damage and no write that was cut', async () => {
  await filled('kafka-directory');
  const path = join(folder, 'tinymq.journal');
  const bytes = readFileSync(path);
  bytes[bytes.length - 1] = 0x0b;
  writeFileSync(path, bytes);
  await expect(opened('kafka-directory')).rejects.toThrow(/is damaged in line \d+, at byte \d+/);
});

describe('entries of a store', () => {
  it.each(['a/u/mallory', 'a/r/forbid', 'a/l/few', 'a/seal'])('are not read without %s', async (key) => {
    const entries = new MemoryEntries();
    const directory = await AccessDirectory.open(new AccessEntries(entries));
    await directory.edit([
      { kind: 'add-user', user: { name: 'mallory', isEnabled: false, groups: [], scram: {} } },
      {
        kind: 'put-rule',
        rule: { id: 'forbid', effect: 'deny', users: ['*'], actions: ['publish'], topics: ['#'] },
      },
      { kind: 'put-limit', limit: { id: 'few', values: { connections: 1 } } },
    ]);
    await entries.putEntries([{ key, value: undefined }]);
    await expect(AccessDirectory.open(new AccessEntries(entries))).rejects.toThrow(
      'the store is damaged: it has',
    );
  });

  it('that a version before had without checksums are read, and sealed with the next change', async () => {
    const entries = new MemoryEntries();
    const json = JSON.stringify({ isEnabled: true, groups: [], scram: {} });
    await entries.putEntries(
      ['anna', 'ben'].map((name) => ({ key: `a/u/${name}`, value: Buffer.from(`\x81${json}`, 'latin1') })),
    );
    const directory = await AccessDirectory.open(new AccessEntries(entries));
    expect([...directory.current.users.keys()]).toEqual(['anna', 'ben']);
    await directory.edit([{ kind: 'put-limit', limit: { id: 'few', values: { connections: 1 } } }]);
    expect((await AccessDirectory.open(new AccessEntries(entries))).current.users.size).toBe(2);
    await entries.putEntries([{ key: 'a/u/ben', value: undefined }]);
    await expect(AccessDirectory.open(new AccessEntries(entries))).rejects.toThrow('the store is damaged');
  });
});
