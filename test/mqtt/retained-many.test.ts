import { afterAll, describe, expect, it } from 'vitest';
import { FrameType } from '../../internal/protocol/frame/frame.ts';
import { encodePacket } from '../../internal/protocol/mqtt/encode.ts';
import { PacketType, type Qos } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import { matchesFilter } from '../../internal/topic.ts';
import type { BrokerProcess } from '../support/broker-process.ts';
import { connectRaw } from '../support/raw-client.ts';
import { connectMqtt, type RawMqtt } from './client.ts';
import { useLastingBrokers } from './lasting-broker.ts';

const startBroker = useLastingBrokers();
const COUNT = 100_000;
const SITES = 100;
const PAYLOAD_BYTES = 800;
/** Packets at a time. */
const STEP = 5_000;

const topicOf = (index: number) => `site/${index % SITES}/device/${index}`;
const range = (length: number) => Array.from({ length }, (_, index) => index);
const TOPICS = range(COUNT).map(topicOf);

describe('a hundred thousand retained messages', { timeout: 240_000 }, () => {
  it('are there after kill -9, and found by wildcards', async () => {
    const before = await startBroker('many');
    await retainAll(before, 20);
    await before.stop('SIGKILL');
    const after = await startBroker('many');
    const reader = await connectMqtt(after.url, 5);
    const site = await topicsOf(reader, 'site/7/#', COUNT / SITES);
    expect(site).toEqual(new Set(range(COUNT / SITES).map((index) => topicOf(index * SITES + 7))));
    expect(await topicsOf(reader, 'site/+/device/4242', 1)).toEqual(new Set([topicOf(4242)]));
    expect(await topicsOf(reader, '+/+/+/+/#', COUNT)).toEqual(new Set(TOPICS));
    reader.drop();
    await after.stop('SIGKILL');
  });

  it.each([
    ['QoS 0', 4, 0, ['site/#']],
    ['QoS 1', 5, 1, ['+/+/device/+']],
    // The others are asked for while nothing of the first is read.
    ['QoS 0 of several filters', 5, 0, ['site/#', 'site/7/#', '+/+/+/+']],
    ['QoS 2 of several filters', 4, 2, ['site/#', 'site/7/#', 'site/8/+/+']],
  ] as const)('come to a slow reader, and wait where they are: %s', async (_, version, qos, filters) => {
    const broker = await slowBroker();
    const before = broker.memory();
    const reader = await connectMqtt(broker.url, version);
    reader.stream.pause();
    for (const filter of filters) {
      sendSubscribe(reader, filter, qos);
      await othersAreServed(broker);
    }
    expect(broker.memory() - before).toBeLessThan((COUNT * PAYLOAD_BYTES) / 2);
    reader.stream.resume();
    const came = new Map<string, number>();
    const expected = new Map<string, number>();
    for (const filter of filters) {
      for (const topic of TOPICS) {
        if (matchesFilter(filter, topic)) expected.set(topic, (expected.get(topic) ?? 0) + 1);
      }
    }
    for (let left = sum(expected.values()); left > 0; ) {
      const packet = await reader.any();
      if (packet.type !== PacketType.publish) continue;
      expect(packet.retain).toBe(true);
      came.set(packet.topic, (came.get(packet.topic) ?? 0) + 1);
      left--;
      // It takes a break now and then.
      if (left % STEP !== 0) continue;
      reader.stream.pause();
      await othersAreServed(broker);
      reader.stream.resume();
    }
    expect(came).toEqual(expected);
    reader.drop();
    expect((await broker.stats()).dropped).toBe(0);
  });

  it('come to a slow reader of frames, and wait where they are', async () => {
    const broker = await slowBroker();
    const before = broker.memory();
    const reader = await connectRaw(broker.url, 'frames');
    reader.stream.pause();
    reader.send(FrameType.subscribe, '#');
    await othersAreServed(broker);
    expect(broker.memory() - before).toBeLessThan((COUNT * PAYLOAD_BYTES) / 2);
    reader.stream.resume();
    await reader.expect(FrameType.suback);
    const messages = await reader.messages(COUNT);
    expect(new Set(messages.map(({ topic }) => topic))).toEqual(new Set(TOPICS));
    await reader.expectSilence();
    reader.stream.destroy();
  });
});

let shared: BrokerProcess | undefined;
afterAll(() => shared?.stop('SIGKILL'));

/** The broker of the slow readers, with everything retained. */
async function slowBroker(): Promise<BrokerProcess> {
  if (shared === undefined) {
    shared = await startBroker('slow', ['-memory', '-sys-interval', '0', '-slow-consumer-wait', '0.02']);
    await retainAll(shared, PAYLOAD_BYTES);
  }
  return shared;
}

/** Others get their answers, many times: so the broker has long done for a reader that takes nothing what it can. */
async function othersAreServed(broker: BrokerProcess): Promise<void> {
  const other = await connectMqtt(broker.url, 4);
  for (let ping = 0; ping < 50; ping++) await other.expectSilence();
  other.drop();
}

function sendSubscribe(reader: RawMqtt, filter: string, qos: Qos): void {
  const subscription = { filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
  const packetId = reader.newPacketId();
  const properties = NO_PROPERTIES;
  reader.send({ type: PacketType.subscribe, packetId, subscriptions: [subscription], properties });
}

/** Retains a message for each topic; all of them are safe when this resolves. */
async function retainAll(broker: BrokerProcess, payloadBytes: number): Promise<void> {
  const publisher = await connectMqtt(broker.url, 5);
  const payload = Buffer.alloc(payloadBytes, 'x');
  const flags = { qos: 0, retain: true, dup: false, packetId: 0, properties: NO_PROPERTIES } as const;
  for (let start = 0; start < COUNT; start += STEP) {
    const packets = range(STEP).map((index) =>
      encodePacket({ type: PacketType.publish, topic: topicOf(start + index), payload, ...flags }, 5),
    );
    publisher.stream.write(Buffer.concat(packets));
    await publisher.expectSilence();
  }
  await publisher.publishSafely(topicOf(COUNT - 1), 'x'.repeat(payloadBytes), { retain: true });
  publisher.drop();
}

async function topicsOf(reader: RawMqtt, filter: string, count: number): Promise<Set<string>> {
  await reader.subscribe(filter, 1);
  const topics = new Set<string>();
  for (const packet of await reader.take(count)) {
    if (packet.type === PacketType.publish) topics.add(packet.topic);
  }
  await reader.expectSilence();
  return topics;
}

function sum(counts: Iterable<number>): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}
