interface Entry<T> {
  atMs: number;
  value: T;
}

/** Entries that are not looked at may be this many for each that is, before they are left out. */
const MAX_STALE_FACTOR = 2;
const MIN_STALE = 64;

/**
 * Values and the times at which to look at them, earliest first: a binary heap. A value is not taken out when it is wanted
 * no longer or later: whoever gets it looks whether it is due, and adds it again if it is not. So a value whose time is
 * put off again and again, as that of a client that comes and goes, lies here once.
 */
export class Deadlines<T> {
  #heap: Entry<T>[] = [];
  /** The entry that counts of each value. */
  readonly #times = new Map<T, number>();

  get size(): number {
    return this.#times.size;
  }

  /**
   * Has a value handed out at a time, or earlier if that was asked for before.
   *
   * @param atMs in milliseconds on whatever clock {@link due} is asked by.
   */
  add(atMs: number, value: T): void {
    const known = this.#times.get(value);
    if (known !== undefined && known <= atMs) return;
    this.#times.set(value, atMs);
    this.#push(atMs, value);
    this.#leaveOutStale();
  }

  /** Takes out everything whose time has come. */
  *due(nowMs: number): Generator<T> {
    for (let first = this.#heap[0]; first !== undefined && first.atMs <= nowMs; first = this.#heap[0]) {
      const { atMs, value } = first;
      this.#dropFirst();
      if (this.#times.get(value) !== atMs) continue;
      this.#times.delete(value);
      yield value;
    }
  }

  /** Hands a value out no more, until it is added again. */
  delete(value: T): void {
    if (this.#times.delete(value)) this.#leaveOutStale();
  }

  values(): Iterable<T> {
    return this.#times.keys();
  }

  /** The time of the first of them; Infinity where there is none. */
  get firstAtMs(): number {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (this.#times.get(first.value) === first.atMs) return first.atMs;
      this.#dropFirst();
    }
    return Number.POSITIVE_INFINITY;
  }

  /** Has all of them handed out so much later. */
  putOff(byMs: number): void {
    // Their order stays what it was.
    for (const entry of this.#heap) entry.atMs += byMs;
    for (const [value, atMs] of this.#times) this.#times.set(value, atMs + byMs);
  }

  clear(): void {
    this.#heap = [];
    this.#times.clear();
  }

  /** Leaves out the entries that an earlier one took the place of, where they are many. */
  #leaveOutStale(): void {
    if (this.#heap.length <= MAX_STALE_FACTOR * this.#times.size + MIN_STALE) return;
    this.#heap = [];
    for (const [value, atMs] of this.#times) this.#push(atMs, value);
  }

  #push(atMs: number, value: T): void {
    const heap = this.#heap;
    let index = heap.length;
    const added = { atMs, value };
    heap.push(added);
    while (index > 0) {
      const at = (index - 1) >>> 1;
      const parent = heap[at]!;
      if (parent.atMs <= atMs) break;
      heap[at] = added;
      heap[index] = parent;
      index = at;
    }
  }

  /** There is one. */
  #dropFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    heap[0] = last;
    let index = 0;
    for (;;) {
      let at = 2 * index + 1;
      const left = heap[at];
      if (left === undefined) break;
      const right = heap[at + 1];
      const isRight = right !== undefined && right.atMs < left.atMs;
      const child = isRight ? right : left;
      if (isRight) at++;
      if (child.atMs >= last.atMs) break;
      heap[index] = child;
      heap[at] = last;
      index = at;
    }
  }
}
