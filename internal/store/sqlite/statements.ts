import type { DatabaseSync } from 'node:sqlite';

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
    insertBatch: db.prepare('INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'),
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
      `UPDATE batch SET running_timestamp = ?
       WHERE partition_id = ? AND base_offset > ? AND running_timestamp < ?`,
    ),
    saveEnds: db.prepare(
      `UPDATE partition SET first_offset = ?, next_offset = ?, max_timestamp = ?, running_bytes = ?,
         swept_bytes = ?, replaced_bytes = ? WHERE id = ?`,
    ),
    topic: db.prepare('SELECT 1 FROM topic WHERE name = ?'),
    insertTopic: db.prepare('INSERT INTO topic VALUES (?, ?, ?, ?)'),
    alterTopic: db.prepare('UPDATE topic SET configs = ? WHERE name = ?'),
    deleteTopic: db.prepare('DELETE FROM topic WHERE name = ?'),
    partitionCount: db.prepare('SELECT count(*) AS count FROM partition WHERE topic = ?'),
    partitionIds: db.prepare('SELECT id FROM partition WHERE topic = ?'),
    insertPartition: db.prepare('INSERT INTO partition (topic, number) VALUES (?, ?)'),
    deletePartitions: db.prepare('DELETE FROM partition WHERE topic = ?'),
    leaderEpoch: db.prepare('UPDATE partition SET leader_epoch = ? WHERE id = ?'),
    doom: db.prepare('INSERT INTO doomed VALUES (?)'),
    undoom: db.prepare('DELETE FROM doomed WHERE partition_id = ?'),
    saveProducer: db.prepare('INSERT OR REPLACE INTO producer VALUES (?, ?, ?)'),
    deleteProducer: db.prepare('DELETE FROM producer WHERE partition_id = ? AND producer_id = ?'),
    deleteProducers: db.prepare('DELETE FROM producer WHERE partition_id = ?'),
    saveOffset: db.prepare('INSERT OR REPLACE INTO group_offset VALUES (?, ?, ?, ?, ?, ?, ?)'),
    deleteOffset: db.prepare('DELETE FROM group_offset WHERE group_name = ? AND topic = ? AND partition = ?'),
    deleteGroup: db.prepare('DELETE FROM group_offset WHERE group_name = ?'),
    deleteTopicOffsets: db.prepare('DELETE FROM group_offset WHERE topic = ?'),
    putMeta: db.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)'),
    meta: db.prepare('SELECT value FROM meta WHERE key = ?'),
    entriesAfter: db.prepare('SELECT key, value FROM entry WHERE key > ? ORDER BY key'),
    putEntry: db.prepare('INSERT OR REPLACE INTO entry VALUES (?, ?)'),
    deleteEntry: db.prepare('DELETE FROM entry WHERE key = ?'),
    deleteMeta: db.prepare('DELETE FROM meta WHERE key = ?'),
  };
}
