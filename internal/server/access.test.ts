import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { AccessDirectory } from '../access/directory.ts';
import { AccessEntries } from '../persistence/access-entries.ts';
import { KafkaDirectoryStore } from '../store/kafka-directory/kafka-directory-store.ts';
import { SqliteStore } from '../store/sqlite/sqlite-store.ts';
import { STORE_FILE } from '../store/sqlite/store-file.ts';
import { HAS_USERS_FILE, MarkedAccess } from './has-users.ts';
import type { BrokerOptions } from './options.ts';
import { startBroker } from './start-broker.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-access-'));
let used = 0;
afterAll(() => rmSync(folder, { recursive: true }));

const LOCAL = ['tcp://127.0.0.1:0'];
const anna = { name: 'anna', isEnabled: true, groups: [], scram: {} };

/** A folder whose store has a user. */
async function folderWithUser(kind: 'SQLite' | 'Kafka' = 'SQLite'): Promise<string> {
  const directory = join(folder, String(++used));
  const store =
    kind === 'SQLite'
      ? new SqliteStore({ directory, fsync: 'os' })
      : new KafkaDirectoryStore({ directories: [directory], fsync: 'os' });
  await store.open();
  const access = await AccessDirectory.open(new MarkedAccess(new AccessEntries(store), directory));
  await access.edit([{ kind: 'add-user', user: anna }]);
  await store.close();
  return directory;
}

async function startAndStop(options: BrokerOptions): Promise<void> {
  const broker = await startBroker({ listen: LOCAL, ...options });
  await broker.close();
}

describe('a broker whose folder has users', () => {
  it('starts with them', async () => {
    const dataDir = await folderWithUser();
    await startAndStop({ dataDir });
    await startAndStop({ dataDir, keep: [{ filter: 'a/#' }] });
  });

  // A store that is damaged is set aside, and an empty one begins in its place: everybody was let in then.
  it('does not start without them, however often one tries', async () => {
    const dataDir = await folderWithUser();
    for (const extra of ['-wal', '-shm']) rmSync(join(dataDir, STORE_FILE + extra), { force: true });
    writeFileSync(join(dataDir, STORE_FILE), 'no store at all'.repeat(1_000));
    for (let time = 0; time < 3; time++) {
      await expect(startAndStop({ dataDir })).rejects.toThrow(
        `${dataDir} has users or rules, and its store has none`,
      );
    }
    rmSync(join(dataDir, HAS_USERS_FILE));
    await startAndStop({ dataDir });
  });

  it('does not start without its store', async () => {
    const dataDir = await folderWithUser();
    rmSync(join(dataDir, STORE_FILE));
    await expect(startAndStop({ dataDir })).rejects.toThrow('its store cannot be read');
  });

  it('does not start beside another broker that has the folder, though it could do without it', async () => {
    const dataDir = await folderWithUser();
    await using _broker = await startBroker({ listen: LOCAL, dataDir, keep: [{ filter: 'a' }] });
    await expect(startAndStop({ dataDir, dataDirIsOptional: true })).rejects.toThrow('has users or rules');
  });

  it('does not start on the directory of a Kafka whose journal lost them', async () => {
    const directory = await folderWithUser('Kafka');
    const kafkaLogDirs = { directories: [directory] };
    await startAndStop({ kafkaLogDirs });
    truncateSync(join(directory, 'tinymq.journal'), 10);
    await expect(startAndStop({ kafkaLogDirs })).rejects.toThrow('its store has none');
  });

  it('does not keep the mark when the last of them goes, and gets it back if it is lost', async () => {
    const dataDir = await folderWithUser();
    rmSync(join(dataDir, HAS_USERS_FILE));
    await startAndStop({ dataDir });
    expect(existsSync(join(dataDir, HAS_USERS_FILE))).toBe(true);
    const store = new SqliteStore({ directory: dataDir, fsync: 'os' });
    await store.open();
    const access = await AccessDirectory.open(new MarkedAccess(new AccessEntries(store), dataDir));
    await access.edit([{ kind: 'remove-user', name: 'anna' }]);
    await store.close();
    expect(existsSync(join(dataDir, HAS_USERS_FILE))).toBe(false);
    await startAndStop({ dataDir });
  });

  it('does not start where the mark cannot be looked for', async () => {
    const dataDir = join(folder, `${'long'.repeat(70)}`);
    mkdirSync(folder, { recursive: true });
    await expect(startAndStop({ dataDir, dataDirIsOptional: true })).rejects.toThrow('may have users');
  });
});
