import fc from 'fast-check';
import { expect, it } from 'vitest';
import { dueAfterMs } from './run.ts';

/* Of 100 a second there were 101 in a second that began at some times of the clock. */
it('as many messages are due in a while as its rate says, whenever it begins', () => {
  const rates = fc.constantFrom(1, 3, 7, 100, 333, 1_000);
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      rates,
      fc.integer({ min: 1, max: 4 }),
      (beganMs, rate, publishers) => {
        const [fromMs, untilMs] = [beganMs + 1_000, beganMs + (1_000 + 2_000)];
        let due = 0;
        for (let index = 0; index < publishers; index++) {
          for (let sent = 0; ; sent++) {
            const dueMs = beganMs + dueAfterMs(rate, publishers, index, sent);
            if (dueMs >= untilMs) break;
            if (dueMs >= fromMs) due++;
          }
        }
        expect(due).toBe(2 * rate);
      },
    ),
  );
});
