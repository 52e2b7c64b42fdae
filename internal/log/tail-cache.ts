import type { LentMemory } from '../lib/lent-memory.ts';
import type { StoredBatch } from '../store/log-store.ts';
import { SLAB_BYTES, Slab, Slabs } from './slabs.ts';

/** What a batch takes beside its bytes: its row, its places in two lists, and as much again for their growth. */
export const BATCH_OVERHEAD_BYTES = 128;

/**
 * The newest batches of all partitions, in memory up to a budget, so that readers near the end never touch the disk.
 * The oldest go first, whosever they are.
 */
export class TailCache {
  readonly #budgetBytes: number;
  readonly #slabs = new Slabs();
  /** Whose each batch is, the oldest first; it is the first one that its owner has, behind those that it has forgotten. */
  #owners: PartitionTail[] = [];
  #first = 0;
  #forgotten = 0;
  #bytes = 0;

  /** @param budgetBytes the memory that all tails may take together. */
  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes;
  }

  /** The bytes of all batches that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A batch comes to the end of a tail. @returns the slab with a copy of its bytes at the end, or their own memory */
  add(owner: PartitionTail, bytes: Uint8Array): BytesPlace {
    this.#owners.push(owner);
    this.#bytes += bytes.length + BATCH_OVERHEAD_BYTES;
    return this.#slabs.keep(bytes) ?? bytes.buffer;
  }

  /** A tail has dropped a batch. */
  dropped(place: BytesPlace, byteLength: number): void {
    this.#bytes -= byteLength + BATCH_OVERHEAD_BYTES;
    if (place instanceof Slab) this.#slabs.drop(place);
  }

  /** Drops the oldest batches, until the budget is kept. */
  makeRoom(): void {
    while (this.#isOver && this.#first < this.#owners.length) {
      const owner = this.#owners[this.#first++]!;
      if (this.#isForgotten(owner)) continue;
      owner.dropFirst();
    }
    this.#shorten();
  }

  /**
   * A tail has dropped its first batches, so many of them, before it was their turn. They stay in the list until that is half of it: a
   * topic with many partitions that goes would have it looked through for each of them.
   */
  forget(owner: PartitionTail, count: number): void {
    owner.forgotten += count;
    this.#forgotten += count;
    this.#shorten();
  }

  /** Whether slabs may be lent: not, while slow readers keep too much. */
  get mayLend(): boolean {
    return this.#slabs.mayLend;
  }

  /** A slab stays as it is until `memory` is given back. */
  lend(slab: Slab, memory: LentMemory): void {
    this.#slabs.lend(slab);
    memory.hold(slab);
  }

  #isForgotten(owner: PartitionTail): boolean {
    if (owner.forgotten === 0) return false;
    owner.forgotten--;
    this.#forgotten--;
    return true;
  }

  #shorten(): void {
    const gone = this.#first + this.#forgotten;
    if (gone <= 1024 || gone * 2 <= this.#owners.length) return;
    const owners = this.#owners.slice(this.#first);
    this.#owners = this.#forgotten === 0 ? owners : owners.filter((owner) => !this.#isForgotten(owner));
    this.#first = 0;
  }

  /** Slabs that are nearly empty take memory too: batches that were forgotten lay between those that are kept. */
  get #isOver(): boolean {
    return this.#bytes > this.#budgetBytes || this.#slabs.bytesInUse > this.#budgetBytes + 2 * SLAB_BYTES;
  }
}

/** What the bytes of a batch lie in. */
type BytesPlace = Slab | ArrayBufferLike;

/**
 * The newest batches of one partition, one behind the other without a gap. They are numbers in rows: an object for each would live
 * for long, and have the collector look at all that is alive, again and again.
 */
export class PartitionTail {
  /** Batches that it has dropped and the cache still has in its list, before all others of it. */
  forgotten = 0;
  readonly #cache: TailCache;
  #rows = new Float64Array(0);
  #places: (BytesPlace | undefined)[] = [];
  /** Rows of batches that were dropped lie before it, until it is worth moving the rest. */
  #first = 0;
  #end = 0;

  constructor(cache: TailCache) {
    this.#cache = cache;
  }

  get isEmpty(): boolean {
    return this.#first === this.#end;
  }

  add({ baseOffset, lastOffset, count, maxTimestamp, bytes }: StoredBatch): void {
    const place = this.#cache.add(this, bytes);
    if ((this.#end + 1) * ROW > this.#rows.length) this.#makeRoom();
    const rows = this.#rows;
    const at = this.#end * ROW;
    rows[at + BASE_OFFSET] = baseOffset;
    rows[at + LAST_OFFSET] = lastOffset;
    rows[at + COUNT] = count;
    rows[at + MAX_TIMESTAMP] = maxTimestamp;
    rows[at + START] = place instanceof Slab ? place.usedBytes - bytes.length : bytes.byteOffset;
    rows[at + LENGTH] = bytes.length;
    this.#places[this.#end++] = place;
    this.#cache.makeRoom();
  }

  /** Drops the oldest batch. */
  dropFirst(): void {
    const index = this.#first++;
    this.#cache.dropped(this.#places[index]!, this.#rows[index * ROW + LENGTH]!);
    this.#places[index] = undefined;
    if (this.isEmpty) this.#restart();
  }

  /** Drops the batches that end before an offset. */
  dropUntil(offset: number): void {
    let count = 0;
    while (!this.isEmpty && this.#lastOffset(this.#first) < offset) {
      this.dropFirst();
      count++;
    }
    if (count > 0) this.#cache.forget(this, count);
  }

  clear(): void {
    this.dropUntil(Number.POSITIVE_INFINITY);
  }

  /**
   * Whole batches from the one that holds `fromOffset`, which end before `endOffset`: at most `maxBytes`, but always
   * the first one. Undefined where that offset is not in memory any more.
   *
   * @param memory with which their bytes are lent. Without it, or while slow readers keep too much, they are the reader's own.
   */
  read(
    fromOffset: number,
    endOffset: number,
    maxBytes: number,
    memory?: LentMemory,
  ): StoredBatch[] | undefined {
    let index = this.#indexOf(fromOffset);
    if (index === undefined) return undefined;
    const lends = memory !== undefined && this.#cache.mayLend;
    const found: StoredBatch[] = [];
    let lent: Slab | undefined;
    let bytes = 0;
    for (; index < this.#end && this.#lastOffset(index) < endOffset; index++) {
      bytes += this.#rows[index * ROW + LENGTH]!;
      if (bytes > maxBytes && found.length > 0) break;
      const place = this.#places[index]!;
      if (lends && place instanceof Slab && place !== lent) {
        this.#cache.lend(place, memory);
        lent = place;
      }
      found.push(this.#batch(index, lends));
    }
    return found;
  }

  #batch(index: number, lends: boolean): StoredBatch {
    const rows = this.#rows;
    const at = index * ROW;
    const place = this.#places[index]!;
    const [start, length] = [rows[at + START]!, rows[at + LENGTH]!];
    const bytes =
      place instanceof Slab
        ? place.memory.subarray(start, start + length)
        : new Uint8Array(place, start, length);
    return {
      baseOffset: rows[at + BASE_OFFSET]!,
      lastOffset: rows[at + LAST_OFFSET]!,
      count: rows[at + COUNT]!,
      maxTimestamp: rows[at + MAX_TIMESTAMP]!,
      bytes: place instanceof Slab && !lends ? bytes.slice() : bytes,
    };
  }

  /** The index of the batch that holds an offset; found by halving. */
  #indexOf(offset: number): number | undefined {
    if (this.isEmpty || offset < this.#rows[this.#first * ROW + BASE_OFFSET]!) return undefined;
    let low = this.#first;
    let high = this.#end - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#lastOffset(middle) < offset) low = middle + 1;
      else high = middle;
    }
    return offset <= this.#lastOffset(low) ? low : undefined;
  }

  #lastOffset(index: number): number {
    return this.#rows[index * ROW + LAST_OFFSET]!;
  }

  /** Moves the rows to the front, into twice the room where more than half of them count. */
  #makeRoom(): void {
    const count = this.#end - this.#first;
    const isCrowded = 2 * count >= this.#places.length;
    const rows = isCrowded ? new Float64Array(Math.max(FIRST_ROWS, 2 * count) * ROW) : this.#rows;
    rows.set(this.#rows.subarray(this.#first * ROW, this.#end * ROW));
    this.#rows = rows;
    this.#places = this.#places.slice(this.#first, this.#end);
    this.#first = 0;
    this.#end = count;
  }

  /** Nothing is left, and many rows are given back. */
  #restart(): void {
    this.#first = this.#end = 0;
    this.#places = [];
    if (this.#rows.length > KEPT_ROWS * ROW) this.#rows = new Float64Array(0);
  }
}

/** What a row has, each a number. */
const BASE_OFFSET = 0;
const LAST_OFFSET = 1;
const COUNT = 2;
const MAX_TIMESTAMP = 3;
/** Where the bytes begin in their place. */
const START = 4;
const LENGTH = 5;
const ROW = 6;
/** Most partitions of a large number have few batches in memory. */
const FIRST_ROWS = 4;
const KEPT_ROWS = 64;
