import { constants } from 'node:fs';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { storeRestoreBytes } from '../../limits/persistence.ts';
import { type ImportResult, importLogs, TopicCopy } from '../import.ts';
import { KafkaDirectoryStore } from '../kafka-directory/kafka-directory-store.ts';
import { removeSnapshot, snapshotFolders } from '../kafka-directory/snapshot.ts';
import type { StoredTopic } from '../log-store.ts';
import { becomeBackup, type CopyProgress, demandFree } from '../sqlite/backup.ts';
import { SqliteStore } from '../sqlite/sqlite-store.ts';
import { STORE_FILE } from '../sqlite/store-file.ts';
import { newTopicOf } from './convert.ts';
import { LOGS_FOLDER } from './logs-folder.ts';

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
 * @throws StoreError `exists`; errors of SQLite and of the system.
 */
export async function backUpFolder(
  directory: string,
  file: string,
  takeSnapshot: () => Promise<string>,
  progress: CopyProgress,
): Promise<BackedUp> {
  demandFree(file);
  const part = `${file}.part`;
  const made = join(part, STORE_FILE);
  let snapshot: string | undefined;
  try {
    await rm(part, { recursive: true, force: true });
    await mkdir(part, { mode: 0o700 });
    snapshot = snapshotFolders([join(directory, LOGS_FOLDER)], await takeSnapshot())[0]!;
    await copyFile(join(snapshot, STORE_FILE), made, constants.COPYFILE_FICLONE);
    const damaged = await copyLogs(snapshot, part, progress);
    return { bytes: await becomeBackup(made, file), damaged };
  } finally {
    await rm(part, { recursive: true, force: true });
    if (snapshot !== undefined) await removeSnapshot([snapshot]);
  }
}

/**
 * The same of log directories: topics, committed records, commits of groups, users and rules become a store as that of a data
 * folder. Sessions and retained messages do not lie there.
 *
 * @param takeSnapshot makes a snapshot of the directories and tells its folders; they are gone afterwards.
 * @throws as {@link backUpFolder}.
 */
export async function backUpLogDirectories(
  file: string,
  takeSnapshot: () => Promise<readonly string[]>,
  progress: CopyProgress,
): Promise<BackedUp> {
  demandFree(file);
  const part = `${file}.part`;
  let folders: readonly string[] = [];
  try {
    await rm(part, { recursive: true, force: true });
    await mkdir(part, { mode: 0o700 });
    folders = await takeSnapshot();
    const damaged = await copyDirectories(folders, part, progress);
    return { bytes: await becomeBackup(join(part, STORE_FILE), file), damaged };
  } finally {
    await rm(part, { recursive: true, force: true });
    await removeSnapshot(folders);
  }
}

async function copyDirectories(
  folders: readonly string[],
  into: string,
  progress: CopyProgress,
): Promise<BackedUp['damaged']> {
  const from = new KafkaDirectoryStore({ directories: [...folders], areOurs: true, fsync: 'os' });
  const store = new SqliteStore({ directory: into, fsync: 'os' });
  try {
    const { damaged } = await importLogs(from, store, ({ copiedBytes, totalBytes }) =>
      progress(copiedBytes, totalBytes),
    );
    for (let after = ''; ; ) {
      const entries = await from.readEntries(after, storeRestoreBytes);
      if (entries.length === 0) break;
      await store.putEntries(entries);
      after = entries.at(-1)!.key;
    }
    await store.flush();
    return damaged;
  } finally {
    await Promise.all([from.close(), store.close()]);
  }
}

/** Copies topics, batches and producers of a snapshot into the store of a folder that has none. */
async function copyLogs(
  snapshot: string,
  into: string,
  progress: CopyProgress,
): Promise<BackedUp['damaged']> {
  const from = new KafkaDirectoryStore({ directories: [snapshot], areOurs: true, fsync: 'os' });
  const store = new SqliteStore({ directory: into, fsync: 'os' });
  try {
    const { topics } = await from.open();
    await store.open();
    const copy = new TopicCopy(from, store, topics, ({ copiedBytes, totalBytes }) =>
      progress(copiedBytes, totalBytes),
    );
    for (const topic of topics) await copyTopic(copy, store, topic);
    await store.flush();
    return copy.damaged;
  } finally {
    await Promise.all([from.close(), store.close()]);
  }
}

async function copyTopic(copy: TopicCopy, into: SqliteStore, topic: StoredTopic): Promise<void> {
  const made = await into.createTopic(newTopicOf(topic));
  await copy.topic(topic, made);
  for (const { number, producers } of topic.partitions) {
    if (producers.length > 0) await into.putProducers(made.partitions[number]!.id, producers);
  }
}
