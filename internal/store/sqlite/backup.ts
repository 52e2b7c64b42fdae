import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { backupStepPages } from '../../limits/store.ts';
import { StoreError } from '../store-error.ts';
import { syncDirectory } from '../sync-directory.ts';
import { digestOf, readDigest, removeDigest, writeDigest } from './digest.ts';
import { closeQuietly, isDamage, lockDirectory, openForReading } from './files.ts';
import { checkFormat, PAGE_BYTES } from './schema.ts';
import { STORE_FILE } from './store-file.ts';

const FILE_MODE = 0o600;

/** Told while bytes are copied. What it throws ends the copy. */
export type CopyProgress = (copiedBytes: number, totalBytes: number) => void;

/**
 * Copies the store of a folder into a file, whether a broker has it or not: all that was committed when the copy began, and
 * nothing that came later. The broker goes on writing meanwhile. The file is there as a whole or not at all.
 *
 * @returns the bytes of the file.
 * @throws StoreError `exists`, `unsupported`; errors of SQLite and of the system.
 */
export async function backUpStore(directory: string, file: string, progress: CopyProgress): Promise<number> {
  if (existsSync(file)) throw new StoreError('exists', `there is a file ${file} already`);
  const store = openStore(directory);
  const part = `${file}.part`;
  try {
    // With this transaction all steps copy the same state.
    store.exec('BEGIN');
    store.prepare('SELECT count(*) FROM meta').get();
    await createForOwner(part);
    await backup(store, part, {
      rate: backupStepPages,
      progress: ({ totalPages, remainingPages }) =>
        progress((totalPages - remainingPages) * PAGE_BYTES, totalPages * PAGE_BYTES),
    });
    seal(part);
    const bytes = await sync(part);
    await rename(part, file);
    syncDirectory(dirname(file));
    return bytes;
  } finally {
    closeQuietly(store);
    for (const extra of ['', '-journal', '-wal', '-shm']) rmSync(part + extra, { force: true });
  }
}

/**
 * Makes a backup the store of a folder that has none.
 *
 * @throws StoreError `exists` where there is a store, `locked`, `unsupported` where the file is no backup.
 */
export async function restoreStore(file: string, directory: string): Promise<void> {
  const backedUp = openBackup(file);
  try {
    if (readDigest(backedUp) === undefined) {
      throw new StoreError('unsupported', `${file} was not made by a backup, or not to its end`);
    }
  } finally {
    closeQuietly(backedUp);
  }
  const lock = lockDirectory(directory);
  const store = join(directory, STORE_FILE);
  const part = `${store}.part`;
  try {
    if (existsSync(store)) throw new StoreError('exists', `there is a store in ${directory} already`);
    copyFileSync(file, part);
    const copy = new DatabaseSync(part);
    removeDigest(copy);
    copy.close();
    await sync(part);
    await rename(part, store);
    syncDirectory(directory);
  } finally {
    rmSync(part, { force: true });
    closeQuietly(lock);
  }
}

/** The store of a folder, to be read. @throws StoreError `not-found`, `corrupt`, `unsupported`; errors of SQLite. */
export function openStore(directory: string): DatabaseSync {
  const file = join(directory, STORE_FILE);
  if (!existsSync(file)) throw new StoreError('not-found', `there is no store in ${directory}`);
  return checked(file, () => openForReading(directory));
}

/** The same for a file that a backup made. */
export function openBackup(file: string): DatabaseSync {
  if (!existsSync(file)) throw new StoreError('not-found', `there is no file ${file}`);
  return checked(file, () => new DatabaseSync(file, { readOnly: true }));
}

function checked(file: string, open: () => DatabaseSync): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    db = open();
    if (checkFormat(db, file) === 0) throw new StoreError('unsupported', `${file} is an empty store`);
    return db;
  } catch (error) {
    if (db !== undefined) closeQuietly(db);
    if (!isDamage(error)) throw error;
    const problem = `${file} is damaged, or not a file of tinymq: ${(error as Error).message}`;
    throw new StoreError('corrupt', problem, { cause: error });
  }
}

/** The copy needs no other file beside it, and says what is in it. */
function seal(file: string): void {
  const db = new DatabaseSync(file);
  try {
    db.exec('PRAGMA journal_mode = DELETE');
    writeDigest(db, digestOf(db));
  } finally {
    db.close();
  }
}

/** Waits until the disk has a file. Returns its bytes. */
async function sync(file: string): Promise<number> {
  await using handle = await open(file, 'r+');
  await handle.sync();
  return (await handle.stat()).size;
}

async function createForOwner(file: string): Promise<void> {
  rmSync(file, { force: true });
  await (await open(file, 'wx', FILE_MODE)).close();
}
