import type { RebuiltBatch } from '../../batch/rebuild.ts';
import type { LogStore, NewBatch, StoredBatch } from '../../store/log-store.ts';
import type { KeptHeader } from './producers.ts';

/** The part of a partition that a change of its batches concerns. */
export interface Replaced {
  readonly id: number;
  /** Told of the bytes that compaction saved. */
  noteGone(bytes: number): void;
}

/**
 * Hands what becomes of the batches of a piece of a log to the store: neighbours that change as one change. Changes last
 * in the order of the offsets, so that a tombstone never goes before the older records of its key.
 */
export class Replacing {
  readonly #store: LogStore;
  readonly #partition: Replaced;
  readonly #gatherBytes: number;
  #changes: Promise<void>[] = [];
  /** The range of the neighbours that are gathered, and what stays of them. */
  #range: { from: number; to: number } | undefined;
  #batches: NewBatch[] = [];
  #bytes = 0;

  /**
   * @param gatherBytes for a store that writes much for one change: batches between those that change belong to one
   * change with them, until it has so many bytes. 0: only what changes is written.
   */
  constructor(store: LogStore, partition: Replaced, gatherBytes: number) {
    this.#store = store;
    this.#partition = partition;
    this.#gatherBytes = gatherBytes;
  }

  /** The next batch stays as it is. */
  same({ baseOffset, lastOffset, count, maxTimestamp, bytes }: StoredBatch): void {
    if (this.#gatherBytes === 0) this.send();
    else if (this.#range !== undefined) this.#add({ baseOffset, lastOffset, count, maxTimestamp, bytes });
  }

  /** Hands over what was gathered. The next batch stays as it is, and nobody may write it. */
  send(): void {
    const range = this.#range;
    if (range === undefined) return;
    this.#replace(range.from, range.to, this.#batches);
    this.#range = undefined;
    this.#batches = [];
    this.#bytes = 0;
  }

  /** Nothing stays of the next batch. */
  gone({ baseOffset, lastOffset }: StoredBatch): void {
    this.#range = { from: this.#range?.from ?? baseOffset, to: lastOffset };
  }

  /** Something else takes the place of the next batch. */
  rebuilt(batch: StoredBatch, by: Extract<RebuiltBatch, { kind: 'rebuilt' }>): void {
    const { baseOffset, lastOffset } = batch;
    const { bytes, count, maxTimestamp } = by;
    this.#add({ baseOffset, lastOffset, bytes, count, maxTimestamp });
  }

  /** An earlier batch, of this piece or one before, goes after all. */
  remove({ baseOffset, lastOffset }: KeptHeader): void {
    const index = this.#batches.findIndex((batch) => batch.baseOffset === baseOffset);
    if (index >= 0) this.#batches.splice(index, 1);
    else this.#replace(baseOffset, lastOffset, []);
  }

  /** A piece of the log is through. Resolves when what was handed over lasts. */
  async pieceEnds(): Promise<void> {
    if (this.#gatherBytes === 0) this.send();
    const changes = this.#changes;
    this.#changes = [];
    await Promise.all(changes);
  }

  /** Resolves when all of it lasts. */
  async done(): Promise<void> {
    this.send();
    await this.pieceEnds();
  }

  #add(batch: NewBatch): void {
    this.#range = { from: this.#range?.from ?? batch.baseOffset, to: batch.lastOffset };
    this.#batches.push(batch);
    this.#bytes += batch.bytes.length;
    if (this.#gatherBytes > 0 && this.#bytes >= this.#gatherBytes) this.send();
  }

  #replace(from: number, to: number, batches: NewBatch[]): void {
    const partition = this.#partition;
    const change = this.#store
      .replace(partition.id, from, to, batches)
      .then((bytes) => partition.noteGone(bytes));
    // One that fails is told by `done`, also where that comes later.
    change.catch(() => {});
    this.#changes.push(change);
  }
}
