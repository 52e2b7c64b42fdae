import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectBytes } from '../../test/support/hex-dump.ts';
import { FrameCursor } from './frame/cursor.ts';
import { encodeFrame, MAX_PAYLOAD_BYTES } from './frame/frame.ts';
import { FIRST_BYTES, PartialUnit } from './partial.ts';

const anyName = fc.string({ maxLength: 300 });

describe('PartialUnit', () => {
  it('puts a frame together from any pieces, takes not one byte more, and reserves at most twice what came', () => {
    const property = fc.property(
      anyName,
      fc.uint8Array({ maxLength: 2000 }),
      anyName,
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }),
      fc.uint8Array({ maxLength: 20 }),
      (topic, payload, clientId, sizes, following) => {
        const frame = encodeFrame(2, topic, payload, clientId);
        const stream = Buffer.concat([frame, following]);
        const cursor = new FrameCursor(MAX_PAYLOAD_BYTES);
        const partial = new PartialUnit();
        const first = Math.min(sizes[0], frame.length - 1);
        partial.keep(stream, 0, first);
        let at = first;
        for (let piece = 1; at < frame.length; piece++) {
          const end = Math.min(stream.length, at + sizes[piece % sizes.length]);
          const taken = partial.fill(stream.subarray(at, end), cursor);
          expect(taken).toBe(Math.min(end, frame.length) - at);
          at += taken;
          expect(partial.length).toBe(at);
          expect(partial.reservedBytes).toBeLessThanOrEqual(Math.max(FIRST_BYTES, 2 * at));
        }
        expectBytes(partial.takeWhole(cursor)!, frame);
        expect(cursor.end).toBe(frame.length);
        expect([partial.isEmpty, partial.reservedBytes]).toEqual([true, 0]);
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  it('may be used again, and the frame before stays as it was', () => {
    const cursor = new FrameCursor(MAX_PAYLOAD_BYTES);
    const partial = new PartialUnit();
    const frames = ['one', 'two'].map((text) => encodeFrame(2, 't', text, 'c'));
    const wholes = frames.map((frame) => {
      partial.keep(frame, 0, 5);
      partial.fill(frame.subarray(5), cursor);
      return partial.takeWhole(cursor)!;
    });
    for (const [index, whole] of wholes.entries()) expectBytes(whole, frames[index]);
  });
});
