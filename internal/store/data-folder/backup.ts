import { constants } from 'node:fs';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pagesOfEntries } from '../entry-store.ts';
import { type ImportResult, importLogs, TopicCopy } from '../import.ts';
import { KafkaDirectoryStore } from '../kafka-directory/kafka-directory-store.ts';
import { removeSnapshot, snapshotFolders } from '../kafka-directory/snapshot.ts';
import type { StoredTopic } from '../log-store.ts';
import { becomeBackup, type CopyProgress, demandFree } from '../sqlite/backup.ts';
import { SqliteStore } from '../sqlite/sqlite-store.ts';
import { STORE_FILE } from '../sqlite/store-file.ts';
import { writingTo } from '../writing-to.ts';
import { newTopicOf } from './convert.ts';
import { HAS_LOGS, LOGS_FOLDER } from './logs-folder.ts';

/** A backup that was made. */
export interface BackedUp {
  readonly bytes: number;
  /** Batches that are damaged in the store, and are not in the backup. */
  readonly damaged: ImportResult['damaged'];
}

/**
 * Makes one file of a data folder that has segment files: a store that has the logs in it, as stores had before. So it is
 * read whole, verified and restored like the backups of any version; whoever opens it makes segment files of the logs.
 * The file is there as a whole or not at all.
 *
 * @param takeSnapshot makes a snapshot of the folder, with values, and tells its name; it is gone afterwards.
 * @throws StoreError `exists`; StoreUnavailableError `disk-full`; errors of SQLite and of the system.
 */
export function backUpFolder(
  directory: string,
  file: string,
  takeSnapshot: () => Promise<string>,
  progress: CopyProgress,
): Promise<BackedUp> {
  const take = async () => snapshotFolders([join(directory, LOGS_FOLDER)], await takeSnapshot());
  return backUp(file, take, async (folders, into) => {
    await copyFile(join(folders[0]!, STORE_FILE), join(into, STORE_FILE), constants.COPYFILE_FICLONE);
    return copyBetween(folders, into, (from, store) => copyLogs(from, store, progress));
  });
}

/**
 * The same of log directories: topics, committed records, commits of groups, users and rules become a store as that of a data
 * folder. Sessions and retained messages do not lie there.
 *
 * @param takeSnapshot makes a snapshot of the directories and tells its folders; they are gone afterwards.
 * @throws as {@link backUpFolder}.
 */
export function backUpLogDirectories(
  file: string,
  takeSnapshot: () => Promise<readonly string[]>,
  progress: CopyProgress,
): Promise<BackedUp> {
  return backUp(file, takeSnapshot, (folders, into) =>
    copyBetween(folders, into, (from, store) => copyAll(from, store, progress)),
  );
}

/** @param copy makes the store of an empty folder of a snapshot, and tells what was damaged. */
async function backUp(
  file: string,
  takeSnapshot: () => Promise<readonly string[]>,
  copy: (snapshot: readonly string[], into: string) => Promise<BackedUp['damaged']>,
): Promise<BackedUp> {
  demandFree(file);
  const part = `${file}.part`;
  let snapshot: readonly string[] = [];
  try {
    await rm(part, { recursive: true, force: true });
    await mkdir(part, { mode: 0o700 });
    snapshot = await takeSnapshot();
    return await writingTo(file, async () => {
      const damaged = await copy(snapshot, part);
      return { bytes: await becomeBackup(join(part, STORE_FILE), file), damaged };
    });
  } finally {
    await rm(part, { recursive: true, force: true });
    await removeSnapshot(snapshot);
  }
}

async function copyBetween<T>(
  directories: readonly string[],
  into: string,
  copy: (from: KafkaDirectoryStore, store: SqliteStore) => Promise<T>,
): Promise<T> {
  const from = new KafkaDirectoryStore({ directories: [...directories], areOurs: true, fsync: 'os' });
  const store = new SqliteStore({ directory: into, fsync: 'os' });
  try {
    const copied = await copy(from, store);
    await store.flush();
    return copied;
  } finally {
    await Promise.all([from.close(), store.close()]);
  }
}

/** Copies logs, groups and entries into a store that has nothing. */
async function copyAll(
  from: KafkaDirectoryStore,
  store: SqliteStore,
  progress: CopyProgress,
): Promise<BackedUp['damaged']> {
  const { damaged } = await importLogs(from, store, ({ copiedBytes, totalBytes }) =>
    progress(copiedBytes, totalBytes),
  );
  for await (const entries of pagesOfEntries(from)) await store.putEntries(entries);
  return damaged;
}

/** Copies topics, batches and producers into a store that has everything else. */
async function copyLogs(
  from: KafkaDirectoryStore,
  store: SqliteStore,
  progress: CopyProgress,
): Promise<BackedUp['damaged']> {
  const { topics } = await from.open();
  await store.open();
  // The logs lie in the backup itself: whoever opens it must not take its segment files for missing.
  await store.putMeta(HAS_LOGS, undefined);
  const copy = new TopicCopy(from, store, topics, ({ copiedBytes, totalBytes }) =>
    progress(copiedBytes, totalBytes),
  );
  for (const topic of topics) await copyTopic(copy, store, topic);
  return copy.damaged;
}

async function copyTopic(copy: TopicCopy, into: SqliteStore, topic: StoredTopic): Promise<void> {
  const made = await into.createTopic(newTopicOf(topic));
  await copy.topic(topic, made);
  for (const { number, producers } of topic.partitions) {
    if (producers.length > 0) await into.putProducers(made.partitions[number]!.id, producers);
  }
}
