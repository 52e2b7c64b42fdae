import type { DatabaseSync } from 'node:sqlite';
import { storeFreeBytesKept, storeVacuumPages } from '../../limits/store.ts';
import type { StoredState } from '../log-store.ts';
import { StoreError } from '../store-error.ts';
import { makeChange } from './changes.ts';
import { closeQuietly, restoreFile } from './files.ts';
import {
  APPEND_FIELDS,
  type Change,
  type GroupTimes,
  type Outcome,
  type WriteTransaction,
} from './messages.ts';
import { discard, PartitionBatches } from './partition-batches.ts';
import { PAGE_BYTES, pragma } from './schema.ts';
import { loadState } from './state.ts';
import { prepareWrites, type WriteStatements } from './statements.ts';

/**
 * The side of the store that changes the file, one transaction per group. It knows the ends of all partitions, so that
 * an append looks nothing up. After an error that is not a refusal it must be closed: what it knows may be wrong then.
 */
export class SqliteWriter {
  readonly #db: DatabaseSync;
  readonly #statements: WriteStatements;
  readonly #batches: PartitionBatches;
  /** Whether something other than appends happened since it was last seen how much room is free. */
  #mayHaveFreePages = true;

  /** The stored state, as it was when this writer began. */
  readonly state: StoredState;

  /**
   * @param db a connection from `openForWriting`; this owns it now
   * @param keepUntil partitions whose batches from an offset on were never acknowledged, and go
   * @throws errors of SQLite
   */
  constructor(db: DatabaseSync, keepUntil: Map<number, number>) {
    this.#db = db;
    // Until everything is in the main file, a page of the write-ahead log that the disk lost once may be lost again.
    const { busy } = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number };
    if (busy !== 0) throw new Error('the write-ahead log is in use');
    this.#statements = prepareWrites(db);
    this.#inTransaction(() => discard(this.#statements, keepUntil));
    const { state, rows, toSweep } = loadState(db);
    this.state = state;
    this.#batches = new PartitionBatches(this.#statements, rows, toSweep);
  }

  /** Makes the changes of a group last, all in one transaction. @throws errors of SQLite: then none of it lasts */
  apply(group: WriteTransaction): { outcomes: Outcome[]; took: GroupTimes } {
    const beganMs = performance.now();
    this.#statements.begin.run();
    const outcomes = this.#applyAll(group);
    const committingMs = performance.now();
    this.#statements.commit.run();
    const endedMs = performance.now();
    const took = {
      seconds: (endedMs - beganMs) / 1_000,
      commitSeconds: (endedMs - committingMs) / 1_000,
    };
    return { outcomes, took };
  }

  /**
   * Gives back a little of the space of deleted batches: first for the next appends; what is free beyond
   * `storeFreeBytesKept` goes back to the file system. @returns whether there is more to do
   */
  sweep(): boolean {
    if (this.#batches.hasToSweep) {
      this.#inTransaction(() => this.#batches.sweep());
      this.#mayHaveFreePages = true;
      return true;
    }
    if (!this.#mayHaveFreePages) return false;
    const freePages = pragma(this.#db, 'freelist_count') - storeFreeBytesKept / PAGE_BYTES;
    this.#mayHaveFreePages = freePages > 0;
    if (freePages <= 0) return false;
    this.#db.exec(`PRAGMA incremental_vacuum(${Math.min(freePages, storeVacuumPages)})`);
    return true;
  }

  /** Closes it, and has a new file hold what it has: its own was removed. @throws errors of SQLite and of the system */
  restore(directory: string): void {
    restoreFile(this.#db, directory);
  }

  close(): void {
    closeQuietly(this.#db);
  }

  /** Where it throws, nothing of it lasts: the connection is closed then. */
  #inTransaction(change: () => void): void {
    this.#statements.begin.run();
    change();
    this.#statements.commit.run();
  }

  #applyAll(group: WriteTransaction): Outcome[] {
    const outcomes: Outcome[] = [];
    const { appends, slab, producers, changes } = group;
    let field = 0;
    let byte = 0;
    let producer = 0;
    let change = 0;
    for (let position = 0; position < group.changeCount; position++) {
      try {
        const due = changes[change];
        if (due?.position === position) {
          change++;
          const answer = this.#change(due.change);
          if (answer !== undefined) outcomes.push({ position, kind: 'answered', answer });
          continue;
        }
        const at = field;
        const bytes = new Uint8Array(slab, byte, appends[at + 5]);
        field += APPEND_FIELDS;
        byte += bytes.length;
        const from = appends[at + 6] === 1 ? producers[producer++] : undefined;
        const partition = this.#batches.append(appends, at, bytes);
        if (from) this.#statements.saveProducer.run(partition, from.id, from.state);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        outcomes.push({ position, kind: 'refused', refusal: { code: error.code, message: error.message } });
      }
    }
    return outcomes;
  }

  #change(change: Change): unknown {
    this.#mayHaveFreePages = true;
    return makeChange(change, { statements: this.#statements, batches: this.#batches });
  }
}
