import { describe, expect, it } from 'vitest';
import { identityOfTest } from '../../../test/support/access.ts';
import { BrokerError } from '../../errors.ts';
import { MovableClock } from '../../lib/clock.ts';
import { connectWaitMs, failedLoginDelayMs, freeFailedLogins, freeReconnects } from '../../limits/access.ts';
import type { Identity } from '../identity.ts';
import { addressKeyOf } from './address-key.ts';
import { FailedLogins } from './failed-logins.ts';
import { checkLimit, type Limit } from './limit.ts';
import { Allowance, Limits } from './limits.ts';
import { Rate } from './rate.ts';
import { Reconnects } from './reconnects.ts';

function client(clientId: string, more: Partial<Identity> = {}): Identity {
  return { ...identityOfTest(clientId), ...more };
}

function limit(id: string, values: Limit['values'], who: Partial<Limit> = {}): Limit {
  return { id, values, origin: 'store', ...who };
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof BrokerError) return error.code;
    throw error;
  }
  return 'none';
}

async function state(promise: Promise<void> | undefined): Promise<() => string> {
  let is = promise === undefined ? 'at once' : 'waits';
  promise?.then(() => {
    is = 'in';
  });
  return () => is;
}

describe('a limit', () => {
  it.each([
    [{ values: {} }, 'it bounds nothing'],
    [{ values: { speed: 1 } }, "there is no limit of 'speed'"],
    [{ values: { connections: -1 } }, 'connections is a whole number from 0'],
    [{ values: { bytesInPerSecond: 0 } }, 'bytesInPerSecond is a whole number from 1'],
    [{ values: { bytesInPerSecond: 1.5 } }, 'bytesInPerSecond is a whole number from 1'],
    [{ values: { connections: 1 }, user: '' }, 'its user is empty'],
  ] as const)('(%j) is refused where it makes no sense', (bad, problem) => {
    expect(() => checkLimit({ id: 'l', origin: 'store', ...bad } as Limit)).toThrow(problem);
  });

  it('is shared by all whom it names, and for everybody else each has his own', () => {
    const limits = new Limits({
      clock: new MovableClock(),
      read: () => [
        limit('everybody', { connections: 1 }),
        limit('team', { connections: 3 }, { group: 'team' }),
        limit('alice', { inflight: 7 }, { user: 'alice' }),
        limit('both', { connections: 0 }, { user: 'alice', client: 'x' }),
      ],
    });
    const enter = (who: Identity) => codeOf(() => new Allowance(limits, who).enter());
    const team = ['a', 'b', 'c', 'd'].map((id) => enter(client(id, { user: id, groups: ['team'] })));
    expect(team).toEqual(['none', 'none', 'none', 'too-many-connections']);
    expect(['one', 'one', 'two'].map((id) => enter(client(id)))).toEqual([
      'none',
      'too-many-connections',
      'none',
    ]);
    const alice = new Allowance(limits, client('y', { user: 'alice' }));
    expect([alice.least('inflight'), alice.least('connections')]).toEqual([7, 1]);
    expect(enter(client('x', { user: 'alice' }))).toBe('too-many-connections');
  });

  it('of bytes that wait or are retained holds for who is away, in the groups of now', () => {
    let groups = ['team'];
    const all = [
      limit('team', { queuedBytes: 100, retainedBytes: 50 }, { group: 'team' }),
      limit('one', { queuedBytes: 70, retainedBytes: 40 }, { client: 'one' }),
      limit('rest', { retainedBytes: 9 }),
    ];
    const limits = new Limits({
      ...{ clock: new MovableClock(), read: () => all },
      present: (who) => ({ ...who, groups }),
    });
    const anna = client('one', { user: 'anna' });
    expect(limits.mostQueuedBytes(anna)).toBe(70);
    expect(limits.retainedBounds(anna)).toEqual([
      { most: 50, isOfClient: false },
      { most: 40, isOfClient: true },
    ]);
    groups = [];
    limits.changed();
    const ben = client('two', { user: 'ben' });
    expect(limits.mostQueuedBytes(ben)).toBe(Number.POSITIVE_INFINITY);
    expect(limits.retainedBounds(ben)).toEqual([{ most: 9, isOfClient: false }]);
    expect(limits.retainedBounds(anna)).toEqual([{ most: 40, isOfClient: true }]);
  });

  it('counts those who are in, also when it changes or goes', () => {
    let all = [limit('l', { connections: 2 }, { user: 'u' })];
    const limits = new Limits({ clock: new MovableClock(), read: () => all });
    const allowances = [1, 2, 3].map((id) => new Allowance(limits, client(`${id}`, { user: 'u' })));
    const enter = (index: number) => codeOf(() => allowances[index]!.enter());
    expect([0, 1, 2].map(enter)).toEqual(['none', 'none', 'too-many-connections']);
    all = [limit('l', { connections: 3 }, { user: 'u' })];
    limits.changed();
    expect(enter(2)).toBe('none');
    for (const allowance of allowances) allowance.leave();
    all = [];
    limits.changed();
    expect(enter(0)).toBe('none');
    all = [limit('l', { connections: 1 }, { user: 'u' })];
    limits.changed();
    allowances[0]!.rates('bytesInPerSecond');
    expect(enter(1)).toBe('too-many-connections');
  });

  it('of connections a second lets those in time come in, makes some wait, and refuses those who would wait long', async () => {
    const clock = new MovableClock();
    const limits = new Limits({
      clock,
      read: () => [limit('l', { connectionsPerSecond: 2 }, { user: 'u' })],
    });
    const turn = () => new Allowance(limits, client('c', { user: 'u' })).turnToConnect();
    const turns = await Promise.all(
      Array.from({ length: 2 + 2 * (connectWaitMs / 1_000) }, () => state(turn())),
    );
    expect(turns.slice(0, 3).map((is) => is())).toEqual(['at once', 'at once', 'waits']);
    expect(codeOf(() => [turn(), turn()])).toBe('connection-rate-exceeded');
    await clock.advance(600);
    expect(turns[2]!()).toBe('in');
    expect(turns.at(-1)!()).toBe('waits');
    await clock.advance(connectWaitMs + 1_000);
    expect(turns.at(-1)!()).toBe('in');
  });
});

const OF = { limit: 'l', name: 'messagesInPerSecond' } as const;

describe('a rate', () => {
  it('gives no more than its share of the time, and a debt is waited for', async () => {
    const clock = new MovableClock();
    const rate = new Rate(clock, 100, OF);
    rate.take(100 + 300);
    expect([rate.share, rate.waitMs > 2_900]).toEqual([0, true]);
    await clock.advance(2_000);
    expect(rate.share).toBe(0);
    await clock.advance(1_500);
    expect(rate.share).toBeGreaterThan(0);
    await clock.advance(60_000);
    expect(rate.share).toBe(100);
  });

  it('serves those who wait one after the other', async () => {
    const clock = new MovableClock();
    const rate = new Rate(clock, 1_000, OF);
    rate.take(1_000);
    const taken = { a: 0, b: 0, c: 0 };
    const want = (name: keyof typeof taken) => {
      rate.whenFree(() => {
        const { share } = rate;
        rate.take(share);
        taken[name] += share;
        want(name);
      });
    };
    for (const name of ['a', 'b', 'c'] as const) want(name);
    const beganMs = clock.elapsedMs();
    await clock.advance(30_000);
    const tookMs = clock.elapsedMs() - beganMs;
    const all = taken.a + taken.b + taken.c;
    expect(all).toBeLessThanOrEqual(tookMs + 1);
    expect(all).toBeGreaterThan(0.9 * 30_000);
    for (const each of Object.values(taken)) expect(each).toBeGreaterThan(0.25 * all);
  });
});

describe('logins that fail', () => {
  const mallory = '192.0.2.1:4000';

  it('make the next ones of the same user from the same address wait longer and longer, and no others', async () => {
    const clock = new MovableClock();
    const logins = new FailedLogins(clock);
    for (let time = 0; time < freeFailedLogins; time++) {
      expect(logins.turn(mallory, 'alice')).toBeUndefined();
      logins.failed(mallory, 'alice');
    }
    const first = await state(logins.turn(mallory.replace('4000', '4001'), 'alice'));
    const second = await state(logins.turn(mallory, 'alice'));
    expect([logins.turn('192.0.2.2:4000', 'alice'), logins.turn(mallory, 'bob')]).toEqual([
      undefined,
      undefined,
    ]);
    await clock.advance(failedLoginDelayMs + 10);
    expect([first(), second()]).toEqual(['in', 'waits']);
    logins.failed(mallory, 'alice');
    logins.failed(mallory, 'alice');
    await clock.advance(2 * failedLoginDelayMs + 10);
    expect(second()).toBe('in');
    const later = await state(logins.turn(mallory, 'alice'));
    expect(later()).toBe('waits');
    await clock.advance(4 * failedLoginDelayMs);
    expect(later()).toBe('in');
    logins.succeeded(mallory, 'alice');
    expect(logins.turn(mallory, 'alice')).toBeUndefined();
  });

  it('are refused where many of them wait already', () => {
    const logins = new FailedLogins(new MovableClock());
    for (let time = 0; time < freeFailedLogins; time++) logins.failed(mallory, 'alice');
    const ask = () => codeOf(() => logins.turn(mallory, 'alice'));
    const answers = Array.from({ length: 20 }, ask);
    expect(answers[0]).toBe('none');
    expect(answers.at(-1)).toBe('too-many-logins');
  });

  it.each([
    ['[2001:db8:1:2:3:4:5:6]:99', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::ffff]:1', '2001:db8:1:2::/64'],
    ['[2001:0db8::1]:1', '2001:db8:0:0::/64'],
    ['[::1]:5', '0:0:0:0::/64'],
    ['[fe80::1%eth0]:5', 'fe80:0:0:0::/64'],
    ['[::ffff:192.0.2.7]:5', '192.0.2.7'],
    ['192.0.2.7:5', '192.0.2.7'],
    ['unix socket', 'unix socket'],
  ])('from %s count as from %s', (remote, key) => {
    expect(addressKeyOf(remote)).toBe(key);
  });
});

describe('a client that connects in a loop', () => {
  it('is slowed after many connects, and nobody else is', async () => {
    const clock = new MovableClock();
    const reconnects = new Reconnects(clock);
    const peer = { door: 'mqtt', clientId: 'loop', remote: '192.0.2.1:1' };
    for (let time = 0; time < freeReconnects; time++) expect(reconnects.turn(peer)).toBeUndefined();
    const next = await state(reconnects.turn(peer));
    expect(next()).toBe('waits');
    expect(reconnects.turn({ ...peer, clientId: 'other' })).toBeUndefined();
    expect(reconnects.turn({ ...peer, door: 'kafka' })).toBeUndefined();
    await clock.advance(150);
    expect(next()).toBe('in');
    expect(codeOf(() => Array.from({ length: 100 }, () => reconnects.turn(peer)))).toBe(
      'connection-rate-exceeded',
    );
    await clock.advance(60_000);
    expect(reconnects.turn(peer)).toBeUndefined();
  });
});
