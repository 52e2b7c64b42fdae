import fc from 'fast-check';
import { expect, test } from 'vitest';
import { median, percentile, seededRandom, spread, zipf } from './stats.ts';

test('the median of an odd number of values is the middle one, of an even number the mean of two', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 3, 10])).toBe(3.5);
  expect(median([])).toBeNaN();
});

test('the median does not disturb what it was given', () => {
  const values = [3, 1, 2];
  median(values);
  expect(values).toEqual([3, 1, 2]);
});

test('a percentile is the smallest value that enough others do not exceed', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  expect(percentile(hundred, 0.5)).toBe(50);
  expect(percentile(hundred, 0.99)).toBe(99);
  expect(percentile(hundred, 0.999)).toBe(100);
  expect(percentile([], 0.5)).toBeNaN();
});

test('a percentile is one of the values, and a share of them is not above it', () => {
  const values = fc.array(fc.integer(), { minLength: 1 }).map((all) => all.sort((a, b) => a - b));
  fc.assert(
    fc.property(values, fc.double({ min: 0.001, max: 1, noNaN: true }), (sorted, share) => {
      const found = percentile(sorted, share);
      expect(sorted).toContain(found);
      expect(sorted.filter((value) => value <= found).length).toBeGreaterThanOrEqual(share * sorted.length);
    }),
  );
});

test('the spread is measured in medians', () => {
  expect(spread([90, 100, 120])).toBeCloseTo(0.3);
});

test('a seed gives the same numbers again, between 0 and 1', () => {
  const numbers = (seed: number): number[] => Array.from({ length: 1_000 }, seededRandom(seed));
  expect(numbers(7)).toEqual(numbers(7));
  expect(numbers(7)).not.toEqual(numbers(8));
  for (const number of numbers(7)) expect(number >= 0 && number < 1).toBe(true);
});

test("Zipf's law: the first comes twice as often as the second and ten times as often as the tenth", () => {
  const next = zipf(100, seededRandom(1));
  const counts = new Array<number>(100).fill(0);
  for (let draw = 0; draw < 200_000; draw++) counts[next()]++;
  expect(counts[0] / counts[1]).toBeCloseTo(2, 0);
  expect(counts[0] / counts[9]).toBeGreaterThan(9);
  expect(counts[0] / counts[9]).toBeLessThan(11);
  expect(Math.min(...counts)).toBeGreaterThan(0);
});
