import { FrameCursor } from '../../internal/protocol/frame/cursor.ts';
import { encodeFrame, FrameBit, MAX_PAYLOAD_BYTES } from '../../internal/protocol/frame/frame.ts';
import { payloadWith, readProperties } from '../../internal/protocol/frame/properties.ts';

/**
 * The frame of a message that has waited so long: what is left of the time in which it is wanted, where it says one. A millisecond is
 * left of a message that nobody wants any more: it has its number, so the broker has to see it.
 */
export function countedDown(frame: Uint8Array, waitedMs: number): Uint8Array {
  if ((frame[0]! & FrameBit.properties) === 0 || waitedMs <= 0) return frame;
  const cursor = new FrameCursor(MAX_PAYLOAD_BYTES);
  if (!cursor.read(frame, 0, frame.length)) return frame;
  const { payloadStart, payloadEnd } = cursor;
  const { properties, messageStart } = readProperties(frame, payloadStart, payloadEnd);
  const { expiresInMs } = properties;
  if (expiresInMs === undefined) return frame;
  const left = { ...properties, expiresInMs: Math.max(1, expiresInMs - waitedMs) };
  const payload = payloadWith(left, frame.subarray(messageStart, payloadEnd));
  return encodeFrame(frame[0]!, cursor.frame(frame).topic, payload, '');
}
