import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AccessDirectory } from '../../internal/access/directory.ts';
import type { Limit } from '../../internal/access/limits/limit.ts';
import { buildBatch } from '../../internal/batch/build.ts';
import { MovableClock } from '../../internal/lib/clock.ts';
import { freeReconnects } from '../../internal/limits/access.ts';
import { AccessEntries } from '../../internal/persistence/access-entries.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { SqliteStore } from '../../internal/store/sqlite/sqlite-store.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { connectMqtt, openMqtt, type RawMqtt } from '../mqtt/client.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';
import { connectRaw } from '../support/raw-client.ts';

const QUOTA_EXCEEDED = 0x97;
const CONNECTION_RATE_EXCEEDED = 0x9f;

let folder: string;
let broker: RunningBroker;
let clock: MovableClock;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tinymq-limits-'));
});
afterEach(async () => {
  await broker.close();
  await rm(folder, { recursive: true });
});

/** A broker whose store has these limits, for clients by their ids. */
async function start(limits: Record<string, Limit['values']>): Promise<void> {
  const store = new SqliteStore({ directory: folder, fsync: 'os' });
  await store.open();
  const directory = await AccessDirectory.open(new AccessEntries(store));
  await directory.edit(
    Object.entries(limits).map(([client, values]) => ({
      kind: 'put-limit',
      limit: { id: client, client, values },
    })),
  );
  await store.close();
  await open();
}

async function open(): Promise<void> {
  clock = new MovableClock();
  const listen = ['tcp://127.0.0.1:0'];
  const kafka = { listen: ['tcp://127.0.0.1:0'] };
  broker = await startBroker({
    listen,
    kafka,
    dataDir: folder,
    keepForMs: 0,
    sysIntervalMs: 0,
    clock,
    allowAnonymous: true,
  });
}

/** Moves the clock in steps until a number is reached; how far it got while so much time went by. */
async function until(
  reached: () => number,
  most: number,
  stepMs = 500,
  beganMs = clock.elapsedMs(),
): Promise<[number, number][]> {
  const seen: [number, number][] = [];
  while (reached() < most) {
    await clock.advance(stepMs);
    // What is on its way arrives.
    await new Promise((resolve) => setTimeout(resolve, 5));
    seen.push([clock.elapsedMs() - beganMs, reached()]);
    if (seen.length > 10_000) throw new Error(`only ${reached()} of ${most} came`);
  }
  return seen;
}

describe('messages and bytes that a client may send or get in a second', () => {
  it.each(['frames', 'mqtt'] as const)(
    'are held by reading no faster (%s): nothing is lost, and nobody else waits',
    async (door) => {
      await start({ fast: { messagesInPerSecond: 100 } });
      await using subscriber = await connectRaw(broker.url, 'subscriber');
      await subscriber.subscribe('#');
      let received = 0;
      let others = 0;
      subscriber.consume(({ topic, payload }) => {
        if (topic === 'other') others++;
        else expect(Number(Buffer.from(payload).toString())).toBe(received++);
      });
      const fast =
        door === 'frames'
          ? await connectRaw(broker.url, 'fast')
          : await connectMqtt(broker.url, 4, { clientId: 'fast' });
      const beganMs = clock.elapsedMs();
      for (let index = 0; index < 1_000; index++) fast.publish('t', String(index));
      await using other = await connectRaw(broker.url, 'other');
      const seen = await until(() => received, 1_000, 100, beganMs);
      for (const [afterMs, count] of seen) expect(count).toBeLessThanOrEqual(100 + afterMs / 10 + 5);
      expect(seen.at(-1)![0]).toBeGreaterThan(8_500);
      expect(broker.stats()[`throttled_total{door="${door}",code="rate-exceeded"}`]).toBeGreaterThan(10);
      for (let index = 0; index < 1_000; index++) other.publish('other', 'x');
      await expect.poll(() => others).toBe(1_000);
      await other.ping();
      fast.stream.destroy();
    },
  );

  it('bound bytes in both directions; what comes later comes whole', async () => {
    await start({ in: { bytesInPerSecond: 10_000 }, out: { bytesOutPerSecond: 20_000 } });
    const subscriber = await connectMqtt(broker.url, 5, { clientId: 'out' });
    await subscriber.subscribe('#', 1);
    const publisher = await connectMqtt(broker.url, 5, { clientId: 'in' });
    const payload = Buffer.alloc(50_000, 'x');
    publisher.publish('t', payload, { qos: 1 });
    publisher.publish('t', payload, { qos: 1 });
    const seen = await until(() => publisher.waiting.length, 2);
    expect(seen.at(-1)![0]).toBeGreaterThan(8_000);
    const [first, second] = await subscriber.messages(2);
    expect([first!.payload.length, second!.payload.length]).toEqual([50_000, 50_000]);
    // The second one could not leave before the first had been paid for.
    for (const client of [subscriber, publisher]) client.stream.destroy();
  });

  it('hold what is sent as well, and a client without limits gets the same at once', async () => {
    await start({ slow: { messagesOutPerSecond: 10, bytesOutPerSecond: 100_000 } });
    await using slow = await connectRaw(broker.url, 'slow');
    await using quick = await connectRaw(broker.url, 'quick');
    await using publisher = await connectRaw(broker.url, 'publisher');
    const counts = { slow: 0, quick: 0 };
    await slow.subscribe('#');
    await quick.subscribe('#');
    slow.consume(() => void counts.slow++);
    quick.consume(() => void counts.quick++);
    const beganMs = clock.elapsedMs();
    // What waits may leave together, and is paid for afterwards.
    for (let round = 1; round <= 4; round++) {
      for (let index = 0; index < 30; index++) {
        publisher.publish('t', String(index));
        await publisher.ping();
      }
      await expect.poll(() => counts.quick).toBe(30 * round);
      expect(counts.slow).toBeLessThan(30 * round);
      await until(() => counts.slow, 30 * round, 100);
    }
    expect(clock.elapsedMs() - beganMs).toBeGreaterThan(6_000);
  });
});

describe('what a client may have', () => {
  it('is no more than its limits say: subscriptions, sessions, messages in flight', async () => {
    await start({ few: { subscriptions: 2, inflight: 3 }, kept: { sessions: 0 } });
    const few = await openMqtt(broker.url, 5);
    const connack = await few.connect({ clientId: 'few' });
    expect(connack.properties.receiveMaximum).toBe(3);
    few.acknowledges = false;
    expect((await few.subscribe('a', 1)).reasonCodes).toEqual([1]);
    expect((await few.subscribe('b')).reasonCodes).toEqual([0]);
    expect((await few.subscribe('c')).reasonCodes).toEqual([QUOTA_EXCEEDED]);
    expect((await few.subscribe('a', 1)).reasonCodes).toEqual([1]);
    const publisher = await connectMqtt(broker.url, 5, { clientId: 'publisher' });
    for (let index = 0; index < 9; index++) publisher.publish('a', String(index), { qos: 1 });
    await publisher.take(9);
    await few.messages(3);
    await few.expectSilence();
    const kept = await openMqtt(broker.url, 5);
    const properties = { sessionExpiryIntervalS: 60 };
    expect((await kept.connect({ clientId: 'kept', properties })).reasonCode).toBe(QUOTA_EXCEEDED);
    for (const client of [few, publisher, kept]) client.stream.destroy();
  });

  it('is no more than its queue holds, also while it is away and after a restart; others get all', async () => {
    await start({ away: { queuedBytes: 2_000 } });
    const properties = { sessionExpiryIntervalS: 3_600 };
    for (const clientId of ['away', 'other']) {
      const client = await connectMqtt(broker.url, 5, { clientId, properties });
      await client.subscribe('t', 1);
      client.stream.destroy();
    }
    await broker.close();
    await open();
    const publisher = await connectMqtt(broker.url, 5, { clientId: 'publisher' });
    for (let index = 0; index < 20; index++) publisher.publish('t', 'x'.repeat(500), { qos: 1 });
    const answers = await publisher.take(20);
    expect(answers.map((answer) => 'reasonCode' in answer && answer.reasonCode)).toEqual(Array(20).fill(0));
    const taken = async (clientId: string) => {
      const client = await connectMqtt(broker.url, 5, { clientId, properties, cleanStart: false });
      const messages = await messagesOf(client);
      client.stream.destroy();
      return messages;
    };
    expect(await taken('other')).toBe(20);
    // 500 bytes each, and some for the queue itself.
    expect(await taken('away')).toBe(2);
    expect(broker.stats()['messages_dropped_total{code="session-queue-full"}']).toBe(18);
    publisher.stream.destroy();
  });

  it('holds its publishers where its connection takes no more, before that of another client does', async () => {
    await start({ few: { queuedBytes: 1_000 } });
    await using few = await connectRaw(broker.url, 'few');
    await few.subscribe('t');
    few.stream.pause();
    await using publisher = await connectRaw(broker.url, 'publisher');
    const payload = 'x'.repeat(100_000);
    await expect
      .poll(
        () => {
          for (let index = 0; index < 10; index++) publisher.publish('t', payload);
          return broker.stats().slow_consumer_episodes_total;
        },
        { timeout: 20_000 },
      )
      .toBe(1);
    // By default 64 MiB wait before a subscriber is slow.
    expect(broker.stats().channel_bytes_waiting).toBeLessThan(2_000_000);
  });

  it('is no more than it may have retained: others, and what takes no more room, go on', async () => {
    await start({ few: { retainedBytes: 1_000 } });
    let few = await connectMqtt(broker.url, 5, { clientId: 'few' });
    const publish = async (topic: string, bytes: number) => {
      few.publish(topic, 'x'.repeat(bytes), { qos: 1, retain: true });
      return (await few.next(PacketType.puback)).reasonCode;
    };
    // Nobody is subscribed, which the answer says.
    const KEPT = 0x10;
    expect(await publish('a', 600)).toBe(KEPT);
    expect(await publish('b', 600)).toBe(QUOTA_EXCEEDED);
    expect(await publish('a', 900)).toBe(KEPT);
    expect(await publish('b', 50)).toBe(KEPT);
    expect(await publish('c', 600)).toBe(QUOTA_EXCEEDED);
    few.stream.destroy();
    await broker.close();
    await open();
    few = await connectMqtt(broker.url, 5, { clientId: 'few' });
    expect(await publish('c', 600)).toBe(QUOTA_EXCEEDED);
    expect(await publish('a', 0)).toBe(KEPT);
    expect(await publish('c', 600)).toBe(KEPT);
    const other = await connectMqtt(broker.url, 5, { clientId: 'other' });
    other.publish('d', 'x'.repeat(5_000), { qos: 1, retain: true });
    expect((await other.next(PacketType.puback)).reasonCode).toBe(KEPT);
    // Before version 5 nothing can say no: the message is acknowledged, and not kept.
    few.stream.destroy();
    const old = await connectMqtt(broker.url, 4, { clientId: 'few' });
    old.publish('e', 'x'.repeat(5_000), { qos: 1, retain: true });
    await old.next(PacketType.puback);
    await other.subscribe('#', 1);
    expect((await other.messages(3)).map(({ topic }) => topic).sort()).toEqual(['b', 'c', 'd']);
    await other.expectSilence();
    for (const client of [old, other]) client.stream.destroy();
  });
});

/** How many messages come before the answer to a ping. */
async function messagesOf(client: RawMqtt): Promise<number> {
  client.send({ type: PacketType.pingreq });
  for (let messages = 0; ; messages++) {
    const { type } = await client.any();
    if (type === PacketType.pingresp) return messages;
    expect(type).toBe(PacketType.publish);
  }
}

describe('a client of Kafka', () => {
  it('that sends more bytes than it may is told how long to rest, and is not read until then; others are', async () => {
    await start({ producer: { bytesInPerSecond: 1_000 } });
    const url = urlOf(broker, 'kafka');
    const [slow, quick] = [await KafkaWire.open(url), await KafkaWire.open(url)];
    const topic = { name: 'log', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };
    await quick.ask(createTopics, 7, { topics: [topic], timeoutMs: 1000, validateOnly: false });
    const ask = (wire: KafkaWire, clientId: string) => wire.ask(produce, 9, produceOf(4_000), clientId);
    const first = await ask(slow, 'producer');
    // It was above its limit by some three seconds when it was answered.
    expect(first.throttleTimeMs).toBeGreaterThan(2_500);
    let isAnswered = false;
    const second = ask(slow, 'producer').then((answer) => {
      isAnswered = true;
      return answer;
    });
    expect((await ask(quick, 'other')).throttleTimeMs).toBe(0);
    await clock.advance(1_500);
    expect((await ask(quick, 'other')).throttleTimeMs).toBe(0);
    expect(isAnswered).toBe(false);
    await clock.advance(2_500);
    expect((await second).responses[0]!.partitionResponses[0]!.errorCode).toBe(0);
    for (const wire of [slow, quick]) wire.socket.destroy();
  });
});

describe('connections', () => {
  it('beyond the number of a client are refused with the reason', async () => {
    await start({ one: { connections: 1 } });
    const first = await connectMqtt(broker.url, 5, { clientId: 'one' });
    const refused = await openMqtt(broker.url, 5);
    const connack = await refused.connect({ clientId: 'one' });
    expect(connack.reasonCode).toBe(QUOTA_EXCEEDED);
    expect(broker.stats()['disconnects_total{code="too-many-connections"}']).toBe(1);
    first.stream.destroy();
    await expect
      .poll(async () => (await (await openMqtt(broker.url, 5)).connect({ clientId: 'one' })).reasonCode)
      .toBe(0);
  });

  it('of a client that connects in a loop wait, and are refused when many wait', async () => {
    await start({});
    const clients = await Promise.all(
      Array.from({ length: freeReconnects + 300 }, () => openMqtt(broker.url, 5)),
    );
    const codes: number[] = [];
    for (const client of clients) {
      client.connect({ clientId: 'loop' }).then(
        ({ reasonCode }) => codes.push(reasonCode),
        () => codes.push(-1),
      );
    }
    await expect
      .poll(() => codes.filter((code) => code === CONNECTION_RATE_EXCEEDED).length)
      .toBeGreaterThan(0);
    expect(codes.filter((code) => code === 0).length).toBeLessThan(clients.length);
    const other = await connectMqtt(broker.url, 5, { clientId: 'other' });
    await until(() => codes.length, clients.length);
    expect(codes.filter((code) => code === 0).length).toBeGreaterThan(freeReconnects);
    for (const client of [...clients, other]) client.stream.destroy();
  });
});

function produceOf(bytes: number) {
  const record = { timestamp: 1, key: null, value: Buffer.alloc(bytes, 'x'), headers: [] };
  const partitionData = [{ index: 0, records: buildBatch([record], {}) }];
  return { transactionalId: null, acks: -1, timeoutMs: 1000, topicData: [{ name: 'log', partitionData }] };
}
