import { http2ResetStreamsRemembered } from '../../../limits/grpc.ts';

const BITS = 8;

/**
 * Remembers which of the last streams were ended by us with RST_STREAM: what their clients sent before they knew is to
 * be passed over (RFC 9113, section 5.1). A bit for each stream, and no memory at all before the first.
 */
export class ClosedStreams {
  #bits: Uint8Array | undefined;
  #lastIndex = -1;

  /** A client opened a stream; those that it left out before are closed with that. */
  opened(streamId: number): void {
    const index = indexOf(streamId);
    const bits = this.#bits;
    if (bits !== undefined) {
      if (index - this.#lastIndex >= http2ResetStreamsRemembered) bits.fill(0);
      else for (let left = this.#lastIndex + 1; left <= index; left++) this.#clear(bits, left);
    }
    this.#lastIndex = index;
  }

  wasReset(streamId: number): void {
    this.#bits ??= new Uint8Array(http2ResetStreamsRemembered / BITS);
    const slot = indexOf(streamId) % http2ResetStreamsRemembered;
    this.#bits[slot >>> 3]! |= 1 << (slot & 7);
  }

  /** The client knows that the stream is over: it has ended or reset it itself. */
  forget(streamId: number): void {
    if (this.#bits !== undefined) this.#clear(this.#bits, indexOf(streamId));
  }

  isReset(streamId: number): boolean {
    const index = indexOf(streamId);
    if (this.#bits === undefined || this.#lastIndex - index >= http2ResetStreamsRemembered) return false;
    const slot = index % http2ResetStreamsRemembered;
    return (this.#bits[slot >>> 3]! & (1 << (slot & 7))) !== 0;
  }

  #clear(bits: Uint8Array, index: number): void {
    const slot = index % http2ResetStreamsRemembered;
    bits[slot >>> 3]! &= ~(1 << (slot & 7));
  }
}

/** The streams of clients have odd numbers. */
function indexOf(streamId: number): number {
  return (streamId - 1) / 2;
}
