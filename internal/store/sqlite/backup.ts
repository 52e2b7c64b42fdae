import { copyFileSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { backup, DatabaseSync } from '../../lib/sqlite.ts';
import { backupStepPages } from '../../limits/store.ts';
import { LOGS_FOLDER } from '../data-folder/logs-folder.ts';
import { StoreError } from '../store-error.ts';
import { syncDirectory } from '../sync-directory.ts';
import { writingTo } from '../writing-to.ts';
import { digestOf, readDigest, removeDigest, writeDigest } from './digest.ts';
import { closeQuietly, isDamage, lockDirectory, openForReading } from './files.ts';
import { checkFormat, PAGE_BYTES } from './schema.ts';
import { STORE_FILE } from './store-file.ts';

const FILE_MODE = 0o600;
/** Our lock, and what a disk has at its root. */
const OF_EVERY_FOLDER = new Set(['lock', 'lock-journal', 'lock.pid', 'lost+found']);

/** Told while bytes are copied. What it throws ends the copy. */
export type CopyProgress = (copiedBytes: number, totalBytes: number) => void;

/**
 * Copies the store of a folder into a file, whether a broker has it or not: all that was committed when the copy began, and
 * nothing that came later. The broker goes on writing meanwhile. The file is there as a whole or not at all. Logs that lie beside
 * the store are another copy's (../data-folder/backup.ts).
 *
 * @returns the bytes of the file.
 * @throws StoreError `exists`, `unsupported`; StoreUnavailableError `disk-full`; errors of SQLite and of the system.
 */
export async function backUpStore(directory: string, file: string, progress: CopyProgress): Promise<number> {
  demandFree(file);
  const part = `${file}.part`;
  using pinned = new PinnedStore(directory);
  try {
    return await writingTo(file, async () => {
      await pinned.copyTo(part, progress);
      return becomeBackup(part, file);
    });
  } finally {
    for (const extra of ['', '-journal', '-wal', '-shm']) rmSync(part + extra, { force: true });
  }
}

/** One state of the store of a folder, while it goes on. */
export class PinnedStore implements Disposable {
  readonly #db: DatabaseSync;

  /** @throws StoreError `not-found`, `corrupt`, `unsupported`; errors of SQLite. */
  constructor(directory: string) {
    this.#db = openStore(directory);
    // With this transaction all steps copy the same state.
    this.#db.exec('BEGIN');
    this.#db.prepare('SELECT count(*) FROM meta').get();
  }

  /** @throws errors of SQLite and of the system. */
  async copyTo(file: string, progress: CopyProgress = () => {}): Promise<void> {
    await createForOwner(file);
    await backup(this.#db, file, {
      rate: backupStepPages,
      progress: ({ totalPages, remainingPages }) =>
        progress((totalPages - remainingPages) * PAGE_BYTES, totalPages * PAGE_BYTES),
    });
  }

  [Symbol.dispose](): void {
    closeQuietly(this.#db);
  }
}

/** @throws StoreError `exists` */
export function demandFree(file: string): void {
  if (existsSync(file)) throw new StoreError('exists', `there is a file ${file} already`);
}

/** Makes a store that nobody has open a backup of this name. @returns its bytes. */
export async function becomeBackup(store: string, file: string): Promise<number> {
  seal(store);
  const bytes = await sync(store);
  await rename(store, file);
  syncDirectory(dirname(file));
  return bytes;
}

/**
 * Makes a backup the store of a folder that has nothing in it.
 *
 * @throws StoreError `exists` where there is a store or anything else, `locked`, `unsupported` where the file is no backup;
 * StoreUnavailableError `disk-full`.
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
    demandEmpty(directory);
    await writingTo(directory, async () => {
      copyFileSync(file, part);
      const copy = new DatabaseSync(part);
      removeDigest(copy);
      copy.close();
      await sync(part);
      await rename(part, store);
      syncDirectory(directory);
    });
  } finally {
    rmSync(part, { force: true });
    closeQuietly(lock);
  }
}

/** Logs of another store would be taken for those of this one. */
function demandEmpty(directory: string): void {
  const names = readdirSync(directory).filter((name) => !OF_EVERY_FOLDER.has(name));
  if (names.length === 0) return;
  const store = names.find((name) => name === STORE_FILE || name.startsWith(LOGS_FOLDER));
  if (store !== undefined) throw new StoreError('exists', `there is a store in ${directory} already`);
  throw new StoreError('exists', `${directory} is not empty: there is ${names[0]} in it`);
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
