import fc from 'fast-check';
import { expect, it } from 'vitest';
import { http2ResetStreamsRemembered } from '../../../limits/grpc.ts';
import { ClosedStreams } from './closed-streams.ts';

it('knows of the last streams whether they were reset, as a set would', () => {
  const steps = fc.array(
    fc.record({
      skipped: fc.constantFrom(0, 0, 0, 1, 100, 40_000),
      isReset: fc.boolean(),
      forgets: fc.nat({ max: 5 }),
    }),
  );
  fc.assert(
    fc.property(steps, (done) => {
      const closed = new ClosedStreams();
      const reset = new Set<number>();
      const opened: number[] = [];
      let id = -1;
      for (const { skipped, isReset, forgets } of done) {
        id += 2 + 2 * skipped;
        closed.opened(id);
        opened.push(id);
        if (isReset) {
          closed.wasReset(id);
          reset.add(id);
        }
        const forgotten = opened[opened.length - 1 - forgets];
        if (forgotten !== undefined) {
          closed.forget(forgotten);
          reset.delete(forgotten);
        }
      }
      const remembered = opened.filter((one) => (id - one) / 2 < http2ResetStreamsRemembered);
      expect(remembered.filter((one) => closed.isReset(one))).toEqual(
        remembered.filter((one) => reset.has(one)),
      );
    }),
  );
});
