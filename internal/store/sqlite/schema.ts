import { DatabaseSync } from '../../lib/sqlite.ts';
import { StoreError } from '../store-error.ts';
import { rowChecksum } from './checksum.ts';

/**
 * The format of the store's file, and how an older one becomes the newest.
 *
 *     topic         one row per topic; configs are JSON
 *     partition     one row per partition. What appends change every moment is not here but in the newest row of batch;
 *                   next_offset, max_timestamp and running_bytes are lower bounds, for when that row was deleted.
 *     batch         one small row per record batch, dense, so that searches by offset and time read few pages
 *     batch_bytes   the batches themselves in the order of arrival, so that appends to many partitions share pages
 *     producer      what the log keeps per producer and partition
 *     group_offset  what consumer groups committed
 *     meta          small values; who is in a group lies under `group/` and its name (see group-members.ts)
 *     entry         small values of others than the log (see entry-store.ts), since format 2
 *     doomed        partitions whose topic is gone, and whose batches are being deleted in the background
 *
 * Columns that need a word:
 *     batch.running_timestamp  the largest timestamp of the partition up to this row: never falls, so it can be searched
 *     batch.running_bytes      bytes of the partition up to this row, so that a size is a difference of two rows
 *     partition.swept_bytes    running bytes that were deleted from the front
 *     partition.replaced_bytes by how much `replace` made the rows behind swept_bytes shorter
 *     batch.checksum           CRC-32 of the row's numbers and the bytes (see checksum.ts)
 *     batch.place_checksum     CRC-32 of the other numbers of the row
 *     checksum                 of any other table: CRC-32 of the row's values
 *
 * Since format 5 topics and batches may lie in segment files beside this file (see ../data-folder); a version before that would
 * begin logs anew in here.
 *
 * Checksums of rows are there since format 4. Rows that a store has from before have none until they change; `checksums/partial`
 * in meta says that there may be such rows, so that in every other store a row without one is damaged.
 */
const STEPS = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
  CREATE TABLE topic (
    name TEXT PRIMARY KEY,
    topic_id BLOB NOT NULL,
    configs TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE partition (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    number INTEGER NOT NULL,
    first_offset INTEGER NOT NULL DEFAULT 0,
    next_offset INTEGER NOT NULL DEFAULT 0,
    leader_epoch INTEGER NOT NULL DEFAULT 0,
    max_timestamp INTEGER NOT NULL DEFAULT -1,
    running_bytes INTEGER NOT NULL DEFAULT 0,
    swept_bytes INTEGER NOT NULL DEFAULT 0,
    replaced_bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (topic, number)
  );
  CREATE TABLE batch (
    partition_id INTEGER NOT NULL,
    base_offset INTEGER NOT NULL,
    last_offset INTEGER NOT NULL,
    record_count INTEGER NOT NULL,
    max_timestamp INTEGER NOT NULL,
    running_timestamp INTEGER NOT NULL,
    running_bytes INTEGER NOT NULL,
    byte_length INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    bytes_id INTEGER NOT NULL,
    PRIMARY KEY (partition_id, base_offset)
  ) WITHOUT ROWID;
  CREATE TABLE batch_bytes (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
  CREATE TABLE producer (
    partition_id INTEGER NOT NULL,
    producer_id INTEGER NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (partition_id, producer_id)
  ) WITHOUT ROWID;
  CREATE TABLE group_offset (
    group_name TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    committed_offset INTEGER NOT NULL,
    leader_epoch INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    committed_at_ms INTEGER NOT NULL,
    PRIMARY KEY (group_name, topic, partition)
  ) WITHOUT ROWID;
  CREATE TABLE doomed (partition_id INTEGER PRIMARY KEY);
  `,
  `
  CREATE TABLE entry (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
  `,
  // Format 3: values of sessions begin with their version, which versions of tinymq before would misread.
  '',
  `
  ALTER TABLE meta ADD COLUMN checksum INTEGER;
  ALTER TABLE topic ADD COLUMN checksum INTEGER;
  ALTER TABLE partition ADD COLUMN checksum INTEGER;
  ALTER TABLE batch ADD COLUMN place_checksum INTEGER;
  ALTER TABLE producer ADD COLUMN checksum INTEGER;
  ALTER TABLE group_offset ADD COLUMN checksum INTEGER;
  ALTER TABLE entry ADD COLUMN checksum INTEGER;
  `,
  // Format 5: logs may lie in segment files beside this file, which versions of tinymq before do not know.
  '',
];

/** The format since which rows have checksums. */
export const CHECKSUMS_SINCE = 4;

/** Says in meta that rows may be from before that. */
export const PARTIAL_CHECKSUMS = 'checksums/partial';

/** "tmq1" in the header of the file, where `file` and others look for whose it is. */
const APPLICATION_ID = 0x746d7131;

export const PAGE_BYTES = 16_384;

/**
 * Makes an empty file a store, and an older store the newest format.
 * @throws StoreError `unsupported` for a file that is not a store, or one that a newer version wrote
 */
export function migrate(db: DatabaseSync, file: string): void {
  const version = checkFormat(db, file);
  if (version === STEPS.length) return;
  db.exec('BEGIN IMMEDIATE');
  for (const step of STEPS.slice(version)) db.exec(step);
  if (version > 0 && version < CHECKSUMS_SINCE) {
    db.prepare('INSERT INTO meta VALUES (?, ?, ?)').run(
      PARTIAL_CHECKSUMS,
      NOTHING,
      rowChecksum([PARTIAL_CHECKSUMS, NOTHING]),
    );
  }
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${STEPS.length}; COMMIT`);
}

/**
 * The format of a store; 0 for an empty file.
 *
 * @throws StoreError `unsupported` for a file that is not a store, or one that a newer version wrote
 */
export function checkFormat(db: DatabaseSync, file: string): number {
  const version = pragma(db, 'user_version');
  const applicationId = pragma(db, 'application_id');
  const isEmpty = applicationId === 0 && version === 0 && tableCount(db) === 0;
  if (!isEmpty && applicationId !== APPLICATION_ID) {
    throw new StoreError('unsupported', `${file} is an SQLite file of another program`);
  }
  if (version > STEPS.length) {
    throw new StoreError(
      'unsupported',
      `${file} has format ${version}; this version of tinymq knows formats up to ${STEPS.length}`,
    );
  }
  return version;
}

/** The key in meta of the highest number that a partition ever had. */
export const LAST_PARTITION = 'partition/last';

const NOTHING = new Uint8Array(0);

/** The tables of a format, to be compared with those of a file: their columns, as SQLite describes them. */
export function expectedTables(format: number): Map<string, string> {
  const db = new DatabaseSync(':memory:');
  try {
    for (const step of STEPS.slice(0, format)) db.exec(step);
    return tablesOf(db);
  } finally {
    db.close();
  }
}

/** By the name of each table. */
export function tablesOf(db: DatabaseSync): Map<string, string> {
  const names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  const columns = db.prepare('SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info(?)');
  return new Map(names.map(({ name }) => [String(name), JSON.stringify(columns.all(String(name)))]));
}

/** The number that a pragma tells. */
export function pragma(db: DatabaseSync, name: string): number {
  return Object.values(db.prepare(`PRAGMA ${name}`).get()!)[0] as number;
}

function tableCount(db: DatabaseSync): number {
  return db.prepare('SELECT count(*) AS count FROM sqlite_schema').get()!.count as number;
}
