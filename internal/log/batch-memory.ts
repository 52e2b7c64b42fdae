/** A view that takes so much of the memory behind it may keep that alive. */
const OWN_SHARE = 0.75;
const SLAB_BYTES = 64 * 1024;
/** Beyond this a batch gets memory of its own: in a slab it would leave too much behind. */
const SHORT_BYTES = SLAB_BYTES / 8;

/**
 * Memory for batches that are to be remembered and are views of what arrived: a short view must not keep a long chunk
 * alive. Short batches are copied one behind the other into slabs, because allocating for each of them costs more than
 * all that is done with it; those of a slab are forgotten at about the same time.
 */
export class BatchMemory {
  #slab = new Uint8Array(0);
  #used = 0;

  /** The same bytes, with no more than a third beside them in memory that only batches hold. */
  own(bytes: Uint8Array): Uint8Array {
    const { length } = bytes;
    if (length >= bytes.buffer.byteLength * OWN_SHARE) return bytes;
    if (length > SHORT_BYTES) return new Uint8Array(bytes);
    if (this.#used + length > this.#slab.length) {
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    const copy = this.#slab.subarray(start, this.#used);
    copy.set(bytes);
    return copy;
  }
}
