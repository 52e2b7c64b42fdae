import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { foldersOfStores } from '../../../test/support/folders-of-stores.ts';
import { asRecordBatch, damageIn } from '../../../test/support/kafka-directory.ts';
import { DataFolderStore } from '../data-folder/data-folder-store.ts';
import { formatKafkaDirectory } from './format.ts';
import { KafkaDirectoryStore } from './kafka-directory-store.ts';
import { removeSnapshot, snapshotFolders } from './snapshot.ts';

const { opened, newFolder } = foldersOfStores('tinymq-snapshot-');

const batch = (baseOffset: number) =>
  asRecordBatch({
    ...{ baseOffset, lastOffset: baseOffset, count: 1 },
    ...{ maxTimestamp: 1_000 + baseOffset, bytes: new Uint8Array(100).fill(7) },
  });

const topicOf = (name: string, id: number) => ({
  ...{ name, topicId: new Uint8Array(16).fill(id), configs: {}, createdAtMs: 5, partitionCount: 2 },
});

async function open(directory: string, areOurs = true) {
  const store = new KafkaDirectoryStore({
    directories: [directory],
    areOurs,
    fsync: 'os',
    segmentBytes: 1_000,
  });
  opened.push(store);
  return { store, state: await store.open() };
}

async function newDirectory(): Promise<string> {
  const directory = newFolder();
  await formatKafkaDirectory(directory);
  return directory;
}

describe('a snapshot', () => {
  it('has what was there in one moment, whatever is appended, deleted and replaced afterwards', async () => {
    const directory = await newDirectory();
    const { store } = await open(directory);
    const { partitions } = await store.createTopic(topicOf('kept', 1));
    const { partitions: others } = await store.createTopic(topicOf('deleted', 2));
    const id = partitions[0]!.id;
    for (let offset = 0; offset < 20; offset++) await store.append(id, batch(offset));
    for (let offset = 0; offset < 5; offset++) await store.append(others[1]!.id, batch(offset));
    // Of what is under way in that moment, what lasts before is in it, and nothing else.
    const before = [20, 21, 22].map((offset) => store.append(id, batch(offset)));
    const taking = store.snapshot();
    const behind = store.append(id, batch(23));
    await Promise.all(before);
    const [folder] = snapshotFolders([directory], (await taking).name);
    await behind;
    await store.replace(id, 3, 5, [batch(4)]);
    await store.deleteUntil(id, 12);
    await store.deleteTopic('deleted');
    for (let offset = 24; offset < 40; offset++) await store.append(id, batch(offset));
    expect(await damageIn(folder!)).toEqual([]);
    const { store: copy, state } = await open(folder!);
    expect(
      state.topics.map(({ name, partitions: all }) => [name, ...all.map((each) => each.nextOffset)]),
    ).toEqual([
      ['deleted', 0, 5],
      ['kept', 23, 0],
    ]);
    const { id: copied } = state.topics[1]!.partitions[0]!;
    const offsets = (await copy.read(copied, 0, 1e6)).map(({ baseOffset }) => baseOffset);
    expect(offsets).toEqual(Array.from({ length: 23 }, (_, offset) => offset));
    // Nothing that is done to the copy is done to the store.
    await copy.append(copied, batch(23));
    await copy.deleteUntil(copied, 20);
    await copy.close();
    await removeSnapshot([folder!]);
    expect((await store.read(id, 0, 1e6)).map(({ baseOffset }) => baseOffset)).toEqual(
      Array.from({ length: 28 }, (_, at) => at + 12),
    );
    await store.close();
    expect(await damageIn(directory)).toEqual([]);
  });

  it('of a data folder has values of the same moment', async () => {
    const directory = newFolder();
    const store = new DataFolderStore({ directory, fsync: 'os' });
    opened.push(store);
    await store.open();
    const { partitions } = await store.createTopic(topicOf('kept', 1));
    const id = partitions[0]!.id;
    let isDone = false;
    // Each value is put when the record that it names lasts.
    const writing = (async () => {
      for (let offset = 0; !isDone; offset++) {
        await store.append(id, batch(offset));
        await store.putEntries([{ key: 'read', value: Buffer.from(String(offset)) }]);
      }
    })();
    for (let count = 0; count < 5; count++) {
      const { name } = await store.snapshot(true);
      const [folder] = snapshotFolders([join(directory, 'logs')], name);
      const { state } = await open(folder!);
      const { nextOffset } = state.topics[0]!.partitions[0]!;
      const { DatabaseSync } = await import('node:sqlite');
      const db = new DatabaseSync(join(folder!, 'tinymq.db'), { readOnly: true });
      const row = db.prepare("SELECT value FROM entry WHERE key = 'read'").get();
      db.close();
      if (row !== undefined) expect(Number(Buffer.from(row.value as Uint8Array))).toBeLessThan(nextOffset);
      await opened.pop()!.close();
      await removeSnapshot([folder!]);
    }
    isDone = true;
    await writing;
  });
});

describe('what is left over in a directory', () => {
  const passing = `snapshot-0.${'a'.repeat(32)}-delete`;
  const stray = `old-0.${'b'.repeat(32)}-stray`;

  it('goes with the next start where the directory is ours, and nothing else does', async () => {
    const directory = await newDirectory();
    const { store } = await open(directory);
    const { partitions } = await store.createTopic(topicOf('kept', 1));
    await store.createTopic(topicOf('gone', 2));
    const made = await store.createTopic(topicOf('again', 3));
    await store.append(partitions[0]!.id, batch(0));
    await store.append(made.partitions[0]!.id, batch(0));
    await store.deleteTopic('gone');
    await store.deleteTopic('again');
    await store.createTopic(topicOf('again', 4));
    await store.close();
    for (const [name, id] of [
      [passing, 9],
      [stray, 9],
      // Killed on the way, behind the record that says so.
      ['gone-1', 2],
      // Of a topic that no record says to be deleted.
      ['unknown-0', 8],
    ] as const) {
      mkdirSync(join(directory, name));
      const topicId = Buffer.alloc(16, id).toString('base64url');
      writeFileSync(join(directory, name, 'partition.metadata'), `version: 0\ntopic_id: ${topicId}`);
    }
    await (await open(directory)).store.close();
    const names = readdirSync(directory).filter((name) => /-/.test(name) && !name.endsWith('checkpoint'));
    expect(names.sort()).toEqual(['__cluster_metadata-0', 'kept-0', 'unknown-0']);
  });

  it('stays where Kafka may have it, but for what Kafka would remove itself', async () => {
    const directory = await newDirectory();
    for (const name of [passing, stray]) mkdirSync(join(directory, name));
    await (await open(directory, false)).store.close();
    expect([passing, stray].map((name) => existsSync(join(directory, name)))).toEqual([false, true]);
  });
});

// A kill between the folder and what stands in it once left it without that, or with half of it, for ever.
it.each([undefined, ''])(
  'a partition gets the file that says whose it is where a crash left %j',
  async (left) => {
    const directory = await newDirectory();
    const { store } = await open(directory);
    const { partitions } = await store.createTopic(topicOf('kept', 1));
    mkdirSync(join(directory, 'kept-0'));
    const file = join(directory, 'kept-0', 'partition.metadata');
    if (left !== undefined) writeFileSync(file, left);
    await store.append(partitions[0]!.id, batch(0));
    await store.close();
    const topicId = Buffer.alloc(16, 1).toString('base64url');
    expect(readFileSync(file, 'utf8')).toBe(`version: 0\ntopic_id: ${topicId}\n`);
  },
);
