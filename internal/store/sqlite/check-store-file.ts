import { join } from 'node:path';
import { closeQuietly, openForReading } from './files.ts';
import { checkFormat } from './schema.ts';
import { STORE_FILE } from './store-file.ts';

/**
 * Looks whether the store of a folder can be read, without a change to it; a broker may have it meanwhile.
 *
 * @throws StoreError `unsupported` for a file that is no store, or one that a newer version wrote; errors of SQLite
 */
export function checkStoreFile(directory: string): void {
  const db = openForReading(directory);
  try {
    checkFormat(db, join(directory, STORE_FILE));
  } finally {
    closeQuietly(db);
  }
}
