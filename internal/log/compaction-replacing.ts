import type { LogStore, NewBatch, StoredBatch } from '../store/log-store.ts';
import type { CompactedBatch } from './compaction-format.ts';
import type { KeptHeader } from './compaction-producers.ts';

/**
 * Hands what becomes of the batches of a piece of a log to the store: neighbours that change as one change. Changes last
 * in the order of the offsets, so that a tombstone never goes before the older records of its key.
 */
export class Replacing {
  readonly #store: LogStore;
  readonly #partition: number;
  readonly #changes: Promise<void>[] = [];
  /** The range of the neighbours that are gathered, and what stays of them. */
  #range: { from: number; to: number } | undefined;
  #batches: NewBatch[] = [];

  /** @param partition the store's number of it. */
  constructor(store: LogStore, partition: number) {
    this.#store = store;
    this.#partition = partition;
  }

  /** The next batch stays as it is. */
  same(): void {
    const range = this.#range;
    if (range === undefined) return;
    this.#replace(range.from, range.to, this.#batches);
    this.#range = undefined;
    this.#batches = [];
  }

  /** Nothing stays of the next batch. */
  gone({ baseOffset, lastOffset }: StoredBatch): void {
    this.#range = { from: this.#range?.from ?? baseOffset, to: lastOffset };
  }

  /** Something else takes the place of the next batch. */
  rebuilt(batch: StoredBatch, by: Extract<CompactedBatch, { kind: 'rebuilt' }>): void {
    this.gone(batch);
    const { baseOffset, lastOffset } = batch;
    const { bytes, count, maxTimestamp } = by;
    this.#batches.push({ baseOffset, lastOffset, bytes, count, maxTimestamp });
  }

  /** An earlier batch, of this piece or one before, goes after all. */
  remove({ baseOffset, lastOffset }: KeptHeader): void {
    const index = this.#batches.findIndex((batch) => batch.baseOffset === baseOffset);
    if (index >= 0) this.#batches.splice(index, 1);
    else this.#replace(baseOffset, lastOffset, []);
  }

  /** Resolves when all of it lasts. */
  async done(): Promise<void> {
    this.same();
    await Promise.all(this.#changes);
  }

  #replace(from: number, to: number, batches: NewBatch[]): void {
    const change = this.#store.replace(this.#partition, from, to, batches);
    // One that fails is told by `done`, also where that comes later.
    change.catch(() => {});
    this.#changes.push(change);
  }
}
