import type { FrameCursor } from './cursor.ts';

/** What the first bytes of a frame get room for: most messages are complete in it without growing. */
export const FIRST_BYTES = 2048;

/**
 * Holds the frame that a chunk ended in the middle of, until the rest of it arrives. What it reserves grows
 * with what really came, at most double beyond {@link FIRST_BYTES}, never with what a length field claims.
 */
export class PartialFrame {
  #buffer: Uint8Array | undefined;
  #length = 0;
  readonly #isReused: boolean;

  /**
   * @param isReused whether a frame of up to {@link FIRST_BYTES} lies in a buffer that the next one is written to: for
   *   an owner that has copied what it needs of a frame before it keeps another.
   */
  constructor(isReused = false) {
    this.#isReused = isReused;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Bytes of the unfinished frame that have arrived. */
  get length(): number {
    return this.#length;
  }

  /** Bytes of memory that it holds. */
  get reservedBytes(): number {
    return this.#buffer?.length ?? 0;
  }

  /** Keeps a copy of the beginning of a frame. Only when empty. */
  keep(bytes: Uint8Array, start: number, end: number): void {
    this.#append(bytes, start, end);
  }

  /**
   * Takes from `chunk` what completes the frame, no more, and returns where in the chunk it stopped.
   * After that {@link takeWhole} has the frame, or the chunk is used up.
   *
   * @throws FrameError as {@link FrameCursor.read} does.
   */
  fill(chunk: Uint8Array, cursor: FrameCursor): number {
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

  /** Hands out the frame that {@link fill} completed, which `cursor` points into; undefined while it is not. */
  takeWhole(cursor: FrameCursor): Uint8Array | undefined {
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
