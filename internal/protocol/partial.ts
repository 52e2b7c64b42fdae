/** Finds where a unit of a protocol ends: a frame, or a packet. */
export interface UnitCursor {
  /** Looks at the unit that begins at `at`; whether it is complete before `limit`. */
  read(bytes: Uint8Array, at: number, limit: number): boolean;
  /** How many bytes of the unit at `at` are needed to know more about it, given that it is not complete. */
  bytesWanted(bytes: Uint8Array, at: number, limit: number): number;
}

/** What the first bytes of a unit get room for: most messages are complete in it without growing. */
export const FIRST_BYTES = 2048;

/**
 * Holds the unit that a chunk ended in the middle of, until the rest of it arrives. What it reserves grows with what
 * really came, at most double beyond {@link FIRST_BYTES}, never with what a length claims.
 */
export class PartialUnit {
  #buffer: Uint8Array | undefined;
  #length = 0;
  readonly #isReused: boolean;

  /**
   * @param isReused whether a unit of up to {@link FIRST_BYTES} lies in a buffer that the next one is written to: for
   *   an owner that has copied what it needs of a unit before it keeps another.
   */
  constructor(isReused = false) {
    this.#isReused = isReused;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Bytes of the unfinished unit that have arrived. */
  get length(): number {
    return this.#length;
  }

  /** Bytes of memory that it holds. */
  get reservedBytes(): number {
    return this.#buffer?.length ?? 0;
  }

  /** Keeps a copy of the beginning of a unit. Only when empty. */
  keep(bytes: Uint8Array, start: number, end: number): void {
    this.#append(bytes, start, end);
  }

  /**
   * Takes from `chunk` what completes the unit, no more, and returns where in the chunk it stopped. After
   * that {@link takeWhole} has the unit, or the chunk is used up.
   *
   * @throws what the cursor throws.
   */
  fill(chunk: Uint8Array, cursor: UnitCursor): number {
    let at = 0;
    while (!cursor.read(this.#buffer!, 0, this.#length)) {
      const missing = cursor.bytesWanted(this.#buffer!, 0, this.#length) - this.#length;
      const end = Math.min(at + missing, chunk.length);
      if (end === at) return at;
      this.#append(chunk, at, end);
      at = end;
    }
    return at;
  }

  /** Hands out the unit that {@link fill} completed, which `cursor` points into; undefined while it is not. */
  takeWhole(cursor: UnitCursor): Uint8Array | undefined {
    if (!cursor.read(this.#buffer!, 0, this.#length)) return undefined;
    const whole = this.#buffer!.subarray(0, this.#length);
    this.#length = 0;
    if (!this.#isReused || this.#buffer!.length > FIRST_BYTES) this.#buffer = undefined;
    return whole;
  }

  clear(): void {
    this.#buffer = undefined;
    this.#length = 0;
  }

  #append(bytes: Uint8Array, start: number, end: number): void {
    const length = this.#length + end - start;
    if (this.#buffer === undefined || length > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#length, FIRST_BYTES));
      if (this.#buffer !== undefined) grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    this.#buffer.set(bytes.subarray(start, end), this.#length);
    this.#length = length;
  }
}
