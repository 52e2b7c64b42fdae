import { expect, it } from 'vitest';
import { ratesBetween } from './rates.ts';

const door = (messagesIn: number) => ({
  ...{ name: 'mqtt', connections: 1, messagesOut: 0, bytesIn: 0, bytesOut: 0 },
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
