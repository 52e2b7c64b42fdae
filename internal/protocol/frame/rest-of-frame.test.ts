import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, FrameType } from './frame.ts';
import { RestOfFrame } from './rest-of-frame.ts';

describe('the rest of a frame', () => {
  it('ends where the next frame begins, wherever the chunks are cut', () => {
    const sizes = fc.record({ payload: fc.nat(300), clientId: fc.nat(300), cuts: fc.array(fc.nat(700)) });
    fc.assert(
      fc.property(sizes, ({ payload, clientId, cuts }) => {
        const frame = encodeFrame(FrameType.publish, 't', new Uint8Array(payload), 'i'.repeat(clientId));
        const bytes = Buffer.concat([frame, Buffer.from('next')]);
        const rest = new RestOfFrame(payload);
        let at = 1 + 2 + 1 + 4;
        for (const cut of [...cuts, bytes.length].sort((a, b) => a - b)) {
          const limit = Math.min(cut, bytes.length);
          if (limit > at && !rest.isPassed) at = rest.pass(bytes, at, limit);
        }
        expect([at, rest.isPassed]).toEqual([frame.length, true]);
      }),
    );
  });
});
