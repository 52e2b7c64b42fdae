import { KiB, MiB } from '../limits/units.ts';

export const SLAB_BYTES = 4 * MiB;
/** Shorter pieces stay where they are: they lie together already, in memory that goes as a whole. */
const SHORTEST_BYTES = 8 * KiB;
/** Longer pieces stay, too: at the end of a slab they would leave too much unused. */
const LONGEST_BYTES = SLAB_BYTES / 8;
/** Slabs of which nothing is kept and something is read: each may be there for a few bytes that a client does not take. */
const MOST_PINNED = 16;
/** Slabs that wait for use: one is needed a moment before the oldest one is empty. */
const FREE_SLABS = 2;

/**
 * Memory for bytes that are kept for long and go in about the order in which they came. It is used again and again: what lives for so
 * long and becomes free in great amounts has the collector look at all that is alive.
 */
export class Slabs {
  #current: Slab | undefined;
  #free: Slab[] = [];
  /** Weakly, as it is not told of readers that never give back. */
  #pinned: WeakRef<Slab>[] = [];
  #inUse = 0;

  /** Bytes of all slabs of which something is kept. */
  get bytesInUse(): number {
    return this.#inUse * SLAB_BYTES;
  }

  /** Copies bytes to the end of what is used of a slab, and returns it; undefined where they had better stay where they are. */
  keep(bytes: Uint8Array): Slab | undefined {
    const { length } = bytes;
    if (length < SHORTEST_BYTES || length > LONGEST_BYTES) return undefined;
    if (this.#current === undefined || this.#current.usedBytes + length > SLAB_BYTES) this.#begin();
    const slab = this.#current!;
    slab.memory.set(bytes, slab.usedBytes);
    slab.usedBytes += length;
    slab.pieces++;
    return slab;
  }

  /** A piece is not kept any more; who reads it may go on. */
  drop(slab: Slab): void {
    slab.pieces--;
    if (slab !== this.#current) this.#endEmpty(slab);
  }

  /** Whether more may be lent: not, where readers take so long that they keep much memory for little. */
  get mayLend(): boolean {
    if (this.#pinned.length < MOST_PINNED) return true;
    this.#pinned = this.#pinned.filter((slab) => slab.deref()?.isPinned === true);
    return this.#pinned.length < MOST_PINNED;
  }

  /** Somebody reads pieces of a slab until {@link Slab.giveBack}; where that never comes, its memory is the collector's. */
  lend(slab: Slab): void {
    slab.readers++;
  }

  /** The next piece goes to a slab with nothing in it. */
  #begin(): void {
    const full = this.#current;
    this.#current = this.#free.pop() ?? new Slab((slab) => this.#recycle(slab));
    this.#inUse++;
    if (full !== undefined) this.#endEmpty(full);
  }

  #endEmpty(slab: Slab): void {
    if (slab.pieces > 0) return;
    this.#inUse--;
    if (slab.isPinned) this.#pinned.push(new WeakRef(slab));
    this.#recycle(slab);
  }

  #recycle(slab: Slab): void {
    if (slab.pieces > 0 || slab.readers > 0 || slab === this.#current) return;
    slab.usedBytes = 0;
    if (this.#free.length < FREE_SLABS) this.#free.push(slab);
  }
}

/** Memory for many pieces. */
export class Slab {
  /** The system gives its pages when something is written to them. */
  readonly memory = new Uint8Array(SLAB_BYTES);
  usedBytes = 0;
  pieces = 0;
  readers = 0;
  readonly #givenBack: (slab: Slab) => void;

  constructor(givenBack: (slab: Slab) => void) {
    this.#givenBack = givenBack;
  }

  /** Whether only readers keep it. */
  get isPinned(): boolean {
    return this.pieces === 0 && this.readers > 0;
  }

  /** A reader is done. */
  giveBack(): void {
    this.readers--;
    this.#givenBack(this);
  }
}
