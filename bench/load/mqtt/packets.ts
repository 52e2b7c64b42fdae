/** Cuts what a connection brings into MQTT packets. All of the bench's are short: their length is one byte. */
export class PacketSplitter {
  readonly #take: TakePacket;
  readonly #partial = Buffer.alloc(HEADER_BYTES + LONGEST_BODY_BYTES);
  #partialLength = 0;

  constructor(take: TakePacket) {
    this.#take = take;
  }

  /** Takes the first `length` bytes; they may be reused afterwards. @throws Error at a long packet. */
  push(length: number, bytes: Uint8Array): void {
    let at = this.#partialLength === 0 ? 0 : this.#complete(length, bytes);
    while (length - at >= HEADER_BYTES) {
      const end = at + sizeAt(bytes, at);
      if (end > length) break;
      this.#take(bytes, at, end);
      at = end;
    }
    for (; at < length; at++) this.#partial[this.#partialLength++] = bytes[at];
  }

  /** Adds to the packet that was cut. Returns where the next one begins. */
  #complete(length: number, bytes: Uint8Array): number {
    let at = 0;
    while (at < length) {
      this.#partial[this.#partialLength++] = bytes[at++];
      if (this.#partialLength < HEADER_BYTES || this.#partialLength < sizeAt(this.#partial, 0)) continue;
      const end = this.#partialLength;
      this.#partialLength = 0;
      this.#take(this.#partial, 0, end);
      break;
    }
    return at;
  }
}

/** A packet lies from `start` to before `end`, and is valid until this returns. */
export type TakePacket = (bytes: Uint8Array, start: number, end: number) => void;

/** The size of packets that only carry an id. */
export const ACK_BYTES = 4;
const HEADER_BYTES = 2;
const LONGEST_BODY_BYTES = 127;

/** An answer that only carries an id. */
export function writeAck(into: Uint8Array, at: number, firstByte: number, packetId: number): void {
  into[at] = firstByte;
  into[at + 1] = ACK_BYTES - HEADER_BYTES;
  into[at + 2] = packetId >>> 8;
  into[at + 3] = packetId;
}

function sizeAt(bytes: Uint8Array, at: number): number {
  const length = bytes[at + 1];
  if (length > LONGEST_BODY_BYTES) throw new Error('a packet is longer than any of this bench');
  return HEADER_BYTES + length;
}
