interface Entry<T> {
  atMs: number;
  value: T;
}

/**
 * Values and the times at which they are due, earliest first: a binary heap. A value is not taken out when its time
 * changes or it is wanted no longer; whoever gets it when it is due looks whether it still is.
 */
export class Deadlines<T> {
  readonly #heap: Entry<T>[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** @param atMs when the value is due, in milliseconds on whatever clock {@link due} is asked by. */
  add(atMs: number, value: T): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push({ atMs, value });
    while (index > 0) {
      const parent = (index - 1) >>> 1;
      if (heap[parent]!.atMs <= atMs) break;
      [heap[parent], heap[index]] = [heap[index]!, heap[parent]!];
      index = parent;
    }
  }

  /** Takes out everything that is due. */
  *due(nowMs: number): Generator<T> {
    while (this.#heap.length > 0 && this.#heap[0]!.atMs <= nowMs) yield this.#takeFirst();
  }

  clear(): void {
    this.#heap.length = 0;
  }

  #takeFirst(): T {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first.value;
    heap[0] = last;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.atMs < heap[child]!.atMs) child++;
      if (heap[child]!.atMs >= last.atMs) break;
      heap[index] = heap[child]!;
      heap[child] = last;
      index = child;
    }
    return first.value;
  }
}
