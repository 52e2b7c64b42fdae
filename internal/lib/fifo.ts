/** Below this many dead entries at the front, the array is left as it is. */
const COMPACT_AFTER = 1024;

/** A queue whose first entry is taken without moving the others. */
export class Fifo<T> {
  #entries: (T | undefined)[] = [];
  #first = 0;

  get length(): number {
    return this.#entries.length - this.#first;
  }

  get first(): T | undefined {
    return this.#entries[this.#first];
  }

  push(entry: T): void {
    this.#entries.push(entry);
  }

  shift(): T | undefined {
    if (this.#first === this.#entries.length) return undefined;
    const entry = this.#entries[this.#first];
    this.#entries[this.#first++] = undefined;
    if (this.#first === this.#entries.length) {
      this.#entries = [];
      this.#first = 0;
    } else if (this.#first >= COMPACT_AFTER && this.#first * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
    return entry;
  }

  /** Takes out everything that is asked for, in order. */
  takeIf(isWanted: (entry: T) => boolean): T[] {
    const taken: T[] = [];
    const kept: T[] = [];
    for (const entry of this) (isWanted(entry) ? taken : kept).push(entry);
    if (taken.length > 0) {
      this.#entries = kept;
      this.#first = 0;
    }
    return taken;
  }

  clear(): void {
    this.#entries = [];
    this.#first = 0;
  }

  *[Symbol.iterator](): Generator<T> {
    for (let index = this.#first; index < this.#entries.length; index++) yield this.#entries[index]!;
  }
}
