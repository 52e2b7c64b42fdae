import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from '../../lib/sqlite.ts';
import { makeDirectory } from '../make-directory.ts';
import { closeQuietly } from '../sqlite/files.ts';
import { StoreError } from '../store-error.ts';

/** Kafka holds a lock of the operating system on this empty file as long as it runs. */
export const LOCK = '.lock';
const SQLITE_BUSY = 5;

/** That no other broker, and no Kafka, has the directories. */
export type DirectoryLocks = DatabaseSync[];

/** Takes the directories for this process; those that are missing are made. @throws StoreError `locked` */
export function lockDirectories(directories: readonly string[]): DirectoryLocks {
  const locks: DirectoryLocks = [];
  try {
    for (const directory of directories) {
      makeDirectory(directory);
      locks.push(lockKafkaDirectory(directory));
    }
    return locks;
  } catch (error) {
    releaseLocks(locks);
    throw error;
  }
}

export function releaseLocks(locks: DirectoryLocks): void {
  for (const lock of locks.splice(0)) closeQuietly(lock);
}

/**
 * Takes a Kafka log directory for this process, against other brokers and against Kafka itself, until the returned
 * connection is closed or the process ends. Node has no file locks; SQLite's exclusive lock is one on a part of the
 * file, and Kafka's, on the whole file, meets it. Nothing is written into the file.
 *
 * @throws StoreError `locked` when somebody has it, `unsupported` where the file is not Kafka's
 */
function lockKafkaDirectory(directory: string): DatabaseSync {
  const file = join(directory, LOCK);
  if (existsSync(file) && statSync(file).size > 0) {
    throw new StoreError('unsupported', `${file} is not empty, so it is not Kafka's lock file`);
  }
  const lock = new DatabaseSync(file);
  try {
    lock.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    closeQuietly(lock);
    const { errcode = 0 } = error as { errcode?: number };
    if ((errcode & 0xff) !== SQLITE_BUSY) throw error;
    throw new StoreError('locked', `${directory} is in use, by Kafka or by another broker`);
  }
  return lock;
}
