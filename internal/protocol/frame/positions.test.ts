import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOf, GOLDEN_FRAMES } from '../../../test/golden/frames.ts';
import { expectBytes } from '../../../test/support/hex-dump.ts';
import { FrameCursor } from './cursor.ts';
import { FrameDecoder } from './decoder.ts';
import {
  CONNECT_PAYLOAD_BYTES,
  CONTROL_PAYLOAD_BYTES,
  encodeFrame,
  FrameType,
  POSITION_PREFIX_BYTES,
} from './frame.ts';
import { encodePosition, parsePosition, parseReplayed, replayedPayload } from './positions.ts';

const golden = (name: string) => bytesOf(GOLDEN_FRAMES.find((frame) => frame.name.startsWith(name))!);
const POSITION = {
  reader: 7,
  partition: 1,
  offset: 42,
  sinceMs: Number.NEGATIVE_INFINITY,
  logId: Uint8Array.from({ length: 16 }, (_, index) => index),
  log: 'a.b',
};
const payloadOf = (frame: Uint8Array) => new FrameDecoder(2_000).frames(frame)[0]!.payload;
const PUBLISHED_AT_MS = Date.parse('2026-11-21T06:00:00Z');
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const offset = fc.maxSafeNat();
const timeMs = fc.maxSafeInteger();

describe('a POSITION', () => {
  it('has the bytes that are drawn', () => {
    const bytes = encodePosition('$replay/earliest/a/#', POSITION, 'c');
    expectBytes(bytes, golden('POSITION'));
    expect(parsePosition(payloadOf(bytes))).toEqual(POSITION);
  });

  it('is read as it was written', () => {
    const position = fc.record({
      reader: uint32,
      partition: uint32,
      offset,
      sinceMs: fc.oneof(timeMs, fc.constant(Number.NEGATIVE_INFINITY)),
      logId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
      log: fc.string({ unit: 'binary', maxLength: 249 }).filter((name) => name.isWellFormed()),
    });
    fc.assert(
      fc.property(position, (wanted) => {
        expect(parsePosition(payloadOf(encodePosition('f', wanted, 'c')))).toEqual(wanted);
      }),
    );
  });

  it('of any bytes is a position that makes sense, none, or an error about its name', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (payload) => {
        try {
          const position = parsePosition(payload);
          if (position === undefined) return;
          expect(position.offset).toBeGreaterThanOrEqual(0);
          expect(Number.isSafeInteger(position.offset)).toBe(true);
          expect(position.logId).toHaveLength(16);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid-utf8' });
        }
      }),
    );
  });

  it.each([
    ['too short', '00'.repeat(39)],
    ['an offset below 0', `${'00'.repeat(8)}ffffffffffffffff${'00'.repeat(24)}`],
    ['an offset that no log reaches', `${'00'.repeat(8)}0020000000000000${'00'.repeat(24)}`],
    ['a time beyond all calendars', `${'00'.repeat(16)}7fffffffffffffff${'00'.repeat(16)}`],
  ])('that is wrong is none: %s', (_, hex) => {
    expect(parsePosition(Buffer.from(hex, 'hex'))).toBeUndefined();
  });
});

describe('a REPLAYED', () => {
  it('has the bytes that are drawn', () => {
    const as = { reader: 7, offset: 42, publishedAtMs: PUBLISHED_AT_MS };
    const payload = replayedPayload(Buffer.from('22.5'), as);
    expectBytes(encodeFrame(FrameType.replayed, 'a/b', payload, 'kitchen'), golden('REPLAYED'));
  });

  it('says what it was written with', () => {
    const as = fc.record({ reader: uint32, offset, publishedAtMs: timeMs });
    fc.assert(
      fc.property(as, fc.uint8Array(), (wanted, message) => {
        const payload = replayedPayload(message, wanted);
        expect(parseReplayed(payload, 0, payload.length)).toEqual(wanted);
        expectBytes(payload.subarray(POSITION_PREFIX_BYTES), message);
      }),
    );
  });

  it('does not know a time that is no number of milliseconds', () => {
    const payload = replayedPayload(Buffer.alloc(0), { reader: 1, offset: 0, publishedAtMs: 2 ** 63 });
    expect(parseReplayed(payload, 0, payload.length)).toMatchObject({ publishedAtMs: -1 });
  });

  it('that is too short says nothing', () => {
    expect(parseReplayed(new Uint8Array(50), 10, 29)).toBeUndefined();
  });
});

describe('the largest payload', () => {
  it.each([
    ['PUBLISH', FrameType.publish, 10],
    ['SUBSCRIBE', FrameType.subscribe, 10],
    ['REPLAYED', FrameType.replayed, 10 + POSITION_PREFIX_BYTES],
    ['POSITION', FrameType.position, CONTROL_PAYLOAD_BYTES],
    ['CONNECT', FrameType.connect, CONNECT_PAYLOAD_BYTES],
    ['CONNACK', FrameType.connack, CONTROL_PAYLOAD_BYTES],
  ])('of %s where messages have at most 10 bytes', (_, type, most) => {
    const read = (bytes: number) => {
      const frame = encodeFrame(type, '', new Uint8Array(bytes), 'c');
      return new FrameCursor(10).read(frame, 0, frame.length);
    };
    expect(read(most)).toBe(true);
    expect(() => read(most + 1)).toThrow('at most 10 are accepted');
  });
});
