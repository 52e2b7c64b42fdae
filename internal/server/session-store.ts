import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../broker/broker.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Entry, EntryChange, EntryStore } from '../store/entry-store.ts';
import type { StoreHealth } from '../store/log-store.ts';
import type { SqliteStore } from '../store/sqlite/sqlite-store.ts';
import { STORE_FILE } from '../store/sqlite/store-file.ts';
import { StoreError, StoreUnavailableError } from '../store/store-error.ts';
import type { WriteTimes } from '../store/write-times.ts';
import { type LogsOptions, type OpenLogs, writeTimesOf } from './storage.ts';

/** Where sessions and users are kept, with what closes it. */
export interface OpenEntries {
  store: EntryStore;
  /** Whether there may be something to restore. */
  hasEntries: boolean;
  /** Whether what is put there is really kept: not where the folder turned out to be another broker's. */
  isKept(): Promise<boolean>;
  /** How it is; undefined as long as nobody needed it. */
  health(): StoreHealth | undefined;
  readonly folder: string;
  close(): Promise<void>;
}

/** The store that sessions and users are kept in: that of the logs, or one of their own; undefined where all is in memory. */
export function openEntries(
  options: LogsOptions,
  kept: OpenLogs | undefined,
  metrics: Metrics,
  logger: Logger,
): OpenEntries | undefined {
  if (options.memory) return undefined;
  // What is kept for clients does not belong into the directory of a Kafka; users do (access.ts).
  if (kept !== undefined && options.kafkaLogDirs === undefined && isEntryStore(kept.store)) {
    // Whoever opened it closes it.
    const health = () => kept.store.health();
    const folder = kept.directory ?? '';
    return {
      store: kept.store,
      hasEntries: true,
      isKept: async () => true,
      health,
      folder,
      close: async () => {},
    };
  }
  const { dataDir, dataDirIsOptional = false, fsync = 'commit' } = options;
  if (dataDir === undefined) return undefined;
  const store = new LazyEntries({
    directory: dataDir,
    isOptional: dataDirIsOptional,
    fsync,
    times: writeTimesOf(metrics),
    logger,
  });
  const hasEntries = existsSync(join(dataDir, STORE_FILE));
  return {
    ...{ store, hasEntries, folder: dataDir },
    isKept: () => store.isKept(),
    health: () => store.health(),
    close: () => store.close(),
  };
}

/** What the log says where nothing of that outlasts the broker. */
export const MEMORY_ONLY = 'sessions, retained messages and users are in memory only';

export function isEntryStore(store: object): store is EntryStore {
  return 'putEntries' in store;
}

interface LazyEntriesParts {
  directory: string;
  /** Whether to do without it where it cannot be used, and will not be soon. */
  isOptional: boolean;
  fsync: 'commit' | 'os';
  times: WriteTimes;
  logger: Logger;
}

/** A store that is opened when there is something to keep: a broker whose clients keep nothing makes no files. */
class LazyEntries implements EntryStore {
  readonly #parts: LazyEntriesParts;
  #opening: Promise<SqliteStore | undefined> | undefined;
  #opened: SqliteStore | undefined;
  /** Why it could not be opened the last time. */
  #problem: string | undefined;

  constructor(parts: LazyEntriesParts) {
    this.#parts = parts;
  }

  async putEntries(changes: readonly EntryChange[]): Promise<void> {
    await (await this.#store())?.putEntries(changes);
  }

  async readEntries(after: string, maxBytes: number): Promise<Entry[]> {
    return (await (await this.#store())?.readEntries(after, maxBytes)) ?? [];
  }

  async isKept(): Promise<boolean> {
    return (await this.#store()) !== undefined;
  }

  health(): StoreHealth | undefined {
    if (this.#problem === undefined) return this.#opened?.health();
    const nothing = { waitingChanges: 0, waitingBytes: 0, corruptBatches: 0 };
    return { status: 'unavailable', problem: this.#problem, ...nothing };
  }

  async close(): Promise<void> {
    await (await this.#opening)?.close();
  }

  #store(): Promise<SqliteStore | undefined> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async #open(): Promise<SqliteStore | undefined> {
    const { directory, isOptional, fsync, times, logger } = this.#parts;
    try {
      const { SqliteStore } = await import('../store/sqlite/sqlite-store.ts');
      const store = new SqliteStore({ directory, fsync, times });
      await store.open();
      this.#opened = store;
      this.#problem = undefined;
      return store;
    } catch (error) {
      this.#problem = (error as Error).message;
      const mayWorkLater = !(error instanceof StoreError) || error instanceof StoreUnavailableError;
      if (mayWorkLater || !isOptional) {
        this.#opening = undefined;
        throw error;
      }
      const fields = { code: 'store-unavailable', error: error.message };
      logger.warn(fields, MEMORY_ONLY);
      return undefined;
    }
  }
}
