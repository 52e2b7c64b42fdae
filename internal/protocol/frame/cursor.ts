import {
  CLIENT_ID_LENGTH_BYTES,
  CONNECT_PAYLOAD_BYTES,
  CONTROL_PAYLOAD_BYTES,
  type Frame,
  FrameBit,
  FrameError,
  type FrameField,
  FrameType,
  MAX_PROPERTIES_BYTES,
  PAYLOAD_LENGTH_BYTES,
  POSITION_PREFIX_BYTES,
  RESERVED_TYPE_BITS,
  TOPIC_LENGTH_BYTES,
  TOPIC_OFFSET,
  TYPE_BYTES,
} from './frame.ts';

/**
 * Finds where the fields of a frame lie, without making anything: one cursor serves a connection for all its
 * life. The fields are valid after {@link read} said true, and until it is called again.
 */
export class FrameCursor {
  type = 0;
  topicStart = 0;
  topicEnd = 0;
  payloadStart = 0;
  payloadEnd = 0;
  clientIdStart = 0;
  /** Where the client id and with it the frame ends. */
  end = 0;
  /**
   * Whether a frame with too large a payload is read up to that payload instead of being refused as a whole:
   * {@link isTooLarge} then says so.
   */
  endsBeforeTooLarge = false;

  #maxPayloadBytes: number;
  #tooLargeBytes = 0;

  /** @param maxPayloadBytes the largest payload that is accepted, in bytes. */
  constructor(maxPayloadBytes: number) {
    this.#maxPayloadBytes = maxPayloadBytes;
  }

  /** Larger payloads are accepted from now on. */
  set maxPayloadBytes(bytes: number) {
    this.#maxPayloadBytes = bytes;
  }

  /** Whether the frame ends before its payload, because that is too large. */
  get isTooLarge(): boolean {
    return this.end === this.payloadStart;
  }

  /** The size of such a payload, in bytes. */
  get tooLargeBytes(): number {
    return this.#tooLargeBytes;
  }

  /**
   * Looks at the frame that begins at `at`; whether it is complete before `limit`.
   *
   * @throws FrameError `payload-too-large` as soon as the length is there to be read, unless it is to end there.
   */
  read(bytes: Uint8Array, at: number, limit: number): boolean {
    const topicStart = at + TOPIC_OFFSET;
    if (topicStart > limit) return false;
    const topicEnd = topicStart + ((bytes[at + 1] << 8) | bytes[at + 2]);
    const payloadStart = topicEnd + PAYLOAD_LENGTH_BYTES;
    if (payloadStart > limit) return false;
    const payloadLength = readUint32(bytes, topicEnd);
    if (payloadLength > this.#maxPayloadBytes && payloadLength > this.#maxPayloadOf(bytes[at]!)) {
      this.#endBefore(payloadLength, bytes, at, topicEnd);
      return true;
    }
    const payloadEnd = payloadStart + payloadLength;
    const clientIdStart = payloadEnd + CLIENT_ID_LENGTH_BYTES;
    if (clientIdStart > limit) return false;
    const end = clientIdStart + ((bytes[payloadEnd] << 8) | bytes[payloadEnd + 1]);
    if (end > limit) return false;
    this.type = bytes[at];
    this.topicStart = topicStart;
    this.topicEnd = topicEnd;
    this.payloadStart = payloadStart;
    this.payloadEnd = payloadEnd;
    this.clientIdStart = clientIdStart;
    this.end = end;
    return true;
  }

  /**
   * How many bytes of the frame at `at` are needed to know more about it, given that it is not complete:
   * up to the next length field, or the whole frame once its last length field is there.
   */
  bytesWanted(bytes: Uint8Array, at: number, limit: number): number {
    const have = limit - at;
    if (have < TOPIC_OFFSET) return TOPIC_OFFSET;
    const topicLength = (bytes[at + TYPE_BYTES] << 8) | bytes[at + TYPE_BYTES + 1];
    const header = TYPE_BYTES + TOPIC_LENGTH_BYTES + topicLength + PAYLOAD_LENGTH_BYTES;
    if (have < header) return header;
    const payloadLength = readUint32(bytes, at + header - PAYLOAD_LENGTH_BYTES);
    const upToId = header + payloadLength + CLIENT_ID_LENGTH_BYTES;
    if (have < upToId) return upToId;
    return upToId + ((bytes[at + upToId - 2] << 8) | bytes[at + upToId - 1]);
  }

  /**
   * The frame that was read, as values. The payload is a view of `bytes`.
   *
   * @throws FrameError `invalid-utf8` where topic or client id is not UTF-8.
   */
  frame(bytes: Uint8Array): Frame {
    return {
      type: this.type,
      topic: decodeUtf8(bytes, this.topicStart, this.topicEnd, 'topic'),
      payload: bytes.subarray(this.payloadStart, this.payloadEnd),
      clientId: decodeUtf8(bytes, this.clientIdStart, this.end, 'client id'),
    };
  }

  /** What is wrong with a payload of this size. */
  tooLarge(payloadLength: number): FrameError {
    const problem = `of ${payloadLength} bytes; at most ${this.#maxPayloadBytes} are accepted`;
    return new FrameError('payload-too-large', 'payload', problem);
  }

  /** What a frame of this type may carry: the largest message with its prefix, and what sides agree on, however small it is. */
  #maxPayloadOf(typeAndBits: number): number {
    const more = (typeAndBits & FrameBit.properties) === 0 ? 0 : MAX_PROPERTIES_BYTES;
    return more + this.#maxPayloadOfType(typeAndBits & ~RESERVED_TYPE_BITS);
  }

  #maxPayloadOfType(type: number): number {
    switch (type) {
      case FrameType.replayed:
        return this.#maxPayloadBytes + POSITION_PREFIX_BYTES;
      case FrameType.connect:
        return Math.max(this.#maxPayloadBytes, CONNECT_PAYLOAD_BYTES);
      case FrameType.connack:
      case FrameType.position:
      case FrameType.acknowledge:
      case FrameType.credit:
        return Math.max(this.#maxPayloadBytes, CONTROL_PAYLOAD_BYTES);
      default:
        return this.#maxPayloadBytes;
    }
  }

  /** The fields of a frame that ends where its payload would begin. */
  #endBefore(payloadLength: number, bytes: Uint8Array, at: number, topicEnd: number): void {
    if (!this.endsBeforeTooLarge) throw this.tooLarge(payloadLength);
    this.#tooLargeBytes = payloadLength;
    const end = topicEnd + PAYLOAD_LENGTH_BYTES;
    this.type = bytes[at];
    this.topicStart = at + TOPIC_OFFSET;
    this.topicEnd = topicEnd;
    this.payloadStart = end;
    this.payloadEnd = end;
    this.clientIdStart = end;
    this.end = end;
  }
}

// ignoreBOM keeps a leading U+FEFF, which is a character of a name like any other (MQTT 5, section 1.5.4).
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws FrameError `invalid-utf8`. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number, field: FrameField): string {
  try {
    return strictUtf8.decode(bytes.subarray(start, end));
  } catch {
    throw new FrameError('invalid-utf8', field, 'is not UTF-8');
  }
}

/** Whether the bytes between `start` and `end` are these: how a name is recognised without decoding it. */
export function isAt(wanted: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== wanted.length) return false;
  for (let index = 0; index < wanted.length; index++) {
    if (wanted[index] !== bytes[start + index]) return false;
  }
  return true;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}
