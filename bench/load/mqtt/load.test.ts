import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningBroker, startBroker } from '../../../pkg/embed/index.ts';
import { mqtt, mqttPacket, subscribePacket } from '../../peers/mqtt.ts';
import type { Address } from '../../peers/peer.ts';
import { Connection } from '../connection.ts';
import { PacketSplitter } from './packets.ts';
import { AcknowledgedPublisher } from './publisher.ts';
import { AcknowledgingSubscriber } from './subscriber.ts';

const topic = 'load/test';
let broker: RunningBroker;
let address: Address;
beforeAll(async () => {
  broker = await startBroker({ listen: ['tcp://127.0.0.1:0'], memory: true, sysIntervalMs: 0 });
  address = { transport: 'tcp', port: Number(new URL(broker.url).port) };
});
afterAll(() => broker.close());

test('packets are found however they are cut', () => {
  const packets = fc.array(
    fc.tuple(fc.nat(255), fc.uint8Array({ maxLength: 127 })).map(([first, body]) => mqttPacket(first, body)),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(packets, fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), (sent, sizes) => {
      const all = Buffer.concat(sent);
      const found: Buffer[] = [];
      const splitter = new PacketSplitter((bytes, start, end) =>
        found.push(Buffer.from(bytes.slice(start, end))),
      );
      const read = Buffer.alloc(100);
      for (let at = 0, turn = 0; at < all.length; turn++) {
        const length = all.copy(read, 0, at, at + sizes[turn % sizes.length]);
        splitter.push(length, read);
        at += length;
      }
      expect(found).toEqual(sent.map((packet) => Buffer.from(packet)));
    }),
  );
});

test.each([1, 2] as const)('with QoS %i every message arrives and is acknowledged', async (qos) => {
  const problems: string[] = [];
  const subscribing = await Connection.open(address, mqtt, 'sub');
  await subscribing.ask(subscribePacket(topic, qos));
  const publishing = await Connection.open(address, mqtt, 'pub');
  const subscriber = new AcknowledgingSubscriber(subscribing, topic, qos);
  const publisher = new AcknowledgedPublisher(publishing, { topic, payloadBytes: 16, qos }, 50);
  let mostInFlight = 0;
  const wanted = 20_000;
  const pump = () => {
    publisher.send(wanted - publisher.sentMessages);
    mostInFlight = Math.max(mostInFlight, publisher.sentMessages - publisher.acknowledgedMessages);
  };
  publisher.onAcknowledged = pump;
  for (const party of [subscriber, publisher]) party.onProblem = (problem) => problems.push(problem);
  pump();
  await expect.poll(() => publisher.acknowledgedMessages, { timeout: 20_000 }).toBe(wanted);
  await expect.poll(() => subscriber.receivedMessages, { timeout: 20_000 }).toBe(wanted);
  expect(mostInFlight).toBe(50);
  expect(problems).toEqual([]);
  subscribing.close();
  publishing.close();
});

test('a subscriber of the wrong QoS is a problem, and not a result', async () => {
  const subscribing = await Connection.open(address, mqtt, 'wrong-sub');
  await subscribing.ask(subscribePacket(topic, 0));
  const publishing = await Connection.open(address, mqtt, 'wrong-pub');
  const subscriber = new AcknowledgingSubscriber(subscribing, topic, 1);
  const problems: string[] = [];
  subscriber.onProblem = (problem) => problems.push(problem);
  new AcknowledgedPublisher(publishing, { topic, payloadBytes: 16, qos: 1 }, 1).send(1);
  await expect.poll(() => problems).toEqual(['the subscriber got a packet that begins with 48']);
  subscribing.close();
  publishing.close();
});
