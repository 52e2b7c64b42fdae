import { copiedSliceBytes, largestSlabBytes, smallestSlabBytes } from '../../../limits/broker.ts';

/** The bytes of the next write: short pieces are copied together, long ones stay where they lie. */
export class OutBuffer {
  #slab: Uint8Array = NOTHING;
  /** The start and the end of the part of the slab that is in no buffer yet. */
  #start = 0;
  #end = 0;
  #buffers: Uint8Array[] = [];
  #sealedBytes = 0;
  /** As much as the last write took; the next one is likely to need as much. */
  #likelyBytes = smallestSlabBytes;

  get bytes(): number {
    return this.#sealedBytes + this.#end - this.#start;
  }

  /** Makes room for so many bytes in one piece, from {@link at} of what it returns on. */
  reserve(bytes: number): Uint8Array {
    if (this.#slab.length - this.#end < bytes) {
      this.#seal();
      this.#slab = Buffer.allocUnsafe(Math.max(bytes, this.#likelyBytes));
      this.#start = 0;
      this.#end = 0;
    }
    return this.#slab;
  }

  get at(): number {
    return this.#end;
  }

  /** Sets the end of the bytes that were written behind {@link reserve}. */
  advanceTo(end: number): void {
    this.#end = end;
  }

  /** Adds bytes, which nobody writes again. */
  append(bytes: Uint8Array): void {
    if (bytes.length > copiedSliceBytes) {
      this.#seal();
      this.#push(bytes);
      return;
    }
    const slab = this.reserve(bytes.length);
    slab.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Hands everything out. The slab goes with it, so that a quiet connection has none. */
  take(): readonly Uint8Array[] {
    this.#likelyBytes = Math.min(largestSlabBytes, Math.max(smallestSlabBytes, this.#end));
    this.#seal();
    const buffers = this.#buffers;
    this.#buffers = [];
    this.#sealedBytes = 0;
    this.#slab = NOTHING;
    this.#start = 0;
    this.#end = 0;
    return buffers;
  }

  #seal(): void {
    if (this.#end === this.#start) return;
    this.#push(this.#slab.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }

  #push(bytes: Uint8Array): void {
    this.#buffers.push(bytes);
    this.#sealedBytes += bytes.length;
  }
}

const NOTHING = new Uint8Array(0);
