/** The sizes of buffers differ by so much, so that those that are given back fit what is asked for next. */
const STEP_BYTES = 64 * 1024;

/**
 * Buffers that are used again: a long one that is made for each answer costs more than to fill it, because the system clears
 * its pages, and because what becomes free in great amounts has the collector look at all that is alive. What is lent and
 * never given back is the collector's, like any other memory.
 */
export class MemoryPool {
  readonly #keptBytes: number;
  /** The one that was given back first is the first to go. */
  readonly #free: Buffer[] = [];
  #freeBytes = 0;

  /** @param keptBytes bytes that wait for use at most. */
  constructor(keptBytes: number) {
    this.#keptBytes = keptBytes;
  }

  /** Bytes that wait for use. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  lend(): LentMemory {
    return new LentMemory(this);
  }

  /** At least so many bytes, with anything in them. */
  take(byteLength: number): Buffer {
    // The newest one is in the processor's caches. One that is far too long would be missed by those who need it.
    const index = this.#free.findLastIndex(
      ({ length }) => length >= byteLength && length <= 2 * byteLength + STEP_BYTES,
    );
    if (index < 0) return Buffer.allocUnsafeSlow(Math.ceil(byteLength / STEP_BYTES) * STEP_BYTES);
    const [buffer] = this.#free.splice(index, 1) as [Buffer];
    this.#freeBytes -= buffer.length;
    return buffer;
  }

  giveBack(buffer: Buffer): void {
    this.#free.push(buffer);
    this.#freeBytes += buffer.length;
    while (this.#freeBytes > this.#keptBytes) this.#freeBytes -= this.#free.shift()!.length;
  }
}

/** What one piece of work has borrowed from a pool. */
export class LentMemory {
  readonly #pool: MemoryPool;
  readonly #buffers: Buffer[] = [];
  readonly #held: Held[] = [];

  constructor(pool: MemoryPool) {
    this.#pool = pool;
  }

  /** Bytes with anything in them, to be written and read until all is given back. */
  buffer(byteLength: number): Buffer {
    const buffer = this.#pool.take(byteLength);
    this.#buffers.push(buffer);
    return buffer.subarray(0, byteLength);
  }

  /** The same for memory of somebody else, which is given back with this. */
  hold(memory: Held): void {
    this.#held.push(memory);
  }

  /** Nobody reads or writes any of it any more. */
  giveBack(): void {
    for (const buffer of this.#buffers.splice(0)) this.#pool.giveBack(buffer);
    for (const memory of this.#held.splice(0)) memory.giveBack();
  }
}

/** Memory that is used otherwise when nobody reads it any more. */
export interface Held {
  giveBack(): void;
}
