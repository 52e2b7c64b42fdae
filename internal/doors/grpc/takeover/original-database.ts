import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DatabaseSync } from '../../../lib/sqlite.ts';

/** A topic in a database of the original SMQ. */
export interface OriginalTopic {
  name: string;
  /** The offset of the newest message that there ever was; 0 for none. */
  lastOffset: number;
  /** Messages that are there. */
  messages: number;
}

export interface OriginalMessage {
  /** From 1 on. */
  offset: number;
  /** In milliseconds since 1970. */
  timestamp: number;
  data: Uint8Array;
}

/**
 * A database of the original SMQ, which stays as it is: one table `Topic_<name>` for each topic, with `offset` (an
 * autoincrement), `time` and `data`. What a server that did not end well left beside the file is read as well, in a copy.
 */
export class OriginalDatabase {
  readonly #database: DatabaseSync;
  readonly #copyFolder: string | undefined;

  /** @throws Error where the file cannot be read, or is none of SQLite's. */
  constructor(file: string) {
    if (!isSqliteFile(file)) throw new Error(`${file} is not a database of SMQ: it is no file of SQLite`);
    const leftovers = ['-wal', '-journal'].filter(
      (end) => existsSync(file + end) && statSync(file + end).size > 0,
    );
    if (leftovers.length === 0) {
      const url = pathToFileURL(resolve(file));
      url.searchParams.set('immutable', '1');
      this.#database = new DatabaseSync(url, { readOnly: true });
      return;
    }
    this.#copyFolder = mkdtempSync(join(tmpdir(), 'tinymq-smq-'));
    const copy = join(this.#copyFolder, basename(file));
    try {
      for (const end of ['', ...leftovers]) copyFileSync(file + end, copy + end);
      this.#database = new DatabaseSync(copy);
    } catch (error) {
      rmSync(this.#copyFolder, { recursive: true });
      throw error;
    }
  }

  /** Its topics, in the order of their names. */
  topics(): OriginalTopic[] {
    const tables = this.#database
      .prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'Topic\\_%' ESCAPE '\\' ORDER BY name",
      )
      .all() as { name: string }[];
    return tables.filter(({ name }) => this.#isTopic(name)).map(({ name }) => this.#topic(name));
  }

  /** The messages of a topic behind an offset, in their order. */
  *messages(topic: string, afterOffset: number): Generator<OriginalMessage, void, undefined> {
    const rows = this.#database
      .prepare(
        `SELECT "offset", unixepoch("time") AS seconds, "data" FROM ${tableOf(topic)} WHERE "offset" > ? ORDER BY "offset"`,
      )
      .iterate(afterOffset) as Iterable<{
      offset: number;
      seconds: number | null;
      data: Uint8Array | string | null;
    }>;
    for (const { offset, seconds, data } of rows) {
      const bytes = typeof data === 'string' ? Buffer.from(data) : (data ?? new Uint8Array(0));
      yield { offset, timestamp: (seconds ?? 0) * 1_000, data: bytes };
    }
  }

  close(): void {
    this.#database.close();
    if (this.#copyFolder !== undefined) rmSync(this.#copyFolder, { recursive: true });
  }

  /** A table that is called like one but is none is somebody else's. */
  #isTopic(table: string): boolean {
    if (!/^Topic_[A-Za-z0-9_]{1,35}$/.test(table)) return false;
    const columns = this.#database.prepare('SELECT name FROM pragma_table_info(?)').all(table) as {
      name: string;
    }[];
    return ['offset', 'time', 'data'].every((name) => columns.some((column) => column.name === name));
  }

  #topic(table: string): OriginalTopic {
    const name = table.slice(TABLE_PREFIX.length);
    const { messages, newest } = this.#database
      .prepare(`SELECT count(*) AS messages, max("offset") AS newest FROM ${tableOf(name)}`)
      .get() as { messages: number; newest: number | null };
    const sequence = this.#hasSequences()
      ? (this.#database.prepare('SELECT seq FROM sqlite_sequence WHERE name = ?').get(table) as {
          seq: number;
        })
      : undefined;
    return { name, messages, lastOffset: Math.max(newest ?? 0, sequence?.seq ?? 0) };
  }

  #hasSequences(): boolean {
    return (
      this.#database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'").get() !== undefined
    );
  }
}

/** Whether a file is there that begins as one of SQLite does. */
export function isSqliteFile(file: string): boolean {
  if (!existsSync(file) || !statSync(file).isFile()) return false;
  const beginning = Buffer.alloc(SQLITE_MAGIC.length);
  const descriptor = openSync(file, 'r');
  try {
    readSync(descriptor, beginning, 0, beginning.length, 0);
  } finally {
    closeSync(descriptor);
  }
  return beginning.toString('latin1') === SQLITE_MAGIC;
}

const SQLITE_MAGIC = 'SQLite format 3\0';
const TABLE_PREFIX = 'Topic_';

function tableOf(topic: string): string {
  return `"${TABLE_PREFIX}${topic}"`;
}
