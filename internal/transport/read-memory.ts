/**
 * Counts what sockets bring. The runtime makes a buffer for each read, which lies outside of the heap and is dead a moment later; only a
 * collection gives it back, and V8 waits with that for so many of them that it looks through the whole heap.
 */
export class ReadMemory {
  #bytes = 0;
  #everyBytes = Number.POSITIVE_INFINITY;
  #free: () => void = () => {};

  /** Has those given back that nobody needs any more, each time that so much was read from now on. Default: as V8 does it. */
  freeBy(free: () => void, everyBytes: number): void {
    this.#bytes = 0;
    this.#free = free;
    this.#everyBytes = everyBytes;
  }

  /** Bytes were read, and were taken. */
  read(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < this.#everyBytes) return;
    this.#bytes = 0;
    this.#free();
  }
}

/** Of this process, as its heap is. */
export const readMemory = new ReadMemory();
