import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { verifyBatchesBetween, verifyProblems } from '../../limits/store.ts';
import { openBackup, openStore } from './backup.ts';
import { batchChecksum, batchPlaceChecksum, defineChecksums } from './checksum.ts';
import { digestOf, readDigest } from './digest.ts';
import { closeQuietly, isReadProblem } from './files.ts';
import { PARTIAL_CHECKSUMS } from './schema.ts';
import { STORE_FILE } from './store-file.ts';
import { type RowReport, verifyRows, verifyTables } from './verify-rows.ts';
import { walProblem } from './write-ahead-log.ts';

/** What was read, and what is wrong with it. */
export interface Verified {
  topics: number;
  batches: number;
  records: number;
  bytes: number;
  /** Sessions, retained messages, users, rules and the like. */
  entries: number;
  /** Rows without a checksum, which an older version wrote. */
  unchecked: number;
  /** One line each; no more than `verifyProblems` of them. */
  problems: string[];
}

/** Yields from time to time, so that others get their turn and somebody may stop it. */
export type Verifying = AsyncGenerator<Readonly<Verified>, Verified>;

/** What an entry is for people, by its key. */
export type NameOfEntry = (key: string) => string;

/** Reads the whole store of a folder, from one state of it; a broker may have it meanwhile. */
export async function* verifyFolder(directory: string, nameOfEntry: NameOfEntry): Verifying {
  // Before it is opened: that may take the log into the file, or throw away what is damaged.
  const problem = await walProblem(join(directory, `${STORE_FILE}-wal`));
  const db = openStore(directory);
  try {
    const found = yield* verify(db, nameOfEntry, false);
    if (problem !== undefined) found.problems.unshift(`the write-ahead log is damaged: ${problem}`);
    return found;
  } finally {
    closeQuietly(db);
  }
}

/** Reads a whole backup. */
export async function* verifyBackup(file: string, nameOfEntry: NameOfEntry): Verifying {
  const db = openBackup(file);
  try {
    return yield* verify(db, nameOfEntry, true);
  } finally {
    closeQuietly(db);
  }
}

type Step = Generator<Readonly<Verified> | undefined, void>;

function* verify(
  db: DatabaseSync,
  nameOfEntry: NameOfEntry,
  isBackup: boolean,
): Generator<Readonly<Verified>, Verified> {
  const found: Verified = {
    ...{ topics: 0, batches: 0, records: 0, bytes: 0, entries: 0, unchecked: 0, problems: [] },
  };
  const to = reportInto(found);
  defineChecksums(db);
  const parts: (() => Step)[] = [
    () => verifyTables(db, to),
    () => verifyBatches(db, found),
    () => verifyRows(db, nameOfEntry, to),
    () => countOthers(db, found),
    () => verifyTree(db, found),
    ...(isBackup ? [() => verifyDigest(db, found)] : []),
  ];
  for (const part of ['begin', ...parts] as const) {
    try {
      if (part === 'begin') db.exec('BEGIN');
      else for (const _ of part()) yield found;
    } catch (error) {
      if (!isReadProblem(error)) throw error;
      report(found, `the file is damaged: ${(error as Error).message}`);
    }
    if (found.problems.length >= verifyProblems) break;
  }
  return found;
}

function reportInto(found: Verified): RowReport {
  return {
    report: (problem) => report(found, problem),
    unchecked: () => found.unchecked++,
  };
}

interface Partition {
  topic: string;
  number: number;
  first_offset: number;
}

interface BatchRow {
  partition_id: number;
  base_offset: number;
  last_offset: number;
  record_count: number;
  max_timestamp: number;
  running_timestamp: number;
  running_bytes: number;
  byte_length: number;
  checksum: number;
  bytes_id: number;
  place_checksum?: number | null;
}

/** The bytes of every batch are what was written, and offsets only grow. */
function* verifyBatches(db: DatabaseSync, found: Verified): Step {
  const partitions = new Map(
    db
      .prepare('SELECT * FROM partition')
      .all()
      .map((row) => [row.id as number, row as unknown as Partition]),
  );
  const doomed = new Set(
    db
      .prepare('SELECT partition_id AS id FROM doomed')
      .all()
      .map(({ id }) => id as number),
  );
  for (const id of doomed) if (partitions.has(id)) report(found, `partition ${id} is deleted and is not`);
  const isPartial = db.prepare('SELECT 1 FROM meta WHERE key = ?').get(PARTIAL_CHECKSUMS) !== undefined;
  const bytesOf = db.prepare('SELECT bytes FROM batch_bytes WHERE id = ?');
  let partition = -1;
  let nextOffset = 0;
  let read = 0;
  for (const each of db.prepare('SELECT * FROM batch ORDER BY partition_id, base_offset').iterate()) {
    const row = each as unknown as BatchRow;
    if (row.partition_id !== partition) nextOffset = 0;
    partition = row.partition_id;
    const of = partitions.get(partition);
    const where = `${shownPartition(partition, of)}, offsets ${row.base_offset} to ${row.last_offset}`;
    if (of === undefined && !doomed.has(partition)) report(found, `${where}: they are of no partition`);
    if (row.base_offset < nextOffset) report(found, `${where}: they overlap with those before`);
    nextOffset = row.last_offset + 1;
    const isPlaced = isPlaceRight(row);
    if (isPlaced === undefined && isPartial) found.unchecked++;
    else if (isPlaced === false || (isPlaced === undefined && row.place_checksum === null)) {
      report(found, `${where}: their place is not what was written`);
    }
    // What is before the first offset is deleted, and on its way out.
    if (of !== undefined && row.last_offset >= of.first_offset) {
      const bytes = bytesOf.get(row.bytes_id)?.bytes as Uint8Array | undefined;
      if (!isWhole(row, bytes)) report(found, `${where}: the bytes are not what was written`);
      found.records += row.record_count;
      found.bytes += row.byte_length;
      found.batches++;
    }
    if (found.problems.length >= verifyProblems) return;
    if (++read % verifyBatchesBetween === 0) yield found;
  }
}

function shownPartition(id: number, of: Partition | undefined): string {
  return of === undefined ? `partition ${id}` : `topic '${of.topic}' partition ${of.number}`;
}

/** Undefined where there is no checksum. */
function isPlaceRight(row: BatchRow): boolean | undefined {
  const { running_timestamp, running_bytes, byte_length, checksum, bytes_id, base_offset } = row;
  if (row.place_checksum === undefined || row.place_checksum === null) return undefined;
  return (
    row.place_checksum ===
    batchPlaceChecksum(running_timestamp, running_bytes, byte_length, checksum, bytes_id, base_offset)
  );
}

function isWhole(row: BatchRow, bytes: Uint8Array | undefined): boolean {
  if (bytes?.length !== row.byte_length) return false;
  const { partition_id, base_offset, last_offset, record_count, max_timestamp, checksum } = row;
  return (
    batchChecksum(partition_id, base_offset, last_offset, record_count, max_timestamp, bytes) === checksum
  );
}

/** What has no checksum can be read. */
function* countOthers(db: DatabaseSync, found: Verified): Step {
  for (const row of db.prepare('SELECT name, configs FROM topic').iterate()) {
    found.topics++;
    if (!isJson(row.configs)) report(found, `topic '${row.name}': its settings are not readable`);
  }
  yield;
  for (const table of ['meta', 'producer', 'group_offset']) {
    const rows = db.prepare(`SELECT * FROM ${table}`);
    rows.setReadBigInts(true);
    for (const _ of rows.iterate());
  }
  const hasEntries = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'entry'").get() !== undefined;
  if (!hasEntries) return;
  for (const _ of db.prepare('SELECT * FROM entry').iterate()) found.entries++;
}

function isJson(value: unknown): boolean {
  try {
    JSON.parse(String(value));
    return true;
  } catch {
    return false;
  }
}

/** The pages of the file belong together. */
function* verifyTree(db: DatabaseSync, found: Verified): Step {
  yield;
  for (const row of db.prepare(`PRAGMA integrity_check(${verifyProblems})`).all()) {
    const line = String(row.integrity_check);
    if (line !== 'ok') report(found, `the file is damaged: ${line.replaceAll('\n', ' ')}`);
  }
}

/** What has no checksum of its own in a store has one in a backup. */
function* verifyDigest(db: DatabaseSync, found: Verified): Step {
  yield;
  const written = readDigest(db);
  if (written === undefined) report(found, 'it was not made by a backup, or not to its end');
  else if (!digestOf(db).every((byte, index) => byte === written[index])) {
    report(found, 'sessions, retained messages, users, topics or offsets are not what was backed up');
  }
}

function report(found: Verified, problem: string): void {
  if (found.problems.length < verifyProblems) found.problems.push(problem);
}
