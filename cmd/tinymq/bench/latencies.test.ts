import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Latencies } from './latencies.ts';

describe('latencies', () => {
  it('give percentiles that are the nearest rank to within 2 percent, and the maximum as it was', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.01, max: 3e8, noNaN: true }), { minLength: 1 }),
        fc.constantFrom(0, 0.5, 0.9, 0.99, 0.999, 1),
        (values, share) => {
          const latencies = new Latencies();
          for (const value of values) latencies.add(value);
          const sorted = values.toSorted((a, b) => a - b);
          const exact = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
          const found = latencies.percentileUs(share);
          expect(found).toBeGreaterThanOrEqual(exact * (1 - 1e-9));
          expect(found).toBeLessThanOrEqual(Math.max(1, exact * 1.02));
          expect(latencies.maxUs).toBe(sorted.at(-1));
          expect(latencies.histogram().reduce((sum, { count }) => sum + count, 0)).toBe(values.length);
        },
      ),
    );
  });

  it('of nothing are none', () => {
    expect(new Latencies().percentileUs(0.5)).toBeNaN();
    expect(new Latencies().histogram()).toEqual([]);
  });
});
