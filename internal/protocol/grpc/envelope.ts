import { GrpcError, Status } from './status.ts';

/**
 * A message of gRPC in the stream of a call:
 *
 *     compressed (1)   length (4, big endian)   message (length)
 */
export const ENVELOPE_BYTES = 5;

/** Takes one whole message, which lies from `start` to before `end`; the bytes may be kept but not for long. */
export type TakeMessage = (bytes: Uint8Array, start: number, end: number, isCompressed: boolean) => void;

/**
 * Finds the messages in the chunks of a call, however they are cut. Messages that lie whole in a chunk are not copied.
 * For one that is cut, room is made as its bytes arrive, whatever length it claims.
 */
export class MessageReader {
  readonly #maxMessageBytes: number;
  readonly #take: TakeMessage;
  #partial: Uint8Array = NOTHING;
  #partialEnd = 0;
  /** How long the message in hand is with its envelope; 0 while the envelope is not whole. */
  #wantedBytes = 0;

  constructor(maxMessageBytes: number, take: TakeMessage) {
    this.#maxMessageBytes = maxMessageBytes;
    this.#take = take;
  }

  /** What is reserved for a message that is not whole yet, in bytes. */
  get heldBytes(): number {
    return this.#partial.length;
  }

  /** Whether the last message is whole. */
  get isAtBoundary(): boolean {
    return this.#partialEnd === 0;
  }

  /**
   * Takes a chunk, or a part of it, and hands on each message that is whole with it.
   *
   * @throws GrpcError RESOURCE_EXHAUSTED for a message above the limit, INTERNAL for what is no envelope.
   */
  push(chunk: Uint8Array, start = 0, end = chunk.length): void {
    let at = this.#partialEnd === 0 ? start : this.#complete(chunk, start, end);
    while (end - at >= ENVELOPE_BYTES) {
      const next = at + this.#sizeAt(chunk, at);
      if (next > end) break;
      this.#take(chunk, at + ENVELOPE_BYTES, next, chunk[at] === 1);
      at = next;
    }
    if (at < end) this.#keep(chunk, at, end);
  }

  /** Forgets a message that is not whole. */
  clear(): void {
    this.#partial = NOTHING;
    this.#partialEnd = 0;
    this.#wantedBytes = 0;
  }

  /** Adds to the message that was cut. Returns where the next one begins, or `limit`. */
  #complete(chunk: Uint8Array, start: number, limit: number): number {
    let at = start;
    if (this.#partialEnd < ENVELOPE_BYTES) {
      at = Math.min(limit, start + ENVELOPE_BYTES - this.#partialEnd);
      this.#keep(chunk, start, at);
      if (this.#partialEnd < ENVELOPE_BYTES) return at;
    }
    if (this.#wantedBytes === 0) this.#wantedBytes = this.#sizeAt(this.#partial, 0);
    const end = Math.min(limit, at + this.#wantedBytes - this.#partialEnd);
    this.#keep(chunk, at, end);
    if (this.#partialEnd === this.#wantedBytes) {
      const whole = this.#partial;
      const wholeEnd = this.#partialEnd;
      this.clear();
      this.#take(whole, ENVELOPE_BYTES, wholeEnd, whole[0] === 1);
    }
    return end;
  }

  #keep(chunk: Uint8Array, start: number, end: number): void {
    const needed = this.#partialEnd + end - start;
    if (needed > this.#partial.length) {
      const room = Math.max(needed, this.#partial.length * 2, SMALLEST_PARTIAL_BYTES);
      // More than the message takes is never needed once its length is known.
      const larger = new Uint8Array(this.#wantedBytes === 0 ? room : Math.min(room, this.#wantedBytes));
      larger.set(this.#partial.subarray(0, this.#partialEnd));
      this.#partial = larger;
    }
    this.#partial.set(chunk.subarray(start, end), this.#partialEnd);
    this.#partialEnd = needed;
  }

  /** What the message whose envelope lies at `at` takes with it. */
  #sizeAt(bytes: Uint8Array, at: number): number {
    const flag = bytes[at];
    if (flag > 1) throw new GrpcError(Status.INTERNAL, `grpc: received unexpected payload format ${flag}`);
    const length =
      ((bytes[at + 1] << 24) | (bytes[at + 2] << 16) | (bytes[at + 3] << 8) | bytes[at + 4]) >>> 0;
    if (length > this.#maxMessageBytes) {
      throw new GrpcError(
        Status.RESOURCE_EXHAUSTED,
        `grpc: received message larger than max (${length} vs. ${this.#maxMessageBytes})`,
      );
    }
    return ENVELOPE_BYTES + length;
  }
}

const NOTHING = new Uint8Array(0);
const SMALLEST_PARTIAL_BYTES = 64;

/** Writes the envelope of an uncompressed message of `length` bytes at `at`. Returns where the message begins. */
export function writeEnvelope(into: Uint8Array, at: number, length: number): number {
  into[at] = 0;
  into[at + 1] = length >>> 24;
  into[at + 2] = length >>> 16;
  into[at + 3] = length >>> 8;
  into[at + 4] = length;
  return at + ENVELOPE_BYTES;
}
