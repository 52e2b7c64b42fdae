import type { StoredBatch } from '../store/log-store.ts';

/**
 * The overhead of a batch beside its bytes: the objects around them and the allocator's share, measured with batches of one
 * small record. Without it a busy log of such batches took ten times the budget.
 */
export const BATCH_OVERHEAD_BYTES = 600;

/** One batch that is kept in memory, and whose it is. */
interface CachedBatch {
  owner: PartitionTail;
  bytes: number;
}

/**
 * The newest batches of all partitions, in memory up to a budget, so that readers near the end never touch the disk.
 * The oldest go first, whosever they are.
 */
export class TailCache {
  readonly #budgetBytes: number;
  #queue: CachedBatch[] = [];
  #first = 0;
  #bytes = 0;

  /** @param budgetBytes the memory that all tails may take together. */
  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes;
  }

  /** The bytes of all batches that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Counts a batch that was added to the end of a tail, and drops the oldest ones that it takes the place of. */
  added(owner: PartitionTail, bytes: number): void {
    this.#queue.push({ owner, bytes });
    this.#bytes += bytes;
    while (this.#bytes > this.#budgetBytes && this.#first < this.#queue.length) {
      const oldest = this.#queue[this.#first++]!;
      this.#bytes -= oldest.bytes;
      oldest.owner.dropFirst();
    }
    if (this.#first > 1024 && this.#first * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#first);
      this.#first = 0;
    }
  }

  /** Forgets the first batches of a tail, so many of them. */
  forgetFirst(owner: PartitionTail, count: number): void {
    let left = count;
    this.#queue = this.#queue.slice(this.#first).filter((cached) => cached.owner !== owner || left-- <= 0);
    this.#first = 0;
    this.#bytes = this.#queue.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Forgets all batches of a tail. */
  forget(owner: PartitionTail): void {
    this.#queue = this.#queue.slice(this.#first).filter((cached) => cached.owner !== owner);
    this.#first = 0;
    this.#bytes = this.#queue.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

/** The newest batches of one partition, one behind the other without a gap. */
export class PartitionTail {
  readonly #cache: TailCache;
  /** Dropped batches leave undefined behind, until it is worth moving the rest. */
  #batches: (StoredBatch | undefined)[] = [];
  #first = 0;

  constructor(cache: TailCache) {
    this.#cache = cache;
  }

  get isEmpty(): boolean {
    return this.#first >= this.#batches.length;
  }

  add(batch: StoredBatch): void {
    this.#batches.push(batch);
    this.#cache.added(this, batch.bytes.length + BATCH_OVERHEAD_BYTES);
  }

  /** Called by the cache when it needs the room. */
  dropFirst(): void {
    this.#batches[this.#first++] = undefined;
    if (this.#first > 64 && this.#first * 2 > this.#batches.length) {
      this.#batches = this.#batches.slice(this.#first);
      this.#first = 0;
    }
  }

  /** Drops the batches that end before an offset. */
  dropUntil(offset: number): void {
    let first = this.#first;
    while (first < this.#batches.length && this.#batches[first]!.lastOffset < offset) first++;
    const count = first - this.#first;
    if (count === 0) return;
    this.#batches = this.#batches.slice(first);
    this.#first = 0;
    this.#cache.forgetFirst(this, count);
  }

  clear(): void {
    this.#batches = [];
    this.#first = 0;
    this.#cache.forget(this);
  }

  /**
   * Whole batches from the one that holds `fromOffset`, which end before `endOffset`: at most `maxBytes`, but always
   * the first one. Undefined where that offset is not in memory any more.
   */
  read(fromOffset: number, endOffset: number, maxBytes: number): StoredBatch[] | undefined {
    const batches = this.#batches;
    let index = this.#indexOf(fromOffset);
    if (index === undefined) return undefined;
    const found: StoredBatch[] = [];
    let bytes = 0;
    for (; index < batches.length; index++) {
      const batch = batches[index]!;
      if (batch.lastOffset >= endOffset) break;
      bytes += batch.bytes.length;
      if (bytes > maxBytes && found.length > 0) break;
      found.push(batch);
    }
    return found;
  }

  /** The index of the batch that holds an offset; found by halving. */
  #indexOf(offset: number): number | undefined {
    const batches = this.#batches;
    if (this.#first >= batches.length || offset < batches[this.#first]!.baseOffset) return undefined;
    let low = this.#first;
    let high = batches.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (batches[middle]!.lastOffset < offset) low = middle + 1;
      else high = middle;
    }
    return offset <= batches[low]!.lastOffset ? low : undefined;
  }
}
