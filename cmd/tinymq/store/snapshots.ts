import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { takeSnapshot } from '../../../internal/admin/operations/store.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { LOGS_FOLDER } from '../../../internal/store/data-folder/logs-folder.ts';
import { removeSnapshot, snapshotFolders } from '../../../internal/store/kafka-directory/snapshot.ts';
import type { Snapshot } from '../../../internal/store/log-store.ts';
import { throughSocket } from '../reach/reach.ts';

/**
 * Has the broker that runs with a folder make a snapshot of its logs.
 *
 * @returns undefined where none runs, or where its socket is not open.
 * @throws Failure where the broker has no logs in files, or cannot make one.
 */
async function snapshotByBroker(folder: string, withValues: boolean): Promise<Snapshot | undefined> {
  const done = await throughSocket(folder, (broker) => broker.call(takeSnapshot, { withValues }));
  return done?.result;
}

/** The folder of such a snapshot of the logs in a data folder. @returns undefined where none runs. */
export async function logsSnapshotByBroker(folder: string): Promise<string[] | undefined> {
  const made = await snapshotByBroker(folder, false);
  return made && snapshotFolders([join(folder, LOGS_FOLDER)], made.name);
}

/** A snapshot, with values, of a folder whether a broker has it or not. @throws Failure; StoreError. */
export async function snapshotOfFolder(folder: string): Promise<string> {
  const made = await snapshotByBroker(folder, true);
  if (made !== undefined) return made.name;
  const { DataFolderStore } = await import('../../../internal/store/data-folder/data-folder-store.ts');
  const store = new DataFolderStore({ directory: folder, fsync: 'commit' });
  try {
    await store.open();
    return (await store.snapshot(true)).name;
  } finally {
    await store.close();
  }
}

/**
 * The folders of a snapshot of log directories that the broker makes which has them. It knows all that it has; that of the first one
 * comes first, where its own file lies.
 *
 * @returns undefined where none runs.
 * @throws Failure where the broker has directories that are not to be seen from here.
 */
export async function snapshotFoldersByBroker(given: readonly string[]): Promise<string[] | undefined> {
  const made = await snapshotByBroker(given[0]!, false);
  if (made === undefined) return undefined;
  const [first, ...more] = [...new Set(given.map((each) => resolve(each)))];
  const others = made.directories.filter((each) => each !== first);
  // A broker in a container calls them otherwise; then all have to be named.
  const isKnown = made.directories.includes(first!);
  const folders = snapshotFolders([first!, ...(isKnown ? others : more)], made.name);
  if (folders.length === made.directories.length && folders.every((folder) => existsSync(folder)))
    return folders;
  await removeSnapshot(folders);
  throw new Failure(
    `the broker has its logs in ${made.directories.join(', ')}: name all of them with -kafka-log-dir, as they are called here`,
  );
}

/** The same, whether a broker runs or not. @throws Failure; StoreError. */
export async function snapshotFoldersOf(given: readonly string[]): Promise<string[]> {
  const made = await snapshotFoldersByBroker(given);
  if (made !== undefined) return made;
  const { KafkaDirectoryStore } = await import(
    '../../../internal/store/kafka-directory/kafka-directory-store.ts'
  );
  const store = new KafkaDirectoryStore({ directories: [...given], fsync: 'commit' });
  try {
    await store.open();
    store.demandAllDirectories();
    return snapshotFolders(given, (await store.snapshot()).name);
  } finally {
    await store.close();
  }
}
