import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, frameSize, TOPIC_OFFSET } from './frame.ts';
import { countRepeats } from './repeats.ts';

const sizes = fc.record({
  topicBytes: fc.integer({ min: 1, max: 40 }),
  payloadBytes: fc.integer({ min: 0, max: 30 }),
  clientIdBytes: fc.integer({ min: 2, max: 40 }),
  frames: fc.integer({ min: 1, max: 12 }),
});

describe('countRepeats', () => {
  it('counts what a loop over the bytes counts, whichever byte differs', () => {
    const property = fc.property(
      sizes,
      fc.option(fc.nat()),
      fc.nat(20),
      ({ topicBytes, payloadBytes, clientIdBytes, frames }, damage, cut) => {
        const all = Array.from({ length: frames }, (_, index) =>
          encodeFrame(
            2,
            't'.repeat(topicBytes),
            new Uint8Array(payloadBytes).fill(index),
            'c'.repeat(clientIdBytes),
          ),
        );
        const bytes = new Uint8Array(Buffer.concat(all));
        if (damage !== null) bytes[damage % bytes.length] ^= 0x21;
        const size = frameSize(topicBytes, payloadBytes, clientIdBytes);
        const head = TOPIC_OFFSET + topicBytes + 4;
        const tail = head + payloadBytes;
        const limit = Math.max(size, bytes.length - cut);
        const view = new DataView(bytes.buffer);
        expect(countRepeats(view, size, limit, size, head, tail)).toBe(
          countByBytes(bytes, size, limit, size, head, tail),
        );
      },
    );
    fc.assert(property, { numRuns: 2000 });
  });

  it('leaves frames with a client id of one byte to the caller', () => {
    const frame = encodeFrame(2, 't', 'p', 'c');
    const bytes = new Uint8Array(Buffer.concat([frame, frame]));
    expect(countRepeats(new DataView(bytes.buffer), frame.length, bytes.length, frame.length, 8, 9)).toBe(0);
  });
});

function countByBytes(
  bytes: Uint8Array,
  at: number,
  limit: number,
  size: number,
  head: number,
  tail: number,
): number {
  let count = 0;
  for (let frame = at; frame + size <= limit; frame += size) {
    for (let index = 0; index < size; index++) {
      const isPayload = index >= head && index < tail;
      if (!isPayload && bytes[frame + index] !== bytes[at - size + index]) return count;
    }
    count++;
  }
  return count;
}
