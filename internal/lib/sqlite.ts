import type * as Sqlite from 'node:sqlite';
import { quietSqlite } from './quiet-sqlite.ts';

/** What stores use of Node's SQLite. */
export const { DatabaseSync, backup } = quietSqlite() as typeof Sqlite;
export type DatabaseSync = Sqlite.DatabaseSync;
