import { describe, expect, it } from 'vitest';
import type { Clock } from '../lib/clock.ts';
import { systemClock } from '../lib/clock.ts';
import { fatesOfNobody, fatesPerName, recentFates, recentFatesBytes } from '../limits/observe.ts';
import type { Fate } from './fates.ts';
import { Fates } from './fates.ts';
import { Metrics } from './metrics.ts';
import { RecentFates } from './recent-fates.ts';

function setUp() {
  let nowMs = 1_000;
  const clock: Clock = { ...systemClock, now: () => nowMs };
  return { recent: new RecentFates(clock), pass: (ms: number) => (nowMs += ms) };
}

const refusal: Fate = {
  outcome: 'refused',
  code: 'not-authorized',
  affected: { clientId: 'a', user: 'anna', remote: '127.0.0.1:1', door: 'mqtt' },
  about: { topic: 'secret/x', rule: 'rule 1, no', bytes: 5 },
  reason: "not-authorized: topic 'secret/x': rule 1, no",
};

describe('recent fates', () => {
  it('say who, what, why and what to do', () => {
    const { recent } = setUp();
    recent.note(refusal);
    expect(recent.find({ client: 'a' }, 10)).toMatchObject([
      {
        ...{ atMs: 1_000, firstAtMs: 1_000, outcome: 'refused', code: 'not-authorized', count: 1, bytes: 5 },
        ...{ client: 'a', user: 'anna', remote: '127.0.0.1:1', door: 'mqtt', topic: 'secret/x' },
        message: "topic 'secret/x': rule 1, no",
        remedy: 'Ask whoever runs the broker for the permission.',
        rule: 'rule 1, no',
      },
    ]);
  });

  it('are found by client, topic, filter, user and code, and all of them together', () => {
    const { recent } = setUp();
    recent.note(refusal);
    recent.note({
      outcome: 'dropped',
      code: 'slow-consumer',
      affected: { clientId: 'b' },
      about: { topic: 't' },
    });
    const found = (question: object) => recent.find(question, 10).map(({ client }) => client);
    expect(found({})).toEqual(['b', 'a']);
    expect(found({ client: 'b' })).toEqual(['b']);
    expect(found({ topic: 'secret/x' })).toEqual(['a']);
    expect(found({ topic: 'secret/#' })).toEqual(['a']);
    expect(found({ user: 'anna' })).toEqual(['a']);
    expect(found({ code: 'slow-consumer' })).toEqual(['b']);
    expect(found({ client: 'b', code: 'not-authorized' })).toEqual([]);
    expect(recent.find({}, 1)).toHaveLength(1);
  });

  it('count what happens again, from another port too, and say when it began', () => {
    const { recent, pass } = setUp();
    recent.note(refusal);
    recent.note({ outcome: 'lost', code: 'connection-lost', affected: { clientId: 'a' } });
    pass(50);
    recent.note({ ...refusal, count: 2, affected: { ...refusal.affected, remote: '127.0.0.1:2' } });
    expect(recent.find({ client: 'a' }, 10)).toMatchObject([
      { code: 'not-authorized', count: 3, bytes: 10, firstAtMs: 1_000, atMs: 1_050 },
      { code: 'connection-lost' },
    ]);
  });

  it('keep the last ones of each client and of each topic', () => {
    const { recent } = setUp();
    for (let n = 0; n < 3 * fatesPerName; n++) recent.note({ ...refusal, about: { topic: `t/${n}` } });
    const last = recent.find({ client: 'a' }, 1_000);
    expect(last).toHaveLength(fatesPerName);
    expect(last[0]!.topic).toBe(`t/${3 * fatesPerName - 1}`);
    // The client has so many others since, and the topic only this one.
    expect(recent.find({ topic: 't/0' }, 10)).toMatchObject([{ client: 'a' }]);
  });

  it('keep few of those who never said who they are', () => {
    const { recent } = setUp();
    for (let n = 0; n < 2 * fatesOfNobody; n++)
      recent.note({ outcome: 'unopened', code: 'connection-lost', who: { remote: `10.0.0.${n}:1` } });
    expect(recent.find({}, 10_000)).toHaveLength(fatesOfNobody);
  });

  it('are bounded in number and bytes, whatever names clients make up: the oldest go', () => {
    const { recent } = setUp();
    const note = (name: string) => recent.note({ ...refusal, affected: { clientId: name }, about: {} });
    for (let n = 0; n < recentFates + 10; n++) note(`client-${n}`);
    expect(recent.find({}, 1_000_000)).toHaveLength(recentFates);
    expect(recent.find({ client: 'client-9' }, 10)).toEqual([]);
    expect(recent.find({ client: 'client-10' }, 10)).toHaveLength(1);
    for (let n = 0; n < recentFates; n++) note(`${n}${'x'.repeat(65_000)}`);
    const left = recent.find({}, 1_000_000);
    const characters = left.reduce((sum, { client, message }) => sum + client!.length + message.length, 0);
    expect(2 * characters).toBeLessThan(recentFatesBytes);
  });

  it('escape control characters of names', () => {
    const { recent } = setUp();
    recent.note({ ...refusal, affected: { clientId: 'a\n\u001b[31m' } });
    expect(recent.find({ client: 'a\n\u001b[31m' }, 10)[0]!.client).toBe('a\\x0a\\x1b[31m');
  });
});

it('a repeated fate is counted, remembered and told like others', () => {
  const metrics = new Metrics();
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const fates = new Fates(metrics, silent);
  const told: Fate[] = [];
  const losses = fates.repeated({
    ...{ outcome: 'dropped', code: 'slow-consumer', affected: { clientId: 'slow' }, about: { topic: 't' } },
  });
  losses.add(2, 20);
  const end = fates.onFate((fate) => told.push(fate));
  losses.add(3, 30);
  end();
  losses.add(1);
  expect(fates.sum('dropped')).toBe(6);
  expect(told).toMatchObject([{ count: 3, about: { topic: 't', bytes: 30 } }]);
  expect(fates.recent.find({ topic: 't' }, 10)).toMatchObject([{ client: 'slow', count: 6, bytes: 50 }]);
});
