import { KafkaProtocolError } from './protocol-error.ts';

const SIZE_BYTES = 4;
/**
 * Bytes that are reserved for each byte that came. Up to a size that producers often send the factor is large, so that
 * the second chunk completes most requests without another copy.
 */
const GROWTH = 2;
const SHORT_GROWTH = 8;
const SHORT_BYTES = 128 * 1024;
const NOTHING = Buffer.alloc(0);

/**
 * Cuts a stream of chunks into requests: four bytes of size, then so many bytes.
 *
 * A request that lies in one chunk is a view of it; others are put together in memory of their own, which grows with
 * what really came and never beyond what a size claims.
 *
 *     requests.push(chunk);
 *     for (let request = requests.next(); request; request = requests.next()) handle(request);
 */
export class RequestFrames {
  /** The greatest size that is accepted from now on, in bytes. */
  maxRequestBytes: number;
  /** The bytes that were pushed and not yet read. */
  #chunk: Buffer = NOTHING;
  #at = 0;
  /** The beginning of a request whose end was not in its chunk, with its size. */
  #partial: Buffer = NOTHING;
  #partialLength = 0;

  /** @param maxRequestBytes the greatest size that is accepted, in bytes; it may change between requests. */
  constructor(maxRequestBytes: number) {
    this.maxRequestBytes = maxRequestBytes;
  }

  /** Whether all that arrived was handed out. */
  get isBetweenRequests(): boolean {
    return this.#partialLength === 0 && this.#at === this.#chunk.length;
  }

  /** Bytes of memory that the unfinished request holds. */
  get reservedBytes(): number {
    return this.#partial.length;
  }

  /** Adds bytes that arrived. They may not change afterwards: requests are views of them. */
  push(chunk: Uint8Array): void {
    const bytes = Buffer.isBuffer(chunk)
      ? chunk
      : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const isUsedUp = this.#at === this.#chunk.length;
    this.#chunk = isUsedUp ? bytes : Buffer.concat([this.#chunk.subarray(this.#at), bytes]);
    this.#at = 0;
  }

  /**
   * The next whole request, without its size; undefined until more arrives.
   *
   * @throws KafkaProtocolError `invalid-length` as soon as a size is negative or above the bound.
   */
  next(): Buffer | undefined {
    return this.#partialLength > 0 ? this.#completed() : this.#fromChunk();
  }

  #fromChunk(): Buffer | undefined {
    const available = this.#chunk.length - this.#at;
    if (available === 0) return undefined;
    let wanted = SIZE_BYTES;
    if (available >= SIZE_BYTES) {
      const start = this.#at + SIZE_BYTES;
      const end = start + this.#checkedSize(this.#chunk, this.#at);
      if (end <= this.#chunk.length) {
        this.#at = end;
        return this.#chunk.subarray(start, end);
      }
      wanted = end - this.#at;
    }
    this.#keep(available, wanted);
    return undefined;
  }

  #completed(): Buffer | undefined {
    if (!this.#fill(SIZE_BYTES)) return undefined;
    const end = SIZE_BYTES + this.#checkedSize(this.#partial, 0);
    if (!this.#fill(end)) return undefined;
    const request = this.#partial.subarray(SIZE_BYTES, end);
    this.#partial = NOTHING;
    this.#partialLength = 0;
    return request;
  }

  /** Takes from the chunk until the unfinished request has so many bytes. */
  #fill(length: number): boolean {
    const missing = length - this.#partialLength;
    if (missing > 0) this.#keep(Math.min(missing, this.#chunk.length - this.#at), length);
    return this.#partialLength >= length;
  }

  /** Takes so many bytes from the chunk for a request, or its size, that has `wanted` in all. */
  #keep(bytes: number, wanted: number): void {
    const length = this.#partialLength + bytes;
    if (length > this.#partial.length) {
      const room = Math.max(GROWTH * length, Math.min(SHORT_GROWTH * length, SHORT_BYTES));
      const grown = Buffer.allocUnsafeSlow(Math.min(wanted, room));
      this.#partial.copy(grown, 0, 0, this.#partialLength);
      this.#partial = grown;
    }
    this.#chunk.copy(this.#partial, this.#partialLength, this.#at, this.#at + bytes);
    this.#partialLength = length;
    this.#at += bytes;
  }

  #checkedSize(bytes: Buffer, at: number): number {
    const size = bytes.readInt32BE(at);
    if (size < 0 || size > this.maxRequestBytes) {
      const problem = `request of ${size} bytes; at most ${this.maxRequestBytes} are accepted`;
      throw new KafkaProtocolError('invalid-length', problem, 0);
    }
    return size;
  }
}
