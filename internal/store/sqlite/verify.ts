import type { DatabaseSync } from 'node:sqlite';
import { verifyBatchesBetween, verifyProblems } from '../../limits/store.ts';
import { openBackup, openStore } from './backup.ts';
import { batchChecksum } from './checksum.ts';
import { digestOf, readDigest } from './digest.ts';
import { closeQuietly, isDamage } from './files.ts';

/** What was read, and what is wrong with it. */
export interface Verified {
  topics: number;
  batches: number;
  records: number;
  bytes: number;
  /** Sessions, retained messages, users, rules and the like. */
  entries: number;
  /** One line each; no more than `verifyProblems` of them. */
  problems: string[];
}

/** Yields from time to time, so that others get their turn and somebody may stop it. */
export type Verifying = Generator<Readonly<Verified>, Verified>;

/** Reads the whole store of a folder, from one state of it; a broker may have it meanwhile. */
export function* verifyFolder(directory: string): Verifying {
  const db = openStore(directory);
  try {
    return yield* verify(db, false);
  } finally {
    closeQuietly(db);
  }
}

/** Reads a whole backup. */
export function* verifyBackup(file: string): Verifying {
  const db = openBackup(file);
  try {
    return yield* verify(db, true);
  } finally {
    closeQuietly(db);
  }
}

function* verify(db: DatabaseSync, isBackup: boolean): Verifying {
  const found: Verified = { topics: 0, batches: 0, records: 0, bytes: 0, entries: 0, problems: [] };
  db.exec('BEGIN');
  const parts = [verifyBatches, countOthers, verifyTree, ...(isBackup ? [verifyDigest] : [])];
  for (const part of parts) {
    try {
      yield* part(db, found);
    } catch (error) {
      if (!isDamage(error)) throw error;
      report(found, `the file is damaged: ${(error as Error).message}`);
    }
    if (found.problems.length >= verifyProblems) break;
  }
  return found;
}

interface Partition {
  id: number;
  topic: string;
  number: number;
  first_offset: number;
}

interface BatchRow {
  base_offset: number;
  last_offset: number;
  record_count: number;
  max_timestamp: number;
  byte_length: number;
  checksum: number;
  bytes_id: number;
}

/** The bytes of every batch are what was written, and offsets only grow. */
function* verifyBatches(db: DatabaseSync, found: Verified): Generator<Readonly<Verified>, void> {
  const partitions = db
    .prepare('SELECT id, topic, number, first_offset FROM partition ORDER BY topic, number')
    .all() as unknown as Partition[];
  const rows = db.prepare('SELECT * FROM batch WHERE partition_id = ? ORDER BY base_offset');
  const bytesOf = db.prepare('SELECT bytes FROM batch_bytes WHERE id = ?');
  for (const { id, topic, number, first_offset } of partitions) {
    let nextOffset = 0;
    for (const each of rows.iterate(id)) {
      const row = each as unknown as BatchRow;
      const where = `topic '${topic}' partition ${number}, offsets ${row.base_offset} to ${row.last_offset}`;
      if (row.base_offset < nextOffset) report(found, `${where}: they overlap with those before`);
      nextOffset = row.last_offset + 1;
      // What is before the first offset is deleted, and on its way out.
      if (row.last_offset >= first_offset) {
        const bytes = bytesOf.get(row.bytes_id)?.bytes as Uint8Array | undefined;
        if (!isWhole(id, row, bytes)) report(found, `${where}: the bytes are not what was written`);
        found.records += row.record_count;
        found.bytes += row.byte_length;
      }
      if (found.problems.length >= verifyProblems) return;
      if (++found.batches % verifyBatchesBetween === 0) yield found;
    }
  }
}

function isWhole(partition: number, row: BatchRow, bytes: Uint8Array | undefined): boolean {
  if (bytes?.length !== row.byte_length) return false;
  const { base_offset, last_offset, record_count, max_timestamp, checksum } = row;
  return batchChecksum(partition, base_offset, last_offset, record_count, max_timestamp, bytes) === checksum;
}

/** Everything else can be read. */
function* countOthers(db: DatabaseSync, found: Verified): Generator<Readonly<Verified>, void> {
  for (const row of db.prepare('SELECT name, configs FROM topic').iterate()) {
    found.topics++;
    if (!isJson(row.configs)) report(found, `topic '${row.name}': its settings are not readable`);
  }
  yield found;
  for (const table of ['meta', 'producer', 'group_offset']) {
    for (const _ of db.prepare(`SELECT * FROM ${table}`).iterate());
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
function* verifyTree(db: DatabaseSync, found: Verified): Generator<Readonly<Verified>, void> {
  yield found;
  for (const row of db.prepare(`PRAGMA integrity_check(${verifyProblems})`).all()) {
    const line = String(row.integrity_check);
    if (line !== 'ok') report(found, `the file is damaged: ${line.replaceAll('\n', ' ')}`);
  }
}

/** What has no checksum of its own in a store has one in a backup. */
function* verifyDigest(db: DatabaseSync, found: Verified): Generator<Readonly<Verified>, void> {
  yield found;
  const written = readDigest(db);
  if (written === undefined) report(found, 'it was not made by a backup, or not to its end');
  else if (!digestOf(db).every((byte, index) => byte === written[index])) {
    report(found, 'sessions, retained messages, users, topics or offsets are not what was backed up');
  }
}

function report(found: Verified, problem: string): void {
  if (found.problems.length < verifyProblems) found.problems.push(problem);
}
