import { ProtobufError, skipField } from '../grpc/read-message.ts';

/**
 * Finds where the two fields of a ProduceRequest lie, without making anything: a stream has a million of them a second.
 * A test compares it with the table. The fields are valid after {@link read}; what is absent is empty.
 */
export class ProduceRequestCursor {
  topicStart = 0;
  topicEnd = 0;
  messageStart = 0;
  messageEnd = 0;
  #at = 0;

  /** @throws ProtobufError. */
  read(bytes: Uint8Array, start: number, end: number): void {
    this.topicStart = this.topicEnd = this.messageStart = this.messageEnd = start;
    this.#at = start;
    while (this.#at < end) {
      const tag = this.#varint(bytes, end);
      if (tag === TOPIC_TAG) {
        this.topicEnd = this.#delimited(bytes, end);
        this.topicStart = this.#at;
        this.#at = this.topicEnd;
      } else if (tag === MESSAGE_TAG) {
        this.messageEnd = this.#delimited(bytes, end);
        this.messageStart = this.#at;
        this.#at = this.messageEnd;
      } else {
        if (tag >>> 3 === 0) throw new ProtobufError('a field has the number 0');
        this.#at = skipField(bytes, this.#at, end, tag & 7);
      }
    }
  }

  /** Reads a length. Returns where the bytes end that follow it. */
  #delimited(bytes: Uint8Array, end: number): number {
    const length = this.#varint(bytes, end);
    if (length > end - this.#at) throw new ProtobufError('a field is cut off');
    return this.#at + length;
  }

  #varint(bytes: Uint8Array, end: number): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.#at >= end) throw new ProtobufError('a number is cut off');
      const byte = bytes[this.#at++];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (shift === 28 && byte > 0x0f) break;
        return value >>> 0;
      }
    }
    throw new ProtobufError('a tag or a length is beyond 32 bits');
  }
}

const TOPIC_TAG = 0x0a;
const MESSAGE_TAG = 0x12;
