import type { DatabaseSync } from 'node:sqlite';
import { verifyBatchesBetween } from '../../limits/store.ts';
import { groupOfKey } from '../group-members.ts';
import { checksumSql, ROW_COLUMNS, type SealedTable } from './checksum.ts';
import {
  CHECKSUMS_SINCE,
  expectedTables,
  LAST_PARTITION,
  PARTIAL_CHECKSUMS,
  pragma,
  tablesOf,
} from './schema.ts';

/** What is told of rows. */
export interface RowReport {
  report(problem: string): void;
  /** A row that has no checksum, because an older version wrote it. */
  unchecked(): void;
}

type Row = Readonly<Record<string, unknown>>;

/** The file has the tables of its format, as every program that made it has made them. */
export function* verifyTables(db: DatabaseSync, { report }: RowReport): Generator<undefined, void> {
  const found = tablesOf(db);
  for (const [name, columns] of expectedTables(pragma(db, 'user_version'))) {
    if (found.get(name) !== columns)
      report(`the file is damaged: the description of table ${name} is another one`);
  }
  yield;
}

/**
 * The values of every row are what was written.
 *
 * @param nameOfEntry what an entry is for people; the store knows only its key.
 */
export function* verifyRows(
  db: DatabaseSync,
  nameOfEntry: (key: string) => string,
  to: RowReport,
): Generator<undefined, void> {
  if (pragma(db, 'user_version') < CHECKSUMS_SINCE) return;
  const isPartial = db.prepare('SELECT 1 FROM meta WHERE key = ?').get(PARTIAL_CHECKSUMS) !== undefined;
  const names = namesOf(db, nameOfEntry);
  for (const table of Object.keys(ROW_COLUMNS) as SealedTable[]) {
    const rows = db.prepare(
      `SELECT ${NAMING_COLUMNS[table]}, checksum IS NULL AS is_unsealed, checksum IS ${checksumSql(table)} AS is_right
       FROM ${table}`,
    );
    rows.setReadBigInts(true);
    let count = 0;
    for (const row of rows.iterate() as Iterable<Row>) {
      if (row.is_unsealed && isPartial) to.unchecked();
      else if (!row.is_right) to.report(`${names[table](row)} is not what was written`);
      if (++count % verifyBatchesBetween === 0) yield;
    }
  }
  if (!isPartial) verifySequence(db, to);
}

/** What the names of rows are made of. */
const NAMING_COLUMNS: Readonly<Record<SealedTable, string>> = {
  meta: 'key',
  topic: 'name',
  partition: 'id, topic, number',
  producer: 'partition_id, producer_id',
  group_offset: 'group_name, topic, partition',
  entry: 'key',
};

function namesOf(
  db: DatabaseSync,
  nameOfEntry: (key: string) => string,
): Readonly<Record<SealedTable, (row: Row) => string>> {
  const partitions = db.prepare('SELECT topic, number FROM partition WHERE id = ?');
  return {
    meta: ({ key }) => nameOfValue(String(key)),
    topic: ({ name }) => `what is kept of topic '${name}'`,
    partition: ({ topic, number }) => `what is kept of topic '${topic}' partition ${number}`,
    producer: ({ partition_id, producer_id }) => {
      const of = partitions.get(partition_id as bigint);
      return `producer ${producer_id} of topic '${of?.topic}' partition ${of?.number}`;
    },
    group_offset: ({ group_name, topic, partition }) =>
      `what group '${group_name}' committed for topic '${topic}' partition ${partition}`,
    entry: ({ key }) => nameOfEntry(String(key)),
  };
}

function nameOfValue(key: string): string {
  const group = groupOfKey(key);
  return group === undefined ? `the value '${key}'` : `the members of group '${group}'`;
}

/** The highest number of a partition, which is never given again, stands in a table of SQLite's own. */
function verifySequence(db: DatabaseSync, { report }: RowReport): void {
  const kept = db.prepare('SELECT value FROM meta WHERE key = ?').get(LAST_PARTITION)?.value;
  const given = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'partition'").get()?.seq;
  const noted = kept === undefined ? undefined : Number(Buffer.from(kept as Uint8Array).toString());
  if (noted !== given) report('the number of the last partition is not what was written');
}
