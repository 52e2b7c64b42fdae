import { describe, expect, it } from 'vitest';
import { PacketType, type Version } from '../../internal/protocol/mqtt/packet.ts';
import type { BrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { rounds, torturePatienceMs } from '../support/torture.ts';
import { connectLasting, useLastingBrokers } from './lasting-broker.ts';
import { LastingPublisher, type Sent } from './lasting-publisher.ts';
import { type Delivered, LastingSubscriber } from './lasting-subscriber.ts';

const startBroker = useLastingBrokers();
const VERSIONS: readonly Version[] = [4, 5];
/** One gets what is published with QoS 2 with QoS 1, at least once. */
const SUBSCRIBERS = [
  { version: 4, qos: 2 },
  { version: 5, qos: 2 },
  { version: 5, qos: 1 },
] as const;
const ROUNDS = rounds(8);
/** Retained topics of each publisher. */
const STATES = 5;

describe('a broker that is killed under load, again and again', () => {
  it(
    'loses nothing that it acknowledged, delivers QoS 2 once, keeps the order, the states and the subscriptions',
    async () => {
      const publishers = VERSIONS.map((version) => {
        const id = `publisher-${version}`;
        return new LastingPublisher(version, id, (index) => messageOf(id, index));
      });
      const subscribers = SUBSCRIBERS.map(
        ({ version }, index) => new LastingSubscriber(version, `subscriber-${index}`),
      );
      let broker = await startBroker('often');
      for (const [index, subscriber] of subscribers.entries()) {
        await subscriber.connect(broker);
        await subscriber.subscribe('count/#', SUBSCRIBERS[index].qos);
      }
      for (let round = 0; round < ROUNDS; round++) {
        for (const publisher of publishers) await publisher.connect(broker);
        for (const [index, subscriber] of subscribers.entries()) {
          // Now and then one stays away, and its messages wait.
          if (isAway(round, index)) await subscriber.drop();
          else await goOn(subscriber, broker, round);
        }
        if (round > 0) await expectStates(broker, publishers);
        await Promise.all(publishers.map((publisher) => publisher.publish(10 + ((round * 37) % 150))));
        // Their connections are lost too, at other times than the broker.
        if (round % 3 === 1) {
          for (const client of [publishers[0], subscribers[0]]) {
            client.drop();
            await client.connect(broker);
          }
          await Promise.all(publishers.map((publisher) => publisher.publish(30)));
        }
        await broker.stop('SIGKILL');
        broker = await startBroker('often');
      }
      for (const publisher of publishers) {
        await publisher.connect(broker);
        await publisher.settle();
      }
      for (const subscriber of subscribers) await subscriber.connect(broker);
      await expectStates(broker, publishers);
      for (const [index, subscriber] of subscribers.entries()) {
        const { qos } = SUBSCRIBERS[index];
        for (const publisher of publishers) await expectAll(subscriber, publisher);
        await subscriber.ping();
        for (const publisher of publishers) expectOnceInOrder(subscriber.delivered, publisher, qos);
        await expectSubscriptions(subscriber, index, broker);
        await subscriber.drop();
      }
      for (const publisher of publishers) publisher.drop();
      await broker.stop('SIGKILL');
    },
    torturePatienceMs(240_000),
  );

  it('has everything that waited for sessions whose clients were away, in order', async () => {
    const count = 1_000;
    let broker = await startBroker('offline');
    const subscribers = VERSIONS.map((version) => new LastingSubscriber(version, `away-${version}`));
    for (const subscriber of subscribers) {
      await subscriber.connect(broker);
      await subscriber.subscribe('count/#', 2);
      await subscriber.drop();
    }
    const publisher = new LastingPublisher(5, 'publisher', (index) => messageOf('publisher', index));
    for (let round = 0; round < 3; round++) {
      await publisher.connect(broker);
      await publisher.publish(count / 4);
      if (round === 2) {
        await publisher.publish(count / 4);
        await publisher.settle();
      }
      await broker.stop('SIGKILL');
      broker = await startBroker('offline');
    }
    publisher.drop();
    for (const subscriber of subscribers) {
      await subscriber.connect(broker);
      await expectAll(subscriber, publisher);
      await subscriber.ping();
      expectOnceInOrder(subscriber.delivered, publisher);
      await subscriber.drop();
    }
    await broker.stop('SIGKILL');
  }, 120_000);
});

describe('a broker that is killed between the packets of QoS 2', () => {
  /** How far the handshake has come when the broker is killed. */
  const STEPS = ['PUBLISH', 'PUBREC', 'PUBREL', 'PUBCOMP'] as const;
  const CASES = VERSIONS.flatMap((version) => STEPS.map((step, index) => ({ version, step, index })));

  it('takes a message once that comes again, and the next one of its id', async () => {
    let broker = await startBroker('inbound');
    const watcher = new LastingSubscriber(5, 'watcher');
    await watcher.connect(broker);
    await watcher.subscribe('in/#', 2);
    for (const { version, step, index } of CASES) {
      const { client } = await connectLasting(broker, version, `in-${version}-${step}`);
      client.publish(`in/${version}/${step}`, 'first', { qos: 2, packetId: 7 });
      if (index >= 1) await client.next(PacketType.pubrec);
      if (index >= 2) client.answer(PacketType.pubrel, 7);
      if (index >= 3) await client.next(PacketType.pubcomp);
    }
    await broker.stop('SIGKILL');
    broker = await startBroker('inbound');
    await watcher.connect(broker);
    for (const { version, step, index } of CASES) {
      const { client, sessionPresent } = await connectLasting(broker, version, `in-${version}-${step}`);
      expect(sessionPresent).toBe(true);
      const topic = `in/${version}/${step}`;
      if (index < 2) {
        client.publish(topic, 'first', { qos: 2, packetId: 7, dup: true });
        await client.next(PacketType.pubrec);
      }
      if (index < 3) {
        client.answer(PacketType.pubrel, 7);
        await client.next(PacketType.pubcomp);
      }
      client.publish(topic, 'second', { qos: 2, packetId: 7 });
      await client.next(PacketType.pubrec);
      client.answer(PacketType.pubrel, 7);
      await client.next(PacketType.pubcomp);
      client.drop();
    }
    const expected = CASES.flatMap(({ version, step }) => [
      `in/${version}/${step} first`,
      `in/${version}/${step} second`,
    ]);
    await eventually(() => watcher.delivered.length >= expected.length, 'all messages');
    await watcher.ping();
    expect(watcher.delivered.map(({ topic, text }) => `${topic} ${text}`).sort()).toEqual(expected.sort());
    await watcher.drop();
    await broker.stop('SIGKILL');
  }, 120_000);

  it('sends a message again, or its release, until that was answered', async () => {
    let broker = await startBroker('outbound');
    const sentIds = new Map<string, number>();
    for (const { version, step, index } of CASES) {
      const clientId = `out-${version}-${step}`;
      const { client } = await connectLasting(broker, version, clientId);
      await client.subscribe(clientId, 2);
      await publishOnce(broker, clientId, 'first', 2);
      const { packetId } = await client.next(PacketType.publish);
      sentIds.set(clientId, packetId);
      if (index >= 1) client.answer(PacketType.pubrec, packetId);
      if (index >= 2) await client.next(PacketType.pubrel);
      if (index >= 3) client.answer(PacketType.pubcomp, packetId);
    }
    await broker.stop('SIGKILL');
    broker = await startBroker('outbound');
    for (const { version, step, index } of CASES) {
      const clientId = `out-${version}-${step}`;
      const { client, sessionPresent } = await connectLasting(broker, version, clientId);
      expect(sessionPresent).toBe(true);
      await publishOnce(broker, clientId, 'second', 2);
      const firstId = sentIds.get(clientId)!;
      const came: string[] = [];
      for (let isAnswered = true; !isAnswered || !came.includes('second'); ) {
        const packet = await client.any();
        if (packet.type === PacketType.pubrel) {
          if (!came.includes('first')) came.push('release');
          expect(packet.packetId).toBe(firstId);
          client.answer(PacketType.pubcomp, packet.packetId);
          isAnswered = true;
        } else if (packet.type === PacketType.publish) {
          const { packetId, payload, dup } = packet;
          came.push(String(payload));
          if (came.at(-1) === 'second') continue;
          expect([packetId, dup]).toEqual([firstId, true]);
          client.answer(PacketType.pubrec, packetId);
          isAnswered = false;
        } else {
          throw new Error(`unexpected: ${JSON.stringify(packet)}`);
        }
      }
      // Whether the broker had the client's last packet before it was killed is not known here.
      const possible = [
        ['first second'],
        ['first second', 'release second'],
        ['release second'],
        ['release second', 'second'],
      ][index];
      expect([clientId, possible]).toEqual([clientId, expect.arrayContaining([came.join(' ')])]);
      client.drop();
    }
    await broker.stop('SIGKILL');
  }, 120_000);
});

describe('a session whose time is over while the broker is down', () => {
  it('is gone with all that it had; others are there', async () => {
    let broker = await startBroker('expiry');
    const EXPIRY_S = 2;
    const sessions = [
      { clientId: 'long', expiryS: 3_600 },
      { clientId: 'short', expiryS: EXPIRY_S },
    ];
    for (const { clientId, expiryS } of sessions) {
      const properties = { sessionExpiryIntervalS: expiryS };
      const { client } = await connectLasting(broker, 5, clientId, { properties });
      await client.subscribe('expiry', 1);
      client.disconnect();
      await client.ended();
    }
    const endedBy = Date.now();
    await publishOnce(broker, 'expiry', 'x');
    await broker.stop('SIGKILL');
    await eventually(() => Date.now() > endedBy + EXPIRY_S * 1_000, 'the end of the session');
    broker = await startBroker('expiry');
    for (const { clientId, expiryS } of sessions) {
      const isOver = expiryS === EXPIRY_S;
      const { client, sessionPresent } = await connectLasting(broker, 5, clientId, {}, true);
      expect([clientId, sessionPresent]).toEqual([clientId, !isOver]);
      if (!isOver) expect(await client.texts(1)).toEqual(['expiry x']);
      await publishOnce(broker, 'expiry', clientId);
      if (!isOver) expect(await client.texts(1)).toEqual([`expiry ${clientId}`]);
      await client.expectSilence();
      client.drop();
    }
    await broker.stop('SIGKILL');
  }, 120_000);
});

/** Messages of both QoS in turn; each seventh changes or clears a retained one. */
function messageOf(publisher: string, index: number): Sent {
  const qos = index % 2 === 0 ? 1 : 2;
  if (index % 7 === 0) {
    const text = index % 21 === 0 ? '' : String(index);
    return { topic: `state/${publisher}/${index % STATES}`, text, qos, retain: true };
  }
  return { topic: `count/${publisher}/${qos}`, text: String(index), qos, retain: false };
}

/** A subscriber comes back, and changes its subscriptions as long as the broker lives: `extra/N` stays, `gone/N` does not. */
async function goOn(subscriber: LastingSubscriber, broker: BrokerProcess, round: number): Promise<void> {
  await subscriber.connect(broker);
  await subscriber.subscribe(`extra/${subscriber.clientId}/${round}`, 1);
  await subscriber.subscribe(`gone/${subscriber.clientId}/${round}`, 1);
  await subscriber.unsubscribe(`gone/${subscriber.clientId}/${round}`);
}

function isAway(round: number, index: number): boolean {
  return (round + index) % 4 === 3;
}

async function expectSubscriptions(
  subscriber: LastingSubscriber,
  index: number,
  broker: BrokerProcess,
): Promise<void> {
  const { clientId, delivered } = subscriber;
  const before = delivered.length;
  for (let round = 0; round < ROUNDS; round++) {
    for (const kind of ['gone', 'extra']) await publishOnce(broker, `${kind}/${clientId}/${round}`, '');
  }
  await subscriber.ping();
  const there = Array.from({ length: ROUNDS }, (_, round) => round).filter((round) => !isAway(round, index));
  expect(delivered.slice(before).map(({ topic }) => topic)).toEqual(
    there.map((round) => `extra/${clientId}/${round}`),
  );
}

/** Each retained message is the last that was acknowledged, or one behind it that has no answer yet. */
async function expectStates(broker: BrokerProcess, publishers: readonly LastingPublisher[]): Promise<void> {
  const reader = await connectLasting(broker, 5, 'reader', { cleanStart: true, properties: {} }, true);
  await reader.client.subscribe('state/#', 1);
  const found = new Map<string, string>();
  // Retained messages follow SUBACK at once, and the answer to a ping is behind the first of them: all, being few.
  reader.client.send({ type: PacketType.pingreq });
  for (let packet = await reader.client.any(); packet.type === PacketType.publish; ) {
    expect(packet.retain).toBe(true);
    found.set(packet.topic, String(packet.payload));
    packet = await reader.client.any();
  }
  reader.client.drop();
  for (const publisher of publishers) {
    for (let state = 0; state < STATES; state++) {
      const topic = `state/${publisher.clientId}/${state}`;
      const isOfTopic = (sent: Sent) => sent.topic === topic;
      const last = publisher.acknowledged.findLast(isOfTopic)?.text ?? '';
      const possible = [last, ...publisher.open.filter(isOfTopic).map(({ text }) => text)];
      expect([topic, possible]).toEqual([topic, expect.arrayContaining([found.get(topic) ?? ''])]);
    }
  }
}

async function expectAll(subscriber: LastingSubscriber, publisher: LastingPublisher): Promise<void> {
  const wanted = new Set(countedOf(publisher).map(keyOf));
  await eventually(() => {
    const missing = new Set(wanted);
    for (const message of subscriber.delivered) missing.delete(keyOf(message));
    return missing.size === 0;
  }, `all ${wanted.size} messages of ${publisher.clientId} for ${subscriber.clientId}`);
}

/** QoS 2 came once and in order; of QoS 1 the first of each came in order. */
function expectOnceInOrder(delivered: readonly Delivered[], publisher: LastingPublisher, granted = 2): void {
  for (const qos of [1, 2]) {
    const topic = `count/${publisher.clientId}/${qos}`;
    const sent = countedOf(publisher)
      .filter((message) => message.qos === qos)
      .map(({ text }) => Number(text))
      .sort((a, b) => a - b);
    const came = delivered.filter((message) => message.topic === topic).map(({ text }) => Number(text));
    expect([topic, qos === 2 && granted === 2 ? came : [...new Set(came)]]).toEqual([topic, sent]);
  }
}

function countedOf({ acknowledged }: LastingPublisher): Sent[] {
  return acknowledged.filter(({ topic }) => topic.startsWith('count/'));
}

function keyOf({ topic, text }: { topic: string; text: string }): string {
  return `${topic} ${text}`;
}

/** One message of a client that keeps no session, safe when this resolves. */
async function publishOnce(
  broker: BrokerProcess,
  topic: string,
  text: string,
  qos: 1 | 2 = 1,
): Promise<void> {
  const properties = {};
  const { client } = await connectLasting(broker, 5, 'once', { cleanStart: true, properties }, true);
  await client.publishSafely(topic, text, { qos });
  client.drop();
}
