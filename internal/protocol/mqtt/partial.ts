import type { PacketCursor } from './cursor.ts';

/** What the first bytes of a packet get room for: most are complete in it without growing. */
export const FIRST_BYTES = 2048;

/**
 * Holds the packet that a chunk ended in the middle of, until the rest of it arrives. What it reserves grows with what
 * really came, at most double beyond {@link FIRST_BYTES}, never with what a length claims.
 */
export class PartialPacket {
  #buffer: Uint8Array | undefined;
  #length = 0;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Bytes of memory that it holds. */
  get reservedBytes(): number {
    return this.#buffer?.length ?? 0;
  }

  /** Keeps a copy of the beginning of a packet. Only when empty. */
  keep(bytes: Uint8Array, start: number, end: number): void {
    this.#append(bytes, start, end);
  }

  /**
   * Takes from `chunk` what completes the packet, no more, and returns where in the chunk it stopped. After that
   * {@link takeWhole} has the packet, or the chunk is used up.
   *
   * @throws MqttError as {@link PacketCursor.read} does.
   */
  fill(chunk: Uint8Array, cursor: PacketCursor): number {
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

  /** Hands out the packet that {@link fill} completed; undefined while it is not. Nobody writes its bytes again. */
  takeWhole(cursor: PacketCursor): Uint8Array | undefined {
    if (!cursor.read(this.#buffer!, 0, this.#length)) return undefined;
    const whole = this.#buffer!.subarray(0, this.#length);
    this.#length = 0;
    this.#buffer = undefined;
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
