import { expect, it } from 'vitest';
import { ratesBetween, withRates } from './rates.ts';

const door = (messagesIn: number) => ({
  ...{ name: 'mqtt', connections: 1, requests: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 },
  messagesIn,
});

it.each([
  [[door(10)], [door(30)], 2_000, 10],
  [[], [door(30)], 1_000, 30],
  // A broker that began anew counts from 0.
  [[door(50)], [door(0)], 1_000, 0],
])('what went through a door between two looks', (before, after, ms, rate) => {
  expect(ratesBetween(before, after, ms).get('mqtt')?.messagesIn).toBe(rate);
});

it('a log grows at a rate, and a topic without one has that of its messages', () => {
  const topic = (records: number) => ({
    ...{ name: 'a', topic: 'a', hasChildren: false, retained: false },
    log: { partitions: 1, bytes: 0, records },
  });
  expect(withRates([topic(10)], [topic(30)], 2_000)[0]?.rate).toBe(10);
  expect(withRates([], [topic(30)], 2_000)[0]?.rate).toBeUndefined();
  const live = { name: 'b', topic: 'b', hasChildren: false, retained: false, perSecond: 7 };
  expect(withRates([], [live], 2_000)[0]?.rate).toBe(7);
  // Retention takes messages away.
  expect(withRates([topic(30)], [topic(5)], 2_000)[0]?.rate).toBe(0);
});
