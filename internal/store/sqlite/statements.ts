import type { DatabaseSync } from 'node:sqlite';
import { checksumSql, placeChecksumSql, ROW_COLUMNS, type SealedTable } from './checksum.ts';

/** The place of a batch, and the state before it. */
export interface BatchRow {
  base_offset: number;
  last_offset: number;
  running_timestamp: number;
  running_bytes: number;
  byte_length: number;
  bytes_id: number;
}

/** The statements of the side that writes. */
export type WriteStatements = ReturnType<typeof prepareWrites>;

/** @throws errors of SQLite where the file has not these tables */
export function prepareWrites(db: DatabaseSync) {
  const row = 'base_offset, last_offset, running_timestamp, running_bytes, byte_length, bytes_id';
  return {
    begin: db.prepare('BEGIN IMMEDIATE'),
    commit: db.prepare('COMMIT'),
    insertBytes: db.prepare('INSERT INTO batch_bytes VALUES (?, ?)'),
    insertBatch: db.prepare('INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'),
    lastBytesId: db.prepare('SELECT max(id) AS id FROM batch_bytes'),
    deleteBytes: db.prepare('DELETE FROM batch_bytes WHERE id = ?'),
    deleteBatch: db.prepare('DELETE FROM batch WHERE partition_id = ? AND base_offset = ?'),
    firstRow: db.prepare(`SELECT ${row} FROM batch WHERE partition_id = ? ORDER BY base_offset LIMIT 1`),
    rowBefore: db.prepare(
      `SELECT ${row} FROM batch WHERE partition_id = ? AND base_offset < ? ORDER BY base_offset DESC LIMIT 1`,
    ),
    rowAfter: db.prepare(
      `SELECT ${row} FROM batch WHERE partition_id = ? AND base_offset > ? ORDER BY base_offset LIMIT 1`,
    ),
    rowsFrom: db.prepare(`SELECT ${row} FROM batch WHERE partition_id = ? AND base_offset >= ?`),
    // Rows are in order by both ends, so the first batch of a range begins before it at most once.
    range: db.prepare(
      `SELECT ${row} FROM batch WHERE partition_id = ?1 AND base_offset <= ?2 AND last_offset >= max(?3, ?4)
         AND base_offset >= coalesce(
           (SELECT max(base_offset) FROM batch WHERE partition_id = ?1 AND base_offset <= ?3), 0)
       ORDER BY base_offset`,
    ),
    swept: db.prepare(
      `SELECT ${row} FROM batch WHERE partition_id = ?1 AND base_offset < ?2 AND last_offset < ?2
       ORDER BY base_offset LIMIT ?3`,
    ),
    /** Of the batches that end in a range of offsets: rows are in order by both ends. */
    bytesBetween: db.prepare(
      `SELECT coalesce(sum(byte_length), 0) AS bytes FROM batch
       WHERE partition_id = ?1 AND last_offset >= ?2 AND base_offset < ?3 AND last_offset < ?3
         AND base_offset >= coalesce(
           (SELECT max(base_offset) FROM batch WHERE partition_id = ?1 AND base_offset <= ?2), 0)`,
    ),
    raiseTimestamps: db.prepare(
      `UPDATE batch SET running_timestamp = ?1,
         place_checksum = iif(place_checksum IS NULL, NULL, ${placeChecksumSql('?1')})
       WHERE partition_id = ?2 AND base_offset > ?3 AND running_timestamp < ?1`,
    ),
    saveEnds: db.prepare(
      `UPDATE partition SET first_offset = ?1, next_offset = ?2, max_timestamp = ?3, running_bytes = ?4,
         swept_bytes = ?5, replaced_bytes = ?6, checksum = ${checksumSql('partition', ENDS)} WHERE id = ?7`,
    ),
    topic: db.prepare('SELECT 1 FROM topic WHERE name = ?'),
    topicNames: db.prepare('SELECT name FROM topic'),
    insertTopic: db.prepare(`INSERT INTO topic VALUES (?1, ?2, ?3, ?4, ${parameters('topic')})`),
    alterTopic: db.prepare(
      `UPDATE topic SET configs = ?1, checksum = ${checksumSql('topic', { configs: '?1' })} WHERE name = ?2`,
    ),
    deleteTopic: db.prepare('DELETE FROM topic WHERE name = ?'),
    partitionCount: db.prepare('SELECT count(*) AS count FROM partition WHERE topic = ?'),
    partitionIds: db.prepare('SELECT id FROM partition WHERE topic = ?'),
    insertPartition: db.prepare('INSERT INTO partition (topic, number) VALUES (?, ?)'),
    sealPartition: db.prepare(`UPDATE partition SET checksum = ${checksumSql('partition')} WHERE id = ?`),
    deletePartitions: db.prepare('DELETE FROM partition WHERE topic = ?'),
    leaderEpoch: db.prepare(
      `UPDATE partition SET leader_epoch = ?1, checksum = ${checksumSql('partition', { leader_epoch: '?1' })}
       WHERE id = ?2`,
    ),
    doom: db.prepare('INSERT INTO doomed VALUES (?)'),
    undoom: db.prepare('DELETE FROM doomed WHERE partition_id = ?'),
    saveProducer: db.prepare(
      `INSERT OR REPLACE INTO producer VALUES (?1, ?2, ?3, ${parameters('producer')})`,
    ),
    deleteProducer: db.prepare('DELETE FROM producer WHERE partition_id = ? AND producer_id = ?'),
    deleteProducers: db.prepare('DELETE FROM producer WHERE partition_id = ?'),
    saveOffset: db.prepare(
      `INSERT OR REPLACE INTO group_offset VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ${parameters('group_offset')})`,
    ),
    deleteOffset: db.prepare('DELETE FROM group_offset WHERE group_name = ? AND topic = ? AND partition = ?'),
    deleteGroup: db.prepare('DELETE FROM group_offset WHERE group_name = ?'),
    deleteTopicOffsets: db.prepare('DELETE FROM group_offset WHERE topic = ?'),
    putMeta: db.prepare(`INSERT OR REPLACE INTO meta VALUES (?1, ?2, ${parameters('meta')})`),
    meta: db.prepare('SELECT value FROM meta WHERE key = ?'),
    entriesAfter: db.prepare('SELECT * FROM entry WHERE key > ? ORDER BY key'),
    putEntry: db.prepare('INSERT OR REPLACE INTO entry VALUES (?, ?, ?)'),
    deleteEntry: db.prepare('DELETE FROM entry WHERE key = ?'),
    deleteMeta: db.prepare('DELETE FROM meta WHERE key = ?'),
  };
}

/** The columns of a partition that its ends are in, and what is given for them. */
const ENDS = {
  ...{ first_offset: '?1', next_offset: '?2', max_timestamp: '?3', running_bytes: '?4' },
  ...{ swept_bytes: '?5', replaced_bytes: '?6' },
};

/** The checksum of a row whose columns are the parameters of the statement, in their order. */
function parameters(table: SealedTable): string {
  return checksumSql(
    table,
    Object.fromEntries(ROW_COLUMNS[table].map((column, index) => [column, `?${index + 1}`])),
  );
}
