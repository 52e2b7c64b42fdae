import { LARGEST_WINDOW_BYTES } from './frame.ts';

/** What a peer lets us send, in bytes (RFC 9113, section 6.9). */
export class SendWindow {
  /** Below 0 after the peer made the windows of its streams smaller (RFC 9113, section 6.9.2). */
  bytes: number;

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  /** Adds to it, or takes from it. False where it would become larger than a window may be (RFC 9113, section 6.9.1). */
  change(bytes: number): boolean {
    this.bytes += bytes;
    return this.bytes <= LARGEST_WINDOW_BYTES;
  }
}

/** What we let a peer send. It is told of more when half of what it had is used up, so that it seldom has to wait. */
export class ReceiveWindow {
  /** What the peer may send now. */
  #bytes: number;
  /** What it may send before it has to wait for us. */
  #targetBytes: number;
  #consumedBytes = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
    this.#targetBytes = bytes;
  }

  get targetBytes(): number {
    return this.#targetBytes;
  }

  /** The peer sent bytes. False where they are more than it may send (RFC 9113, section 6.9.1). */
  take(bytes: number): boolean {
    this.#bytes -= bytes;
    return this.#bytes >= 0;
  }

  /** Bytes that the peer sent are dealt with. Returns how much more it may be told to send; 0 where it has enough. */
  consume(bytes: number): number {
    this.#consumedBytes += bytes;
    if (this.#consumedBytes < this.#targetBytes / 2) return 0;
    const increment = this.#consumedBytes;
    this.#consumedBytes = 0;
    this.#bytes += increment;
    return increment;
  }

  /** Makes the window larger. Returns by how much. */
  growTo(targetBytes: number): number {
    const increment = targetBytes - this.#targetBytes;
    this.#targetBytes = targetBytes;
    this.#bytes += increment;
    return increment;
  }
}
