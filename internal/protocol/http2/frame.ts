/**
 * A frame of HTTP/2 (RFC 9113, section 4.1):
 *
 *     length (3)   type (1)   flags (1)   reserved (1 bit), stream (31 bits)   payload (length)
 */
export const FRAME_HEADER_BYTES = 9;

export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FrameFlag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

/** What a client says first (RFC 9113, section 3.4). */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** The largest payload that either side sends unless the other allows more (RFC 9113, section 4.2). */
export const DEFAULT_MAX_FRAME_BYTES = 16_384;
export const LARGEST_MAX_FRAME_BYTES = 2 ** 24 - 1;
/** Windows of streams and connections begin with this, and never grow beyond the largest (RFC 9113, section 6.9). */
export const DEFAULT_WINDOW_BYTES = 65_535;
export const LARGEST_WINDOW_BYTES = 2 ** 31 - 1;
export const LARGEST_STREAM_ID = 2 ** 31 - 1;

export const PING_BYTES = 8;
export const PRIORITY_BYTES = 5;
export const SETTING_BYTES = 6;
export const RESET_BYTES = 4;
export const WINDOW_UPDATE_BYTES = 4;
export const GO_AWAY_BYTES = 8;
const STREAM_MASK = 0x7fff_ffff;

/** Writes the header of a frame at `at`. Returns where its payload begins. */
export function writeFrameHeader(
  into: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): number {
  into[at] = length >>> 16;
  into[at + 1] = length >>> 8;
  into[at + 2] = length;
  into[at + 3] = type;
  into[at + 4] = flags;
  writeUint32(into, at + 5, streamId);
  return at + FRAME_HEADER_BYTES;
}

export function encodeSettings(settings: readonly (readonly [id: number, value: number])[]): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + settings.length * SETTING_BYTES);
  let at = writeFrameHeader(frame, 0, settings.length * SETTING_BYTES, FrameType.settings, 0, 0);
  for (const [id, value] of settings) {
    frame[at] = id >>> 8;
    frame[at + 1] = id;
    writeUint32(frame, at + 2, value);
    at += SETTING_BYTES;
  }
  return frame;
}

export function encodeSettingsAck(): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES);
  writeFrameHeader(frame, 0, 0, FrameType.settings, FrameFlag.ack, 0);
  return frame;
}

/** A PING with the eight bytes of `payload` from `start` on. */
export function encodePing(payload: Uint8Array, start: number, isAck: boolean): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + PING_BYTES);
  writeFrameHeader(frame, 0, PING_BYTES, FrameType.ping, isAck ? FrameFlag.ack : 0, 0);
  frame.set(payload.subarray(start, start + PING_BYTES), FRAME_HEADER_BYTES);
  return frame;
}

export function encodeResetStream(streamId: number, code: number): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + RESET_BYTES);
  writeUint32(frame, writeFrameHeader(frame, 0, RESET_BYTES, FrameType.resetStream, 0, streamId), code);
  return frame;
}

export function encodeWindowUpdate(streamId: number, increment: number): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + WINDOW_UPDATE_BYTES);
  const at = writeFrameHeader(frame, 0, WINDOW_UPDATE_BYTES, FrameType.windowUpdate, 0, streamId);
  writeUint32(frame, at, increment);
  return frame;
}

export function encodeGoAway(lastStreamId: number, code: number, debug: string): Uint8Array {
  const text = Buffer.from(debug);
  const frame = new Uint8Array(FRAME_HEADER_BYTES + GO_AWAY_BYTES + text.length);
  const at = writeFrameHeader(frame, 0, GO_AWAY_BYTES + text.length, FrameType.goAway, 0, 0);
  writeUint32(frame, at, lastStreamId);
  writeUint32(frame, at + 4, code);
  frame.set(text, at + GO_AWAY_BYTES);
  return frame;
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/** The same without the highest bit, which is reserved. */
export function readUint31(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at) & STREAM_MASK;
}

function writeUint32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}
