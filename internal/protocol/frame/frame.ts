/**
 * The frame, big endian:
 *
 *     0      1          3        3+T           7+T       7+T+P         9+T+P      9+T+P+C
 *     +------+----------+--------+-------------+---------+-------------+----------+
 *     | Type | TopicLen | Topic  | PayloadLen  | Payload | ClientIDLen | ClientID |
 *     |  1   |    2     |   T    |      4      |    P    |      2      |    C     |
 *     +------+----------+--------+-------------+---------+-------------+----------+
 *
 * docs/frames.md describes the conversation; this file only knows one frame.
 */

/** What a frame is for, in the four low bits of its first byte; the four high ones are {@link FrameBit}. */
export const FrameType = {
  connect: 0,
  connack: 1,
  publish: 2,
  subscribe: 3,
  suback: 4,
  unsubscribe: 5,
  unsuback: 6,
  ping: 7,
  pong: 8,
  disconnect: 9,
  /** Sent by a broker only, and only where both sides agreed on `refusals`, as is the next. */
  publishRefused: 10,
  subscribeRefused: 11,
  /** Where a replay reads on in a log; only where both sides agreed on `positions`, as is the next. */
  position: 12,
  /** A message of a replay. Sent by a broker only. */
  replayed: 13,
  /** Acknowledges what was counted (acknowledgements.ts); with the bit that says which count is meant. */
  acknowledge: 14,
  /** How much the client takes; with {@link FrameBit.acknowledged} it gives one message back. */
  credit: 15,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/**
 * What sides that agreed on it say of a frame in the high bits of its type. The highest is free. A connection's first byte has
 * none of them: it tells frames from the packets of MQTT.
 */
export const FrameBit = {
  /** The payload begins with a block of properties (properties.ts). */
  properties: 0x10,
  /** The frame is counted, or is about one that was: extensions `acks` and `delivery`. */
  acknowledged: 0x20,
  /** The same for the count that outlasts connections: extension `once`. */
  once: 0x40,
} as const;

/** The last type that plain clients and brokers know; what a client sends beyond it is passed over. */
const LAST_FRAME_TYPE = FrameType.disconnect;
/** Bits of the type byte that are zero unless both sides agreed on an extension. */
export const RESERVED_TYPE_BITS = 0xf0;

export const TYPE_BYTES = 1;
export const TOPIC_LENGTH_BYTES = 2;
export const PAYLOAD_LENGTH_BYTES = 4;
export const CLIENT_ID_LENGTH_BYTES = 2;
/** Where the topic begins. */
export const TOPIC_OFFSET = TYPE_BYTES + TOPIC_LENGTH_BYTES;
/** What a frame takes beside its topic, payload and client id. */
export const FRAME_OVERHEAD_BYTES = TOPIC_OFFSET + PAYLOAD_LENGTH_BYTES + CLIENT_ID_LENGTH_BYTES;

/** What stands before the message in the payload of REPLAYED (positions.ts). */
export const POSITION_PREFIX_BYTES = 20;

export const MAX_TOPIC_BYTES = 0xffff;
export const MAX_CLIENT_ID_BYTES = 0xffff;
/** What the length field can say; a broker accepts less (`-max-message`). */
export const MAX_PAYLOAD_BYTES = 0xffff_ffff;
/** The most that CONNECT carries: tokens of an identity provider that names many groups are long. */
export const CONNECT_PAYLOAD_BYTES = 16 * 1_024;
/** The most that a block of properties has, and by which a frame with one may be longer than the longest message. */
export const MAX_PROPERTIES_BYTES = 256 * 1_024;
/** The most that CONNACK and POSITION carry, and which they may however short messages have to be. */
export const CONTROL_PAYLOAD_BYTES = 1_024;

/** One frame as values, for everything that is not the way of a PUBLISH through the broker. */
export interface Frame {
  /** A {@link FrameType}, or a number that this version does not know. */
  type: number;
  topic: string;
  payload: Uint8Array;
  clientId: string;
}

/** A part of a frame, as people are told of it. */
export type FrameField =
  | 'topic'
  | 'payload'
  | 'client id'
  | 'name of a log'
  | 'properties'
  | 'offer'
  | 'acknowledgement';

/** Bytes that break the frame's own rules. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
  readonly code: 'payload-too-large' | 'invalid-utf8' | 'field-too-long' | 'meaningless';
  readonly field: FrameField;

  /** @param problem what is wrong with the field, without its name. */
  constructor(code: FrameError['code'], field: FrameField, problem: string) {
    super(`${field} ${problem}`);
    this.code = code;
    this.field = field;
  }
}

const utf8 = new TextEncoder();
const empty = new Uint8Array(0);

/**
 * One frame as bytes.
 *
 * @throws FrameError `field-too-long` where a field does not fit its length.
 */
export function encodeFrame(
  type: number,
  topic: string | Uint8Array,
  payload: string | Uint8Array,
  clientId: string | Uint8Array,
): Uint8Array {
  const topicBytes = bytesOf(topic);
  const payloadBytes = bytesOf(payload);
  const idBytes = bytesOf(clientId);
  const frame = new Uint8Array(frameSize(topicBytes.length, payloadBytes.length, idBytes.length));
  writeFrame(frame, 0, type, topicBytes, payloadBytes, idBytes);
  return frame;
}

/** The size of a frame whose fields have these sizes, in bytes. */
export function frameSize(topicBytes: number, payloadBytes: number, clientIdBytes: number): number {
  return FRAME_OVERHEAD_BYTES + topicBytes + payloadBytes + clientIdBytes;
}

/**
 * Writes a frame at `at`, where there must be {@link frameSize} bytes of room, and returns where it ends.
 *
 * @throws FrameError `field-too-long` where a field does not fit its length.
 */
export function writeFrame(
  into: Uint8Array,
  at: number,
  type: number,
  topic: Uint8Array,
  payload: Uint8Array,
  clientId: Uint8Array,
): number {
  checkFits('topic', topic.length, MAX_TOPIC_BYTES);
  checkFits('payload', payload.length, MAX_PAYLOAD_BYTES);
  checkFits('client id', clientId.length, MAX_CLIENT_ID_BYTES);
  into[at] = type;
  into[at + 1] = topic.length >>> 8;
  into[at + 2] = topic.length;
  into.set(topic, at + TOPIC_OFFSET);
  let end = at + TOPIC_OFFSET + topic.length;
  into[end] = payload.length >>> 24;
  into[end + 1] = payload.length >>> 16;
  into[end + 2] = payload.length >>> 8;
  into[end + 3] = payload.length;
  end += PAYLOAD_LENGTH_BYTES;
  into.set(payload, end);
  end += payload.length;
  into[end] = clientId.length >>> 8;
  into[end + 1] = clientId.length;
  end += CLIENT_ID_LENGTH_BYTES;
  into.set(clientId, end);
  return end + clientId.length;
}

/** Whether a plain peer may send this type byte at all. */
export function isKnownType(type: number): type is FrameType {
  return type <= LAST_FRAME_TYPE;
}

function bytesOf(field: string | Uint8Array): Uint8Array {
  if (typeof field !== 'string') return field;
  return field === '' ? empty : utf8.encode(field);
}

function checkFits(field: FrameField, size: number, limit: number): void {
  if (size > limit) throw new FrameError('field-too-long', field, `of ${size} bytes; at most ${limit} fit`);
}
