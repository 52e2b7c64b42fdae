import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MovableClock } from '../../internal/lib/clock.ts';
import type { Message } from '../../pkg/client/index.ts';
import { eventually } from '../support/eventually.ts';
import { type FakeCluster, fakeCluster } from '../support/fake-cluster.ts';

let cluster: FakeCluster;
let clock: MovableClock;

beforeEach(async () => {
  clock = new MovableClock();
  cluster = await fakeCluster(2, { clock });
});

afterEach(() => cluster.close());

describe('a will', { timeout: 120_000 }, () => {
  it('of a client of a node that stops in order reaches subscribers of the others', async () => {
    const got: Message[] = [];
    const subscriber = await cluster.client(1);
    await subscriber.subscribe('wills/#', (message) => void got.push(message));
    await cluster.client(0, { will: { topic: 'wills/plain', payload: 'gone' }, reconnect: false });
    await cluster.client(0, {
      will: { topic: 'wills/kept', payload: 'gone', retain: true },
      reconnect: false,
    });
    await cluster.brokers[0]!.close();
    await eventually(() => got.length === 2, 'both wills');
    expect(got.map(({ topic }) => topic).sort()).toEqual(['wills/kept', 'wills/plain']);
    const late: Message[] = [];
    await eventually(async () => {
      const later = await cluster.client(1);
      await later.subscribe('wills/#', (message) => void late.push(message));
      await later.ping();
      return late.length > 0;
    }, 'the retained will');
    expect(late[0]!.topic).toBe('wills/kept');
  });

  it('that waits is not published when its client is back on another node', async () => {
    const got: Message[] = [];
    const subscriber = await cluster.client(1);
    await subscriber.subscribe('wills/#', (message) => void got.push(message));
    const options = { clientId: 'mover', reconnect: false } as const;
    const will = { topic: 'wills/moved', payload: 'gone', delay: 2_000 };
    await cluster.client(0, { ...options, will, session: { expiresIn: 60_000 } });
    await cluster.client(1, options);
    await eventually(() => cluster.brokers[0]!.stats().clients === 0, 'the end of the first connection');
    await clock.advance(10_000);
    for (let turns = 0; turns < 10; turns++) await new Promise(setImmediate);
    await subscriber.publish('wills/probe', 'x');
    await subscriber.ping();
    expect(got.map(({ topic }) => topic)).toEqual(['wills/probe']);
  });
});
