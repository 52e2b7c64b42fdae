import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { rowChecksum } from './checksum.ts';
import { CHECKSUMS_SINCE, pragma } from './schema.ts';

const KEY = 'backup/digest';

/**
 * What a digest is of. Record batches have checksums of their own, and would take as long again to be read; of them the rows
 * with those checksums count.
 */
const QUERIES = [
  `SELECT * FROM meta WHERE key <> '${KEY}' ORDER BY key`,
  'SELECT * FROM topic ORDER BY name',
  'SELECT * FROM partition ORDER BY id',
  'SELECT * FROM batch ORDER BY partition_id, base_offset',
  'SELECT * FROM producer ORDER BY partition_id, producer_id',
  'SELECT * FROM group_offset ORDER BY group_name, topic, partition',
  'SELECT * FROM entry ORDER BY key',
];

/** SHA-256 of all that a store holds, but for the bytes of batches. */
export function digestOf(db: DatabaseSync): Uint8Array {
  const hash = createHash('sha256');
  const hasEntries = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'entry'").get() !== undefined;
  for (const query of hasEntries ? QUERIES : QUERIES.slice(0, -1)) {
    hash.update(query);
    const rows = db.prepare(query);
    rows.setReadBigInts(true);
    for (const row of rows.iterate()) {
      for (const value of Object.values(row)) {
        // The kind and the length come first, so that no two rows are the same bytes.
        const bytes = value instanceof Uint8Array ? value : Buffer.from(String(value));
        hash.update(`${typeof value} ${bytes.length} `);
        hash.update(bytes);
      }
    }
  }
  return hash.digest();
}

/** The digest in a backup; undefined in a store. */
export function readDigest(db: DatabaseSync): Uint8Array | undefined {
  return db.prepare('SELECT value FROM meta WHERE key = ?').get(KEY)?.value as Uint8Array | undefined;
}

export function writeDigest(db: DatabaseSync, digest: Uint8Array): void {
  const hasChecksums = pragma(db, 'user_version') >= CHECKSUMS_SINCE;
  db.prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)').run(KEY, digest);
  if (!hasChecksums) return;
  db.prepare('UPDATE meta SET checksum = ? WHERE key = ?').run(rowChecksum([KEY, digest]), KEY);
}

export function removeDigest(db: DatabaseSync): void {
  db.prepare('DELETE FROM meta WHERE key = ?').run(KEY);
}
