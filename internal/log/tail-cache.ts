import type { LentMemory } from '../lib/lent-memory.ts';
import type { StoredBatch } from '../store/log-store.ts';
import { SLAB_BYTES, type Slab, Slabs } from './slabs.ts';

/**
 * The overhead of a batch beside its bytes: the objects around them and the allocator's share, measured with batches of one
 * small record. Without it a busy log of such batches took ten times the budget.
 */
export const BATCH_OVERHEAD_BYTES = 600;

/** One batch that is kept in memory, and whose it is. */
interface CachedBatch {
  owner: PartitionTail;
  bytes: number;
  /** What it lies in; undefined where it has memory of its own. */
  slab: Slab | undefined;
}

/** A batch as a tail has it. */
interface KeptBatch {
  readonly batch: StoredBatch;
  readonly slab: Slab | undefined;
}

/**
 * The newest batches of all partitions, in memory up to a budget, so that readers near the end never touch the disk.
 * The oldest go first, whosever they are.
 */
export class TailCache {
  readonly #budgetBytes: number;
  readonly #slabs = new Slabs();
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

  /** Takes up a batch that comes to the end of a tail, and drops the oldest ones that it takes the place of. */
  add(owner: PartitionTail, batch: StoredBatch): KeptBatch {
    const piece = this.#slabs.keep(batch.bytes);
    const slab = piece?.slab;
    const bytes = batch.bytes.length + BATCH_OVERHEAD_BYTES;
    this.#queue.push({ owner, bytes, slab });
    this.#bytes += bytes;
    if (piece === undefined) return { batch, slab };
    const { baseOffset, lastOffset, count, maxTimestamp } = batch;
    return { batch: { baseOffset, lastOffset, count, maxTimestamp, bytes: piece.bytes }, slab };
  }

  /** Drops the oldest batches, until the budget is kept. */
  makeRoom(): void {
    while (this.#isOver && this.#first < this.#queue.length) {
      const oldest = this.#queue[this.#first++]!;
      this.#bytes -= oldest.bytes;
      oldest.owner.dropFirst();
      if (oldest.slab !== undefined) this.#slabs.drop(oldest.slab);
    }
    if (this.#first > 1024 && this.#first * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#first);
      this.#first = 0;
    }
  }

  /** Forgets the first batches of a tail, so many of them. */
  forgetFirst(owner: PartitionTail, count: number): void {
    let left = count;
    this.#forget((cached) => cached.owner === owner && left-- > 0);
  }

  /** Forgets all batches of a tail. */
  forget(owner: PartitionTail): void {
    this.#forget((cached) => cached.owner === owner);
  }

  /**
   * Batches that are to be read: their memory stays as it is until `memory` is given back. They get memory of their own where there is none,
   * and while slow readers keep too much.
   */
  lend(found: readonly KeptBatch[], memory: LentMemory | undefined): StoredBatch[] {
    if (memory === undefined || !this.#slabs.mayLend) return found.map(copied);
    let last: Slab | undefined;
    for (const { slab } of found) {
      if (slab === undefined || slab === last) continue;
      last = slab;
      this.#slabs.lend(slab);
      memory.hold(slab);
    }
    return found.map(({ batch }) => batch);
  }

  /** Slabs that are nearly empty take memory too: batches that were forgotten lay between those that are kept. */
  get #isOver(): boolean {
    return this.#bytes > this.#budgetBytes || this.#slabs.bytesInUse > this.#budgetBytes + 2 * SLAB_BYTES;
  }

  #forget(isForgotten: (cached: CachedBatch) => boolean): void {
    const kept: CachedBatch[] = [];
    for (let index = this.#first; index < this.#queue.length; index++) {
      const cached = this.#queue[index]!;
      if (!isForgotten(cached)) kept.push(cached);
      else if (cached.slab !== undefined) this.#slabs.drop(cached.slab);
    }
    this.#queue = kept;
    this.#first = 0;
    this.#bytes = kept.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

function copied({ batch, slab }: KeptBatch): StoredBatch {
  return slab === undefined ? batch : { ...batch, bytes: batch.bytes.slice() };
}

/** The newest batches of one partition, one behind the other without a gap. */
export class PartitionTail {
  readonly #cache: TailCache;
  /** Dropped batches leave undefined behind, until it is worth moving the rest. */
  #batches: (KeptBatch | undefined)[] = [];
  #first = 0;

  constructor(cache: TailCache) {
    this.#cache = cache;
  }

  get isEmpty(): boolean {
    return this.#first >= this.#batches.length;
  }

  add(batch: StoredBatch): void {
    this.#batches.push(this.#cache.add(this, batch));
    this.#cache.makeRoom();
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
    while (first < this.#batches.length && this.#batches[first]!.batch.lastOffset < offset) first++;
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
   *
   * @param memory with which their bytes are lent; without it they are the reader's own.
   */
  read(
    fromOffset: number,
    endOffset: number,
    maxBytes: number,
    memory?: LentMemory,
  ): StoredBatch[] | undefined {
    const batches = this.#batches;
    let index = this.#indexOf(fromOffset);
    if (index === undefined) return undefined;
    const found: KeptBatch[] = [];
    let bytes = 0;
    for (; index < batches.length; index++) {
      const kept = batches[index]!;
      if (kept.batch.lastOffset >= endOffset) break;
      bytes += kept.batch.bytes.length;
      if (bytes > maxBytes && found.length > 0) break;
      found.push(kept);
    }
    return this.#cache.lend(found, memory);
  }

  /** The index of the batch that holds an offset; found by halving. */
  #indexOf(offset: number): number | undefined {
    const batches = this.#batches;
    if (this.#first >= batches.length || offset < batches[this.#first]!.batch.baseOffset) return undefined;
    let low = this.#first;
    let high = batches.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (batches[middle]!.batch.lastOffset < offset) low = middle + 1;
      else high = middle;
    }
    return offset <= batches[low]!.batch.lastOffset ? low : undefined;
  }
}
