import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Policy } from '../../internal/access/policy.ts';
import { MovableClock } from '../../internal/lib/clock.ts';
import type { Client, Message } from '../../pkg/client/index.ts';
import { eventually } from '../support/eventually.ts';
import { type FakeCluster, fakeCluster } from '../support/fake-cluster.ts';

let cluster: FakeCluster;
let clock: MovableClock;

beforeEach(async () => {
  clock = new MovableClock();
  cluster = await fakeCluster(2, { clock, http: { listen: ['http://127.0.0.1:0'] } });
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

/** Wills of nodes that are gone without a word: their clients did not leave, and nobody there publishes anything. */
describe('a will of a client of a node that is gone', { timeout: 120_000 }, () => {
  let got: Message[];
  let subscriber: Client;
  const texts = () => got.map(({ topic }) => topic).sort();

  beforeEach(async () => {
    got = [];
    await cluster.start();
    subscriber = await cluster.client(1);
    await subscriber.subscribe('wills/#', (message) => void got.push(message));
  });

  const member = (node: number) => cluster.shared.members[node]!;
  const owns = (node: number) => cluster.shared.move(member(node));

  async function leaves(node: number, clientId: string, will: object, more: object = {}): Promise<Client> {
    const options = { clientId, reconnect: false, ...more } as const;
    return cluster.client(node, {
      ...options,
      will: { topic: `wills/${clientId}`, payload: 'gone', ...will },
    });
  }

  /** Ends the connection of a client, which did not leave. */
  async function kick(node: number, clientId: string): Promise<void> {
    const url = `${cluster.urlOf(node, 'http')}/clients/${clientId}`;
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(200);
    await eventually(async () => (await fetch(url)).status === 404, 'the end of its connection');
  }

  /** Moves the time on by so many seconds, and lets what is due then be done. */
  async function pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      await clock.advance(1_000);
      for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
    }
  }

  /** What is published before this arrives before it. */
  async function settled(): Promise<void> {
    await pass(3);
    const before = got.length;
    await subscriber.publish('wills/probe', 'x', { qos: 1 });
    await eventually(() => got.length > before && got.at(-1)!.topic === 'wills/probe', 'the probe');
    got.pop();
  }

  it('is published once, by the node that owns the groups, when that is certain', async () => {
    await leaves(0, 'plain', {});
    await leaves(0, 'kept', { retain: true, qos: 1, headers: { a: 'b' } });
    await owns(2);
    member(0).cutOff();
    await pass(3);
    expect(texts()).toEqual([]);
    await pass(4);
    await settled();
    expect(texts()).toEqual(['wills/kept', 'wills/plain']);
    expect(got.find(({ topic }) => topic === 'wills/kept')!.headers).toMatchObject({ a: 'b' });
    expect(cluster.shared.tables.wills).toEqual([]);
    await owns(1);
    await pass(10);
    await settled();
    expect(got).toHaveLength(2);
  });

  it('waits for its delay, also where another node owns the groups meanwhile', async () => {
    await leaves(0, 'later', { delay: 20_000 }, { session: { expiresIn: 60_000 } });
    await leaves(0, 'ends', { delay: 50_000 }, { session: { expiresIn: 8_000 } });
    await owns(2);
    member(0).cutOff();
    await pass(15);
    await settled();
    expect(texts()).toEqual(['wills/ends']);
    member(2).cutOff();
    await owns(1);
    await pass(10);
    await settled();
    expect(texts()).toEqual(['wills/ends', 'wills/later']);
  });

  it('is not there after a clean end', async () => {
    const client = await leaves(0, 'clean', {});
    await client.close();
    await owns(2);
    await eventually(() => cluster.shared.tables.wills.length === 0, 'no will');
    member(0).cutOff();
    await pass(10);
    await settled();
    expect(texts()).toEqual([]);
  });

  it('is published before its client says anything on another node', async () => {
    await leaves(0, 'mover', { retain: true });
    await owns(2);
    member(0).cutOff();
    const back = await cluster.client(1, { clientId: 'mover' });
    await back.publish('wills/mover', 'here', { retain: true, qos: 1 });
    await pass(10);
    await settled();
    expect(got.map((message) => message.text())).toEqual(['gone', 'here']);
  });

  it('is not published where its client is on another node before its time', async () => {
    await leaves(0, 'mover', { delay: 10_000 }, { session: { expiresIn: 60_000 } });
    await owns(2);
    member(0).cutOff();
    await pass(3);
    await cluster.client(1, { clientId: 'mover' });
    await pass(20);
    await settled();
    expect(texts()).toEqual([]);
    expect(cluster.shared.tables.wills).toEqual([]);
  });

  it('is published once where the node was not gone, whose client has to connect again', async () => {
    const client = await leaves(0, 'frozen', {});
    await owns(2);
    member(0).cutOff();
    await pass(7);
    await settled();
    expect(texts()).toEqual(['wills/frozen']);
    const end = new Promise((resolve) => client.on('close', resolve));
    member(0).comeBack();
    expect(await end).toMatchObject({ code: 'taken-for-gone' });
    await pass(10);
    await settled();
    expect(texts()).toEqual(['wills/frozen']);
  });

  it('waits with a node that is cut off itself until it knows whether another one published it', async () => {
    await leaves(0, 'taken', {});
    await owns(2);
    member(0).cutOff();
    await kick(0, 'taken');
    await pass(7);
    await settled();
    expect(texts()).toEqual(['wills/taken']);
    member(0).comeBack();
    await pass(10);
    await settled();
    expect(texts()).toEqual(['wills/taken']);
  });

  it('is published by the node itself when that was cut off for a moment', async () => {
    await leaves(0, 'short', {});
    await owns(2);
    member(0).cutOff();
    await kick(0, 'short');
    await pass(2);
    expect(texts()).toEqual([]);
    member(0).comeBack();
    await eventually(() => got.length === 1, 'the will');
    await pass(10);
    await settled();
    expect(texts()).toEqual(['wills/short']);
  });

  it('is published once where the node that was about to publish it goes too', async () => {
    await leaves(0, 'twice', { qos: 1 });
    await owns(2);
    member(0).cutOff();
    const { tables } = cluster.shared;
    tables.afterSwap = () => {
      tables.afterSwap = undefined;
      member(2).cutOff();
    };
    await pass(7);
    expect(cluster.shared.tables.wills).toHaveLength(1);
    await owns(1);
    await pass(15);
    await settled();
    expect(texts()).toEqual(['wills/twice']);
    expect(cluster.shared.tables.wills).toEqual([]);
  });

  it('is not published where who left it may no longer publish there', async () => {
    let mayPublish = true;
    const policy: Policy = {
      ...{ epoch: 0, isOpen: false, onChange: () => () => {} },
      may: (_identity, action, { name }) =>
        action === 'publish' && name === 'wills/denied' && !mayPublish ? 'not any more' : undefined,
    };
    await cluster.start({ policy });
    await leaves(0, 'denied', {});
    await leaves(0, 'allowed', {});
    await owns(3);
    mayPublish = false;
    member(0).cutOff();
    await pass(7);
    await settled();
    expect(texts()).toEqual(['wills/allowed']);
  });
});
