import { DEFAULT_MAX_FRAME_BYTES } from '../../../protocol/http2/frame.ts';

const SMALLEST_BYTES = 1_024;

/** The bytes that a client sent ahead into a stream that is paused. They take at most twice their size. */
export class AheadBuffer {
  #buffer: Uint8Array = new Uint8Array(SMALLEST_BYTES);
  #start = 0;
  #end = 0;

  get bytes(): number {
    return this.#end - this.#start;
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (this.#end + length > this.#buffer.length) this.#makeRoom(length);
    this.#buffer.set(bytes.subarray(start, end), this.#end);
    this.#end += length;
  }

  /** Takes the next bytes, as many as a frame may have. They are right until more is added. */
  next(): Uint8Array {
    const end = Math.min(this.#end, this.#start + DEFAULT_MAX_FRAME_BYTES);
    const bytes = this.#buffer.subarray(this.#start, end);
    this.#start = end;
    return bytes;
  }

  #makeRoom(length: number): void {
    const needed = this.bytes + length;
    const larger = new Uint8Array(Math.max(needed, this.bytes * 2, SMALLEST_BYTES));
    larger.set(this.#buffer.subarray(this.#start, this.#end));
    this.#buffer = larger;
    this.#end -= this.#start;
    this.#start = 0;
  }
}
