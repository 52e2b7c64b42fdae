import { describe, expect, it } from 'vitest';
import {
  bytesOf,
  FAULTS_MAX_PAYLOAD_BYTES,
  GOLDEN_FAULTS,
  GOLDEN_FRAMES,
} from '../../../test/golden/frames.ts';
import { expectBytes } from '../../../test/support/hex-dump.ts';
import { FrameCursor } from './cursor.ts';
import { FrameDecoder } from './decoder.ts';
import { encodeFrame, FrameError, frameSize, MAX_PAYLOAD_BYTES, writeFrame } from './frame.ts';

const utf8 = new TextEncoder();
/** A frame around the one that is looked at. */
const neighbour = encodeFrame(7, '', '', 'n');

describe.each(GOLDEN_FRAMES)('golden frame: $name', (golden) => {
  const bytes = bytesOf(golden);
  const topic = utf8.encode(golden.topic);
  const payload = typeof golden.payload === 'string' ? utf8.encode(golden.payload) : golden.payload;
  const clientId = utf8.encode(golden.clientId);

  it('is what the encoder writes, from text and from bytes', () => {
    expectBytes(encodeFrame(golden.type, golden.topic, golden.payload, golden.clientId), bytes);
    expectBytes(encodeFrame(golden.type, topic, payload, clientId), bytes);
    expect(frameSize(topic.length, payload.length, clientId.length)).toBe(bytes.length);
  });

  it('is written in the middle of a buffer without touching what is around', () => {
    const into = new Uint8Array(bytes.length + 20).fill(0xee);
    expect(writeFrame(into, 10, golden.type, topic, payload, clientId)).toBe(10 + bytes.length);
    const expected = new Uint8Array(into.length).fill(0xee);
    expected.set(bytes, 10);
    expectBytes(into, expected);
  });

  it('is where the cursor says, in the middle of others', () => {
    const chunk = Buffer.concat([neighbour, bytes, neighbour]);
    const cursor = new FrameCursor(MAX_PAYLOAD_BYTES);
    const at = neighbour.length;
    expect(cursor.read(chunk, at, chunk.length)).toBe(true);
    expect(cursor.type).toBe(golden.type);
    expectBytes(chunk.subarray(cursor.topicStart, cursor.topicEnd), topic);
    expectBytes(chunk.subarray(cursor.payloadStart, cursor.payloadEnd), payload);
    expectBytes(chunk.subarray(cursor.clientIdStart, cursor.end), clientId);
    expect(cursor.end).toBe(at + bytes.length);
  });

  it('is not whole, and not refused, with any byte missing; what is wanted is never more than is missing', () => {
    const cursor = new FrameCursor(MAX_PAYLOAD_BYTES);
    for (const length of cutsOf(bytes.length)) {
      expect(cursor.read(bytes, 0, length)).toBe(false);
      const wanted = cursor.bytesWanted(bytes, 0, length);
      expect(wanted).toBeGreaterThan(length);
      expect(wanted).toBeLessThanOrEqual(bytes.length);
    }
  });

  it('is decoded whatever it is cut into', () => {
    for (const cut of cutsOf(bytes.length)) {
      const decoder = new FrameDecoder(MAX_PAYLOAD_BYTES);
      const first = Buffer.concat([neighbour, bytes.subarray(0, cut)]);
      const second = Buffer.concat([bytes.subarray(cut), neighbour]);
      const frames = [...decoder.frames(first), ...decoder.frames(second)];
      expect(decoder.isBetweenFrames).toBe(true);
      expect(frames.map(({ type }) => type)).toEqual([7, golden.type, 7]);
      const whole = frames[1];
      expectBytes(encodeFrame(whole.type, whole.topic, whole.payload, whole.clientId), bytes);
    }
  });
});

describe.each(GOLDEN_FAULTS)('golden fault: $name', (fault) => {
  const bytes = bytesOf(fault);

  it('is refused whole, byte by byte and behind another frame', () => {
    const chunks = [[bytes], Array.from(bytes, (byte) => Uint8Array.of(byte)), [neighbour, bytes]];
    for (const cut of chunks)
      expect(refusalOf(cut)).toMatchObject({ code: fault.code, message: fault.message });
  });

  it('is refused as soon as it can be known, not before', () => {
    expect(refusalOf([bytes.subarray(0, fault.knownAfterBytes)])).toBeInstanceOf(FrameError);
    expect(refusalOf([bytes.subarray(0, fault.knownAfterBytes - 1)])).toBeUndefined();
  });
});

describe('a decoder', () => {
  it('that is reset forgets half a frame', () => {
    const decoder = new FrameDecoder(MAX_PAYLOAD_BYTES);
    expect(decoder.frames(neighbour.subarray(0, 5))).toEqual([]);
    expect(decoder.isBetweenFrames).toBe(false);
    decoder.reset();
    expect(decoder.isBetweenFrames).toBe(true);
    expect(decoder.frames(neighbour)).toHaveLength(1);
  });
});

/** Every place to cut a short frame; the interesting ones of a long one. */
function cutsOf(length: number): number[] {
  if (length < 200) return Array.from({ length }, (_, index) => index);
  return [0, 1, 2, 3, 4, 1000, length / 2, length - 65_537, length - 65_536, length - 1].map(Math.trunc);
}

function refusalOf(chunks: Uint8Array[]): unknown {
  const decoder = new FrameDecoder(FAULTS_MAX_PAYLOAD_BYTES);
  try {
    for (const chunk of chunks) decoder.frames(chunk);
  } catch (error) {
    return error;
  }
  return undefined;
}
