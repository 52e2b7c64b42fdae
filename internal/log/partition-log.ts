import type { LogStore, StoredBatch, StoredPartition, StoredProducer } from '../store/log-store.ts';
import { StoreUnavailableError } from '../store/store-error.ts';
import { PartitionTail, type TailCache } from './tail-cache.ts';

/** A record batch that is to be appended; its base offset is not given yet. */
export interface UnplacedBatch {
  /** The batch as it came. Its base offset is written into it; after that nobody changes the bytes. */
  bytes: Uint8Array;
  /** Records in it: it takes as many offsets. */
  count: number;
  /** In milliseconds since 1970. */
  maxTimestamp: number;
  producer?: StoredProducer;
}

/** Writes offset and epoch into the header of a batch; the log itself knows no format. */
export type PlaceBatch = (bytes: Uint8Array, baseOffset: number, leaderEpoch: number) => void;

/**
 * One partition of a log: gives offsets, hands batches to the store, and shows them to readers when they last.
 *
 * What is below the high watermark is on the disk and never changes; between it and the next offset lies what the
 * store is writing. An offset is given twice only if the first batch it was given to was refused, and so was never
 * acknowledged nor shown.
 */
export class PartitionLog {
  /** The store's number of this partition. */
  readonly id: number;
  /** Its number in its topic. */
  readonly number: number;
  firstOffset: number;
  leaderEpoch: number;

  readonly #store: LogStore;
  readonly #place: PlaceBatch;
  readonly #tail: PartitionTail;
  readonly #listeners = new Set<() => void>();
  #nextOffset: number;
  #highWatermark: number;
  #maxTimestamp: number;
  #inFlight = 0;
  #isFailing = false;

  constructor(stored: StoredPartition, store: LogStore, cache: TailCache, place: PlaceBatch) {
    this.id = stored.id;
    this.number = stored.number;
    this.firstOffset = stored.firstOffset;
    this.leaderEpoch = stored.leaderEpoch;
    this.#nextOffset = stored.nextOffset;
    this.#highWatermark = stored.nextOffset;
    this.#maxTimestamp = stored.maxTimestamp;
    this.#store = store;
    this.#place = place;
    this.#tail = new PartitionTail(cache);
  }

  /** Everything below lasts and may be read. */
  get highWatermark(): number {
    return this.#highWatermark;
  }

  /** The largest timestamp of what lasts, -1 for none. */
  get maxTimestamp(): number {
    return this.#maxTimestamp;
  }

  /**
   * Appends a batch; resolves with its base offset after it lasts.
   *
   * @throws StoreUnavailableError where the store cannot write now.
   */
  async append(batch: UnplacedBatch): Promise<number> {
    if (this.#isFailing) this.#startAnew();
    const baseOffset = this.#nextOffset;
    const lastOffset = baseOffset + batch.count - 1;
    this.#place(batch.bytes, baseOffset, this.leaderEpoch);
    const placed = { ...batch, baseOffset, lastOffset };
    this.#nextOffset = lastOffset + 1;
    this.#inFlight++;
    try {
      await this.#store.append(this.id, placed);
    } catch (error) {
      this.#isFailing = true;
      throw error;
    } finally {
      this.#inFlight--;
    }
    this.#lasts(placed);
    return baseOffset;
  }

  /**
   * Whole batches from the one that holds `fromOffset`, at most `maxBytes` but always the first one. Empty at the end.
   *
   * @throws CorruptBatchError, StoreUnavailableError.
   */
  async read(fromOffset: number, maxBytes: number): Promise<StoredBatch[]> {
    const from = Math.max(fromOffset, this.firstOffset);
    const end = this.#highWatermark;
    if (from >= end) return [];
    const cached = this.#tail.read(from, end, maxBytes);
    if (cached !== undefined) return cached;
    const stored = await this.#store.read(this.id, from, maxBytes);
    return stored.filter((batch) => batch.lastOffset < end);
  }

  /** The offset of the first batch with a record at or after a time; the high watermark where there is none. */
  async offsetForTime(timestamp: number): Promise<number> {
    // What is appended while the store looks has not been looked at.
    const end = this.#highWatermark;
    const span = await this.#store.batchForTime(this.id, timestamp);
    return span === undefined ? end : Math.max(span.baseOffset, this.firstOffset);
  }

  /** Everything before `offset` goes. */
  async deleteUntil(offset: number): Promise<void> {
    const until = Math.min(offset, this.#highWatermark);
    if (until <= this.firstOffset) return;
    await this.#store.deleteUntil(this.id, until);
    this.firstOffset = Math.max(this.firstOffset, until);
  }

  /** Calls `listener` in the turn in which more has become readable. Returns what ends that. */
  onAdvance(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The store has recovered; this is what lasts. */
  restore(stored: StoredPartition): void {
    this.firstOffset = stored.firstOffset;
    this.#highWatermark = stored.nextOffset;
    this.#maxTimestamp = stored.maxTimestamp;
    this.#tail.clear();
    this.#isFailing = false;
    this.#nextOffset = this.#highWatermark;
  }

  /** What is on its way behind a refused batch is refused too; only after the last of it is the next offset known. */
  #startAnew(): void {
    if (this.#inFlight > 0)
      throw new StoreUnavailableError('failed', 'a batch before this one could not be written');
    this.#isFailing = false;
    this.#nextOffset = this.#highWatermark;
  }

  #lasts(batch: StoredBatch): void {
    this.#highWatermark = batch.lastOffset + 1;
    this.#maxTimestamp = Math.max(this.#maxTimestamp, batch.maxTimestamp);
    this.#tail.add(batch);
    for (const listener of [...this.#listeners]) listener();
  }
}
