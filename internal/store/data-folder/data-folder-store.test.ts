import { cpSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { foldersOfStores } from '../../../test/support/folders-of-stores.ts';
import { asRecordBatch } from '../../../test/support/kafka-directory.ts';
import { DatabaseSync } from '../../lib/sqlite.ts';
import type { FsyncPolicy } from '../log-store.ts';
import { STORE_FORMAT } from '../sqlite/store-file.ts';
import { DataFolderStore } from './data-folder-store.ts';

const { opened, newFolder } = foldersOfStores('tinymq-data-folder-');

async function open(directory: string, fsync: FsyncPolicy = 'os') {
  const store = new DataFolderStore({ directory, fsync });
  opened.push(store);
  return { store, state: await store.open() };
}

async function folderWithLog(): Promise<string> {
  const directory = newFolder();
  const { store } = await open(directory);
  await appendOne(store);
  await store.close();
  return directory;
}

async function appendOne(store: DataFolderStore): Promise<void> {
  const topic = { name: 't', topicId: new Uint8Array(16).fill(1), configs: {}, createdAtMs: 5 };
  const { partitions } = await store.createTopic({ ...topic, partitionCount: 1 });
  const batch = { baseOffset: 0, lastOffset: 0, count: 1, maxTimestamp: 5, bytes: new Uint8Array(9) };
  await store.append(partitions[0]!.id, asRecordBatch(batch));
}

/** Gives the values of a folder another format. */
function setFormat(directory: string, format: number): void {
  const db = new DatabaseSync(join(directory, 'tinymq.db'));
  db.exec(`PRAGMA user_version = ${format}`);
  db.close();
}

/** What is in the logs of a folder, and when each file was last written. */
function logsOf(directory: string): [string, number, string][] {
  const names = readdirSync(join(directory, 'logs'), { recursive: true, encoding: 'utf8' }).sort();
  return names.map((name) => {
    const file = join(directory, 'logs', name);
    const { mtimeMs } = statSync(file);
    return [name, mtimeMs, statSync(file).isFile() ? readFileSync(file, 'latin1') : ''];
  });
}

/*
 * Without the one file that says that it is a log directory the folder of the logs was made anew, and its metadata log with the
 * names of all topics was emptied.
 */
it.each(['logs/meta.properties', 'logs'])('does not begin anew where %s is missing', async (name) => {
  const directory = await folderWithLog();
  const [file, elsewhere] = [join(directory, name), join(newFolder(), 'elsewhere')];
  renameSync(file, elsewhere);
  await expect(open(directory)).rejects.toMatchObject({
    code: 'corrupt',
    message: `${join(directory, 'logs', 'meta.properties')} is missing: put it, or the whole folder, back from a backup`,
  });
  rmSync(file, { recursive: true, force: true });
  renameSync(elsewhere, file);
  const { state } = await open(directory);
  expect(state.topics).toMatchObject([{ name: 't', partitions: [{ nextOffset: 1 }] }]);
});

it('begins anew where only a part of its first start is there', async () => {
  const directory = newFolder();
  await (await open(directory)).store.close();
  // Killed before it could say that there are logs.
  for (const name of ['tinymq.db', 'logs/meta.properties']) rmSync(join(directory, name));
  expect((await open(directory)).state.topics).toEqual([]);
});

/* The second broker wrote into the values before the lock of the logs ended it, and the first one's sessions were gone. */
it('is in use where the lock of the values was removed, and whoever comes changes nothing', async () => {
  const directory = await folderWithLog();
  const { store } = await open(directory);
  await store.putMeta('kept', Uint8Array.of(7));
  for (const name of ['lock', 'lock.pid', 'tinymq.db-shm']) rmSync(join(directory, name));
  const before = readFileSync(join(directory, 'tinymq.db-wal'));
  await expect(open(directory)).rejects.toMatchObject({ code: 'locked' });
  expect(readFileSync(join(directory, 'tinymq.db-wal'))).toEqual(before);
  await store.close();
  expect(await (await open(directory)).store.getMeta('kept')).toEqual(Uint8Array.of(7));
});

/* The logs of a crash have something to be written again, by whoever knows how. */
it('of a newer version is refused before its logs are changed, and opened by one that knows it', async () => {
  const [directory, crashed] = [newFolder(), newFolder()];
  await appendOne((await open(directory, 'commit')).store);
  cpSync(directory, crashed, { recursive: true });
  setFormat(crashed, STORE_FORMAT + 1);
  const before = logsOf(crashed);
  await expect(open(crashed)).rejects.toMatchObject({ code: 'unsupported' });
  expect(logsOf(crashed)).toEqual(before);
  setFormat(crashed, STORE_FORMAT);
  const { state } = await open(crashed);
  expect(state.topics).toMatchObject([{ name: 't', partitions: [{ nextOffset: 1 }] }]);
});

it('lets go of its logs where the values cannot be opened', async () => {
  const directory = await folderWithLog();
  const db = new DatabaseSync(join(directory, 'lock'));
  db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  await expect(open(directory)).rejects.toMatchObject({ code: 'locked' });
  db.close();
  const { state } = await open(directory);
  expect(state.topics).toMatchObject([{ name: 't', partitions: [{ nextOffset: 1 }] }]);
});
