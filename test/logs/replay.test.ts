import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FrameType } from '../../internal/protocol/frame/frame.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { connectRaw, type RawClient } from '../support/raw-client.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let folders = 0;

/** A folder for a store, which no other test has. */
function newFolder(): string {
  return join(folder, String(++folders));
}

function started(dataDir: string, ...flags: string[]): Promise<BrokerProcess> {
  return startBrokerProcess(['-address', 'localhost:0', '-log', '#', '-data-dir', dataDir, ...flags]);
}

function inMemory(options: Parameters<typeof startBroker>[0] = {}): Promise<RunningBroker> {
  return startBroker({ listen: ['tcp://localhost:0'], memory: true, logs: [{ filter: '#' }], ...options });
}

const TOPICS = ['a', 'a/b', 'c.d', 'c/d', 'ä'];

/** Publishes numbers to several topics in turn, and waits until the broker has them. */
async function publish(publisher: RawClient, from: number, to: number): Promise<void> {
  for (let number = from; number < to; number++) {
    publisher.publish(TOPICS[number % TOPICS.length], String(number));
    if (number % 500 === 0) await publisher.ping();
  }
  await publisher.ping();
}

/** What came to a client, by topic. */
class Received {
  readonly byTopic = new Map<string, number[]>();
  count = 0;

  constructor(client: RawClient) {
    client.consume(({ type, topic, payload }) => {
      if (type !== FrameType.publish) return;
      this.count++;
      const numbers = this.byTopic.get(topic) ?? [];
      this.byTopic.set(topic, numbers);
      numbers.push(Number(Buffer.from(payload).toString()));
    });
  }

  async are(to: number): Promise<void> {
    await eventually(() => this.count >= to, `${to} messages, of which there are ${this.count},`);
    expect(this.count).toBe(to);
    for (const [index, topic] of TOPICS.entries()) {
      const wanted: number[] = [];
      for (let number = index; number < to; number += TOPICS.length) wanted.push(number);
      expect(this.byTopic.get(topic)).toEqual(wanted);
    }
  }
}

/** A client that replays, and what comes to it. */
async function replaying(url: string, filter: string, clientId = 'replaying') {
  const client = await connectRaw(url, clientId);
  const received = new Received(client);
  client.send(FrameType.subscribe, `$replay/${filter}`);
  return { client, received };
}

/** The next texts that a replay brings. */
async function texts(url: string, filter: string, count: number): Promise<string[]> {
  await using client = await connectRaw(url, 'reading');
  await client.subscribe(`$replay/${filter}`);
  return (await client.messages(count)).map(({ payload }) => Buffer.from(payload).toString());
}

describe('a replay from a broker of its own', () => {
  it('brings every message once and in order while a publisher goes on, and again after a restart', async () => {
    const dataDir = newFolder();
    {
      await using broker = await started(dataDir);
      await using publisher = await connectRaw(broker.url, 'publisher');
      await publish(publisher, 0, 4000);
      const { client, received } = await replaying(broker.url, 'earliest/#');
      await publish(publisher, 4000, 8000);
      await received.are(8000);
      await client[Symbol.asyncDispose]();
      expect((await broker.stop()).code).toBe(0);
    }
    await using broker = await started(dataDir);
    await using publisher = await connectRaw(broker.url, 'publisher');
    const [early, late] = [
      await replaying(broker.url, 'earliest/#', 'early'),
      await replaying(broker.url, 'earliest/#', 'late'),
    ];
    await publish(publisher, 8000, 10_000);
    await early.received.are(10_000);
    await late.received.are(10_000);
    await early.client[Symbol.asyncDispose]();
    await late.client[Symbol.asyncDispose]();
    expect(await texts(broker.url, '1999/ä', 1)).toEqual(['9999']);
  });

  it('brings what was seen again after kill -9, and no offset stands for two messages', async () => {
    const dataDir = newFolder();
    let seen: string[] = [];
    let published = 0;
    for (let round = 0; round < 4; round++) {
      const broker = await started(dataDir, '-fsync', round % 2 === 0 ? 'commit' : 'os');
      let feeding: NodeJS.Timeout | undefined;
      try {
        if (round > 0) expect(await texts(broker.url, 'earliest/a', seen.length)).toEqual(seen);
        await using publisher = await connectRaw(broker.url, 'publisher');
        await using reader = await connectRaw(broker.url, 'reader');
        const now: string[] = [];
        reader.consume(({ type, payload }) => {
          if (type === FrameType.publish) now.push(Buffer.from(payload).toString());
        });
        reader.send(FrameType.subscribe, '$replay/earliest/a');
        feeding = setInterval(() => {
          for (let count = 0; count < 20; count++) publisher.publish('a', `${round}: ${++published}`);
        }, 1);
        await eventually(() => now.length > seen.length + 500, 'messages of this round');
        await broker.stop('SIGKILL');
        await reader.closed();
        expect(now.slice(0, seen.length)).toEqual(seen);
        expect(new Set(now).size).toBe(now.length);
        seen = now;
      } finally {
        clearInterval(feeding);
        if (broker.child.signalCode === null) await broker.stop('SIGKILL');
      }
    }
    await using broker = await started(dataDir);
    const all = await texts(broker.url, 'earliest/a', seen.length);
    expect(all).toEqual(seen);
    for (const offset of [0, 100, seen.length - 1]) {
      expect(await texts(broker.url, `${offset}/a`, 1)).toEqual([seen[offset]]);
    }
  });

  it('has everything after SIGTERM that a PONG was sent for', async () => {
    const dataDir = newFolder();
    for (let round = 0; round < 3; round++) {
      await using broker = await started(dataDir);
      await using publisher = await connectRaw(broker.url, 'publisher');
      await publish(publisher, round * 1000, round * 1000 + 1000);
      expect((await broker.stop('SIGTERM')).code).toBe(0);
    }
    await using broker = await started(dataDir);
    const { client, received } = await replaying(broker.url, 'earliest/#');
    await received.are(3000);
    await client[Symbol.asyncDispose]();
  });

  it('keeps what is bytes and who sent it', async () => {
    const dataDir = newFolder();
    const payloads = [new Uint8Array(0), Uint8Array.from({ length: 256 }, (_, byte) => byte)];
    const large = new Uint8Array(3_000_000).map((_, index) => index % 251);
    {
      await using broker = await started(dataDir);
      await using publisher = await connectRaw(broker.url, 'who: ä');
      for (const payload of [...payloads, large]) publisher.publish('x y', payload);
      await publisher.ping();
      await broker.stop();
    }
    await using broker = await started(dataDir);
    await using client = await connectRaw(broker.url, 'reading');
    await client.subscribe('$replay/earliest/x y');
    const frames = await client.messages(3);
    for (const [index, payload] of [...payloads, large].entries()) {
      const { type, topic, clientId } = frames[index];
      expect([type, topic, clientId]).toEqual([FrameType.publish, 'x y', 'who: ä']);
      expect(Buffer.compare(frames[index].payload, payload)).toBe(0);
    }
  });

  it('puts the topics of a filter into one log where it is named', async () => {
    const flags = ['-address', 'localhost:0', '-memory', '-log', 'a/#=mixed', '-log', 'b'];
    await using broker = await startBrokerProcess(flags);
    await using publisher = await connectRaw(broker.url, 'publisher');
    for (const topic of ['a', 'b', 'c', 'a/b', 'a']) publisher.publish(topic, topic);
    await publisher.ping();
    expect(await texts(broker.url, 'earliest/a/#', 3)).toEqual(['a', 'a/b', 'a']);
    expect(await texts(broker.url, 'earliest/a/b', 1)).toEqual(['a/b']);
    expect(await texts(broker.url, '0/b', 1)).toEqual(['b']);
    await using client = await connectRaw(broker.url, 'client');
    await client.subscribe('$replay/earliest/c');
    await client.expectSilence();
  });
});

describe('a replay', () => {
  it('begins where it is told to', async () => {
    await using broker = await inMemory();
    await using publisher = await connectRaw(broker.url, 'publisher');
    for (const text of ['0', '1', '2']) publisher.publish('a', text);
    await publisher.ping();
    expect(await texts(broker.url, 'earliest/a', 3)).toEqual(['0', '1', '2']);
    const before = new Date(Date.now() - 3_600_000).toISOString();
    for (const start of ['1', '-1h', before]) {
      expect((await texts(broker.url, `${start}/a`, start === '1' ? 2 : 3)).at(-1)).toBe('2');
    }
    await using latest = await connectRaw(broker.url, 'latest');
    await latest.subscribe('$replay/latest/a');
    publisher.publish('a', '3');
    expect((await latest.message())[1]).toBe('3');
    await using future = await connectRaw(broker.url, 'future');
    await future.subscribe('$replay/2970-01-01/a');
    publisher.publish('a', '4');
    expect((await latest.message())[1]).toBe('4');
    await future.expectSilence();
  });

  it('ends with UNSUBSCRIBE of the same filter, and may begin again', async () => {
    await using broker = await inMemory();
    await using client = await connectRaw(broker.url, 'client');
    await using other = await connectRaw(broker.url, 'other');
    const filter = '$replay/earliest/a';
    await client.subscribe(filter, filter);
    await other.subscribe(filter);
    client.publish('a', '1');
    expect((await client.message())[1]).toBe('1');
    await client.unsubscribe(filter);
    await client.unsubscribe(filter);
    other.publish('a', '2');
    expect([(await other.message())[1], (await other.message())[1]]).toEqual(['1', '2']);
    await client.expectSilence();
    await client.subscribe(filter);
    expect([(await client.message())[1], (await client.message())[1]]).toEqual(['1', '2']);
    await client.expectSilence();
  });

  it('is one subscription beside others', async () => {
    await using broker = await inMemory();
    await using client = await connectRaw(broker.url, 'client');
    await client.subscribe('a', '$replay/latest/a');
    client.publish('a', '1');
    expect([(await client.message())[1], (await client.message())[1]]).toEqual(['1', '1']);
    expect(broker.stats()).toMatchObject({ messages_replayed_total: 1, messages_delivered_total: 1 });
  });

  it('goes with its client', async () => {
    await using broker = await inMemory();
    const client = await connectRaw(broker.url, 'same');
    await client.subscribe('$replay/earliest/a');
    await using newer = await connectRaw(broker.url, 'same');
    expect(await client.expectRefusal()).toMatch(/^taken-over/);
    newer.publish('a', '1');
    await newer.expectSilence();
    await newer.subscribe('$replay/earliest/a');
    expect((await newer.message())[1]).toBe('1');
    expect(broker.stats()).toMatchObject({ messages_replayed_total: 1 });
  });

  it.each([
    ['$replay', 'a replay is $replay/START/FILTER'],
    ['$replay/earliest', 'a replay is $replay/START/FILTER'],
    [
      '$replay/soon/a',
      'a replay starts at earliest, latest, an offset, a time ago such as -1h, or an ISO time',
    ],
    ['$replay/2024-02-30/a', 'a replay starts at earliest'],
    ['$replay/earliest/a#', '# must be the whole last level'],
    ['$replay/earliest/$SYS/#', 'a replay is not shared, and the topics of the broker have no history'],
  ])('of %s is refused', async (filter, reason) => {
    await using broker = await inMemory();
    const client = await connectRaw(broker.url, 'client');
    client.send(FrameType.subscribe, filter);
    const refusal = await client.expectRefusal();
    expect(refusal).toMatch(/^invalid-filter: /);
    expect(refusal).toContain(reason);
  });

  it('of a broker that keeps nothing is refused', async () => {
    await using broker = await startBroker({ listen: ['tcp://localhost:0'] });
    const client = await connectRaw(broker.url, 'client');
    client.send(FrameType.subscribe, '$replay/earliest/a');
    expect(await client.expectRefusal()).toMatch(
      /^no-log: filter '\$replay\/earliest\/a': this broker keeps no log/,
    );
  });

  it('is something that a guard is asked about', async () => {
    const asked: string[] = [];
    await using broker = await inMemory({
      guard: {
        mayConnect: () => undefined,
        mayPublish: () => undefined,
        maySubscribe(_, filter) {
          asked.push(filter);
          return filter.includes('secret') ? 'secrets are not told' : undefined;
        },
      },
    });
    const client = await connectRaw(broker.url, 'client');
    await client.subscribe('$replay/earliest/open');
    client.send(FrameType.subscribe, '$replay/earliest/secret');
    expect(await client.expectRefusal()).toBe(
      "not-authorized: filter '$replay/earliest/secret': secrets are not told",
    );
    expect(new Set(asked)).toEqual(new Set(['open', 'secret']));
  });
});

describe('a slow subscriber of a replay', () => {
  it('loses nothing, stops nobody, and is sent no more than it takes', async () => {
    const TOTAL = 2000;
    const payload = (number: number) => String(number).padEnd(16_000);
    // Nobody is slow by the clock here: a stop of the publisher would last until the end of the test.
    await using broker = await inMemory({ slowConsumerWaitMs: 600_000 });
    await using publisher = await connectRaw(broker.url, 'publisher');
    await using live = await connectRaw(broker.url, 'live');
    const [atLive, atSlow]: [number[], number[]] = [[], []];
    const keepIn = (numbers: number[]) => (frame: { type: number; payload: Uint8Array }) => {
      if (frame.type === FrameType.publish) numbers.push(Number(Buffer.from(frame.payload).toString()));
    };
    await live.subscribe('#');
    live.consume(keepIn(atLive));
    await using slow = await connectRaw(broker.url, 'slow');
    // Two replays and many logs share its connection.
    slow.consume(keepIn(atSlow));
    for (const filter of ['earliest/+', 'earliest/t/#']) slow.send(FrameType.subscribe, `$replay/${filter}`);
    slow.stream.pause();
    for (let number = 0; number < TOTAL; number++) {
      publisher.publish(number % 2 === 0 ? `s${number % 10}` : `t/${number % 7}`, payload(number));
      if (number % 50 === 0) await publisher.ping();
    }
    await publisher.ping();
    await eventually(() => atLive.length === TOTAL, 'everything at the other subscriber');
    const { messages_replayed_total } = broker.stats();
    expect(messages_replayed_total).toBeLessThan(TOTAL);
    slow.stream.resume();
    await eventually(() => atSlow.length === TOTAL, 'everything at the slow one');
    const all = Array.from({ length: TOTAL }, (_, number) => number);
    expect(atLive).toEqual(all);
    expect(atSlow.toSorted((a, b) => a - b)).toEqual(all);
    expect(broker.stats()).toMatchObject({ messages_dropped_total: 0, slow_consumer_episodes_total: 0 });
  });
});
