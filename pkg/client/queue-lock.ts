import { closeSync, openSync } from 'node:fs';
import { quietSqlite } from '../../internal/lib/quiet-sqlite.ts';
import { systemReason } from '../../internal/lib/system-reason.ts';
import { QueueFileError } from './errors.ts';

const OWNER_ONLY = 0o600;

/**
 * Takes a queue for this process, until the returned function is called or the process ends, however that is. Node has no locks of files;
 * SQLite's exclusive one is a lock of the operating system. It is on a file of its own, because another file may take the
 * place of the queue. Nothing is written into it.
 *
 * @throws QueueFileError `queue-in-use`, or what keeps the lock from being taken.
 */
export function lockQueue(file: string): () => void {
  const lock = openDatabase(file, `${file}.lock`);
  try {
    lock.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    const { message } = error as Error;
    // Not every runtime tells SQLite's own code.
    if (!/locked|busy/i.test(message)) throw new QueueFileError('queue-failed', file, message, error);
    throw new QueueFileError('queue-in-use', file, 'another client has it', error);
  }
  return () => lock.close();
}

/** What both kinds of SQLite have. */
interface Database {
  exec(sql: string): unknown;
  close(): void;
}
type OpenDatabase = (path: string) => Database;

function openDatabase(file: string, path: string): Database {
  const open = sqlite();
  if (open === undefined)
    throw new QueueFileError('queue-failed', file, 'this runtime has no SQLite, which locks it');
  try {
    // SQLite has fewer words for what is wrong with a path.
    closeSync(openSync(path, 'a', OWNER_ONLY));
    return open(path);
  } catch (error) {
    throw new QueueFileError('queue-failed', file, systemReason(error), error);
  }
}

/** Loaded only where a queue is in a file. Older versions of Bun have their own only. */
function sqlite(): OpenDatabase | undefined {
  const ofNode = quietSqlite();
  if (ofNode !== undefined) return (path) => new ofNode.DatabaseSync(path);
  const ofBun = process.getBuiltinModule('bun:sqlite') as
    | { Database: new (path: string) => Database }
    | undefined;
  return ofBun && ((path) => new ofBun.Database(path));
}
