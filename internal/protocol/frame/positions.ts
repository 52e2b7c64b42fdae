import { decodeUtf8 } from './cursor.ts';
import { encodeFrame, FrameType, POSITION_PREFIX_BYTES } from './frame.ts';
import { readInt64, readUint32, writeInt64, writeUint32 } from './numbers.ts';

/**
 * The payload of POSITION, big endian. Its topic is the filter of the replay:
 *
 *     0        4           8        16      24      40      40+L
 *     +--------+-----------+--------+-------+-------+-------+
 *     | Reader | Partition | Offset | Since | LogId |  Log  |
 *     |   4    |     4     |   8    |   8   |  16   |   L   |
 *     +--------+-----------+--------+-------+-------+-------+
 *
 * The payload of REPLAYED, which is otherwise a PUBLISH:
 *
 *     0        4        12     20        20+M
 *     +--------+--------+------+---------+
 *     | Reader | Offset | Time | Message |
 *     |   4    |   8    |  8   |    M    |
 *     +--------+--------+------+---------+
 */

/** Where a replay goes on in one partition of one log. */
export interface Position {
  /** The number by which REPLAYED names this position; 0 from a client. */
  reader: number;
  partition: number;
  /** The offset of the next message. */
  offset: number;
  /** What was published before is left out, in milliseconds since 1970; `-Infinity` where nothing is. */
  sinceMs: number;
  /** 16 bytes that no other log has, whatever its name. */
  logId: Uint8Array;
  log: string;
}

/** What REPLAYED says of its message. */
export interface ReplayedAs {
  reader: number;
  offset: number;
  /** In milliseconds since 1970; -1 where the log does not know. */
  publishedAtMs: number;
}

/** The payload of a SUBSCRIBE that goes on with a replay: a log without a position is new, and read from its beginning. */
export const GOES_ON = Uint8Array.of(1);

const LOG_ID_BYTES = 16;
const LOG_ID_AT = 24;
const LOG_AT = LOG_ID_AT + LOG_ID_BYTES;
/** The least that 64 bits with a sign can say. */
const NO_TIME = -(2 ** 63);
const UNKNOWN_TIME = -1;

const utf8 = new TextEncoder();

/** A POSITION frame as bytes. */
export function encodePosition(
  filter: string,
  position: Position,
  clientId: string | Uint8Array,
): Uint8Array {
  const log = utf8.encode(position.log);
  const payload = new Uint8Array(LOG_AT + log.length);
  writeUint32(payload, 0, position.reader);
  writeUint32(payload, 4, position.partition);
  writeInt64(payload, 8, position.offset);
  writeInt64(payload, 16, Number.isFinite(position.sinceMs) ? position.sinceMs : NO_TIME);
  payload.set(position.logId, LOG_ID_AT);
  payload.set(log, LOG_AT);
  return encodeFrame(FrameType.position, filter, payload, clientId);
}

/**
 * The position in a payload; undefined where there is none.
 *
 * @throws FrameError `invalid-utf8` where the name of the log is not UTF-8.
 */
export function parsePosition(payload: Uint8Array): Position | undefined {
  if (payload.length < LOG_AT) return undefined;
  const offset = readInt64(payload, 8);
  const sinceMs = readInt64(payload, 16);
  if (!Number.isSafeInteger(offset) || offset < 0) return undefined;
  if (sinceMs !== NO_TIME && !Number.isSafeInteger(sinceMs)) return undefined;
  return {
    reader: readUint32(payload, 0),
    partition: readUint32(payload, 4),
    offset,
    sinceMs: sinceMs === NO_TIME ? Number.NEGATIVE_INFINITY : sinceMs,
    logId: payload.slice(LOG_ID_AT, LOG_AT),
    log: decodeUtf8(payload, LOG_AT, payload.length, 'name of a log'),
  };
}

/** The payload of a REPLAYED frame. */
export function replayedPayload(
  message: Uint8Array,
  { reader, offset, publishedAtMs }: ReplayedAs,
): Uint8Array {
  const payload = new Uint8Array(POSITION_PREFIX_BYTES + message.length);
  writeUint32(payload, 0, reader);
  writeInt64(payload, 4, offset);
  writeInt64(payload, 12, Number.isSafeInteger(publishedAtMs) ? publishedAtMs : UNKNOWN_TIME);
  payload.set(message, POSITION_PREFIX_BYTES);
  return payload;
}

/** What the payload of REPLAYED, from `at` to `end`, says of its message; undefined where it is too short. */
export function parseReplayed(bytes: Uint8Array, at: number, end: number): ReplayedAs | undefined {
  if (end - at < POSITION_PREFIX_BYTES) return undefined;
  return {
    reader: readUint32(bytes, at),
    offset: readInt64(bytes, at + 4),
    publishedAtMs: readInt64(bytes, at + 12),
  };
}
