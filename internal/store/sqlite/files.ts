import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from '../../lib/sqlite.ts';
import { storeBusyTimeoutMs, storeCacheBytes, storeCheckpointBytes } from '../../limits/store.ts';
import type { FsyncPolicy } from '../log-store.ts';
import { makeDirectory } from '../make-directory.ts';
import { SQLITE_PRIMARY_CODE, StoreError, StoreUnavailableError, unavailableReason } from '../store-error.ts';
import { syncDirectory, syncFile } from '../sync-directory.ts';
import { defineChecksums } from './checksum.ts';
import { migrate, PAGE_BYTES } from './schema.ts';
import { STORE_FILE as DATABASE } from './store-file.ts';

const LOCK = 'lock';
const OWNER = 'lock.pid';
/** Of the owner only: logs hold what was published. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** The primary result codes of SQLite that matter here. */
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/** The connection that writes. @throws StoreError `unsupported`; errors of SQLite */
export function openForWriting(directory: string, fsync: FsyncPolicy): DatabaseSync {
  const file = join(directory, DATABASE);
  // SQLite gives its other files (write-ahead log, shared memory) the mode of this one.
  createMissing(file);
  chmodSync(file, FILE_MODE);
  const db = new DatabaseSync(file);
  try {
    // Page size and vacuum mode are settled with the first write, so they come first.
    db.exec(`
      PRAGMA busy_timeout = ${storeBusyTimeoutMs};
      PRAGMA page_size = ${PAGE_BYTES};
      PRAGMA auto_vacuum = INCREMENTAL;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = ${fsync === 'commit' ? 'FULL' : 'NORMAL'};
      PRAGMA wal_autocheckpoint = ${storeCheckpointBytes / PAGE_BYTES};
      PRAGMA journal_size_limit = ${storeCheckpointBytes};
      PRAGMA cache_size = ${-storeCacheBytes / 1024};
    `);
    defineChecksums(db);
    migrate(db, file);
    return db;
  } catch (error) {
    closeQuietly(db);
    throw error;
  }
}

/** A connection that reads, beside the one that writes: neither waits for the other. */
export function openForReading(directory: string): DatabaseSync {
  const db = new DatabaseSync(join(directory, DATABASE), { readOnly: true });
  db.exec(`PRAGMA busy_timeout = ${storeBusyTimeoutMs}; PRAGMA cache_size = ${-storeCacheBytes / 1024}`);
  return db;
}

/**
 * Creates the directory if it is missing and takes it for this process, until the returned connection is closed or the
 * process ends, however it ends: the lock is the operating system's, held through an SQLite file of its own.
 * @throws StoreError `locked` when another broker has it
 */
export function lockDirectory(directory: string): DatabaseSync {
  makeDirectory(directory, DIRECTORY_MODE);
  const file = join(directory, LOCK);
  createMissing(file);
  const lock = new DatabaseSync(file);
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    closeQuietly(lock);
    if (resultCode(error) === SQLITE_BUSY) throw inUse(directory);
    const problem = `${file} cannot be locked: ${(error as Error).message}`;
    throw new StoreUnavailableError(
      unavailableReason(error),
      `${problem}; the disk fails or is full, or this process may not write there`,
      { cause: error },
    );
  }
  writeFileSync(join(directory, OWNER), `${process.pid}\n`, { mode: FILE_MODE });
  return lock;
}

/** The error for whoever wants a directory that another broker has. */
export function inUse(directory: string): StoreError {
  return new StoreError('locked', `${directory} is in use by another broker${ownerOf(directory)}`);
}

/** Moves a file that cannot be read, and what belongs to it, to a new name. Returns that name. */
export function setAside(directory: string): string {
  const suffix = `.damaged-${new Date().toISOString().replaceAll(':', '-')}`;
  for (const extra of ['', '-wal', '-shm']) {
    const file = join(directory, DATABASE + extra);
    if (existsSync(file)) renameSync(file, join(directory, DATABASE + suffix + extra));
  }
  return join(directory, DATABASE + suffix);
}

/** A file that a connection has open lost its name: what is written into it is gone when it is closed. */
export class RemovedFileError extends Error {}

/** The files that a connection writes, which somebody may remove. */
export class NamedFiles {
  readonly #inodes: ReadonlyMap<string, number>;

  /** @param directory whose store is open, and was read from. */
  constructor(directory: string) {
    const files = ['', '-wal'].map((extra) => join(directory, DATABASE + extra));
    this.#inodes = new Map(files.map((file) => [file, statSync(file).ino]));
  }

  /** @throws RemovedFileError where one of them is another file by now, or none */
  demand(): void {
    for (const [file, inode] of this.#inodes) {
      if (statSync(file, { throwIfNoEntry: false })?.ino === inode) continue;
      throw new RemovedFileError(`${file} was removed while the broker had it open`);
    }
  }
}

/**
 * Gives the store a file with its name again, with all that a connection whose files were removed still has; that is closed then.
 *
 * @throws errors of SQLite and of the system.
 */
export function restoreFile(db: DatabaseSync, directory: string): void {
  const file = join(directory, DATABASE);
  const copy = `${file}.restored`;
  rmSync(copy, { force: true });
  db.prepare('VACUUM INTO ?').run(copy);
  chmodSync(copy, FILE_MODE);
  syncFile(copy);
  closeQuietly(db);
  // They belong to the file that is gone: the next connection would take what is in them for its own.
  for (const extra of ['-wal', '-shm']) rmSync(file + extra, { force: true });
  renameSync(copy, file);
  syncDirectory(directory);
}

/** @throws Error where a broker that runs would begin with an empty file, as its own was removed */
export function demandFile(directory: string): void {
  const file = join(directory, DATABASE);
  if (!existsSync(file)) {
    throw new Error(
      `${file} was removed, and cannot be written anew: put it back, or start the broker anew without it`,
    );
  }
}

/** Whether the content of a file is wrong, rather than the disk or the moment. */
export function isDamage(error: unknown): boolean {
  const code = resultCode(error);
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

/** The same for a connection that only reads, where anything but a lock that another holds is wrong with the file. */
export function isReadProblem(error: unknown): boolean {
  const code = resultCode(error);
  return code !== undefined && code !== SQLITE_BUSY;
}

/** Closes a connection that may have failed: what it lost was never acknowledged. */
export function closeQuietly(db: DatabaseSync): void {
  try {
    db.close();
  } catch {
    // Its checkpoint failed, or it was closed before; the write-ahead log stays for the next one that opens.
  }
}

/**
 * Creates an empty file unless there is one. One that is there must not even be opened: when a process closes any
 * descriptor of a file, POSIX takes all its locks on that file away, those of SQLite's connections too.
 */
function createMissing(file: string): void {
  try {
    closeSync(openSync(file, 'wx', FILE_MODE));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function resultCode(error: unknown): number | undefined {
  const { errcode } = error as { errcode?: number };
  return errcode === undefined ? undefined : errcode & SQLITE_PRIMARY_CODE;
}

function ownerOf(directory: string): string {
  try {
    return ` (process ${readFileSync(join(directory, OWNER), 'utf8').trim()})`;
  } catch {
    return '';
  }
}
