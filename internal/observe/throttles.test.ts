import { expect, it } from 'vitest';
import { MovableClock } from '../lib/clock.ts';
import { fatesPerName, throttleRestMs } from '../limits/observe.ts';
import type { Fate } from './fates.ts';
import { Fates } from './fates.ts';
import { Metrics } from './metrics.ts';
import { RecentFates } from './recent-fates.ts';
import { type Throttled, Throttles } from './throttles.ts';

function setUp() {
  const clock = new MovableClock();
  const metrics = new Metrics();
  const lines: object[] = [];
  const ignored = () => {};
  const log = { debug: ignored, warn: ignored, error: ignored, info: (fields: object) => lines.push(fields) };
  const fates = new Fates(metrics, log, new RecentFates(clock));
  const told: Fate[] = [];
  fates.onFate((fate) => told.push(fate));
  return { clock, metrics, fates, lines, told, throttles: new Throttles(fates, clock) };
}

const throttled: Throttled = {
  who: { clientId: 'a', user: 'anna', remote: '127.0.0.1:1', door: 'mqtt' },
  code: 'rate-exceeded',
  reason: 'messagesInPerSecond: 10 are allowed',
  rule: 'limit devices',
  isRefused: false,
};
const WAITS = { door: 'mqtt', code: 'rate-exceeded' };

it('waits of a client until it rests are one fate, and each is counted', async () => {
  const { clock, metrics, fates, lines, told, throttles } = setUp();
  for (let n = 0; n < 500; n++) {
    throttles.add(throttled);
    // It goes on for longer than a rest, and never rests.
    await clock.advance(throttleRestMs / 50);
  }
  const [fate, ...others] = fates.recent.find({ client: 'a' }, 10);
  expect(fate).toMatchObject({
    ...{ outcome: 'throttled', code: 'rate-exceeded', rule: 'limit devices', count: 1, door: 'mqtt' },
    message: 'messagesInPerSecond: 10 are allowed',
  });
  expect(fate!.atMs - fate!.firstAtMs).toBeGreaterThan(throttleRestMs);
  expect([others.length, told.length, lines.length]).toEqual([0, 1, 1]);
  expect(metrics.value('throttled_total', WAITS)).toBe(500);
  await clock.advance(throttleRestMs + 1);
  throttles.add({ ...throttled, who: { ...throttled.who, remote: '127.0.0.1:2' } });
  expect(fates.recent.find({ client: 'a' }, 10)).toMatchObject([{ count: 2 }]);
  expect([told.length, lines.length, metrics.value('throttled_total', WAITS)]).toEqual([2, 2, 501]);
});

it('another client, limit or rate is another fate', () => {
  const { fates, told, throttles } = setUp();
  throttles.add(throttled);
  throttles.add({ ...throttled, rule: 'limit other' });
  throttles.add({ ...throttled, reason: 'bytesInPerSecond: 10 are allowed' });
  throttles.add({ ...throttled, who: { ...throttled.who, clientId: 'b' } });
  expect(told).toHaveLength(4);
  expect(fates.recent.find({}, 10).length).toBeGreaterThanOrEqual(3);
});

it('who was refused is counted only, as its door tells of the refusal', () => {
  const { metrics, told, throttles } = setUp();
  throttles.add({ ...throttled, isRefused: true });
  expect([told.length, metrics.value('throttled_total', WAITS)]).toEqual([0, 1]);
});

it('a fate that others pushed out meanwhile is remembered again, without another line', () => {
  const { fates, lines, throttles } = setUp();
  throttles.add(throttled);
  for (let n = 0; n < fatesPerName; n++)
    fates.recent.note({
      outcome: 'refused',
      code: 'not-authorized',
      affected: throttled.who,
      about: { topic: `t${n}` },
    });
  for (let n = 0; n < 2; n++) throttles.add(throttled);
  expect(fates.recent.find({ code: 'rate-exceeded' }, 10)).toMatchObject([{ client: 'a', count: 1 }]);
  expect(lines).toHaveLength(1);
});
