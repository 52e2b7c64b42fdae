import { describe, expect, it } from 'vitest';
import type { MqttDoor } from '../../internal/doors/mqtt/door.ts';
import { type Packet, PacketType, type Qos } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import { HeldEntries } from '../support/held-entries.ts';
import { DoorClient, mqttDoor } from '../support/mqtt-door.ts';
import { connectRaw } from '../support/raw-client.ts';
import { useBroker } from './broker.ts';
import type { RawMqtt } from './client.ts';

const KiB = 1024;
/** Shorter and smaller than what is retained. */
const broker = useBroker({
  sessionQueue: 1,
  sessionQueueBytes: KiB,
  channelSize: 1,
  channelBytes: KiB,
  slowConsumerWaitMs: 10,
});
/** More than one step, with messages larger than every queue. */
const COUNT = 600;
const LARGE_BYTES = 40 * KiB;

async function retain(prefix: string, count: number, bytes: number, qos: Qos = 2): Promise<Set<string>> {
  const publisher = await broker.connect(4);
  const topics = new Set<string>();
  for (let index = 0; index < count; index++) {
    await publisher.publishSafely(`${prefix}/${index}`, 'x'.repeat(bytes), { retain: true, qos });
    topics.add(`${prefix}/${index}`);
  }
  return topics;
}

async function topicsOf(client: RawMqtt, count: number): Promise<Set<string>> {
  return new Set((await client.messages(count)).map(({ topic }) => topic));
}

// Forty retained messages of 2 MiB came to a subscriber of QoS 1 as 31: they went through the queue of its session, which
// has bounds, though they lay in the retained store all the time. They are sent from there now, and no queue is asked.
describe('retained messages larger and more than any queue', () => {
  it.each([
    [4, 0],
    [4, 1],
    [4, 2],
    [5, 0],
    [5, 1],
    [5, 2],
  ] as const)('all come, one by one, version %i, QoS %i', async (version, qos) => {
    const prefix = `large/${version}/${qos}`;
    const topics = await retain(prefix, COUNT, LARGE_BYTES);
    const subscriber = await broker.connect(version);
    await subscriber.subscribe(`${prefix}/+`, qos);
    subscriber.stream.pause();
    const other = await broker.connect(version);
    for (let ping = 0; ping < 20; ping++) await other.expectSilence();
    subscriber.stream.resume();
    expect(await topicsOf(subscriber, COUNT)).toEqual(topics);
    await subscriber.expectSilence();
    expect(broker.stat('messages_dropped_total')).toBe(0);
  });

  it('come to a client that takes one at a time, in a session that lasts, over two connections', async () => {
    const topics = await retain('one', COUNT, 100);
    const properties = { receiveMaximum: 1, sessionExpiryIntervalS: 60 };
    const first = await broker.connect(5, { clientId: 'one', properties });
    await first.subscribe('one/#', 2);
    const came = await topicsOf(first, COUNT / 3);
    first.drop();
    const second = await broker.connect(5, { clientId: 'one', properties, cleanStart: false });
    while (came.size < COUNT) came.add((await second.message()).topic);
    expect(came).toEqual(topics);
  });

  it('come to a subscriber of frames', async () => {
    const topics = await retain('frames', COUNT, LARGE_BYTES);
    const subscriber = await connectRaw(broker.url, 'frames');
    await subscriber.subscribe('frames/#');
    const messages = await subscriber.messages(COUNT);
    expect(new Set(messages.map(({ topic }) => topic))).toEqual(topics);
    subscriber.stream.destroy();
  });

  it('are passed over, however many in a row, where the client takes no packet of that size [MQTT-3.1.2-24]', async () => {
    await retain('sized', COUNT, 2_000);
    const publisher = await broker.connect(4);
    await publisher.publishSafely('sized/zz', 'small', { retain: true });
    const subscriber = await broker.connect(5, { properties: { maximumPacketSizeBytes: 1_000 } });
    await subscriber.subscribe('sized/#', 1);
    expect(await subscriber.texts(1)).toEqual(['sized/zz small']);
    await subscriber.expectSilence();
  });
});

describe('while retained messages are on their way', () => {
  it('a topic that is replaced comes as it is by then, and one that is cleared does not come', async () => {
    await retain('changing', COUNT, 1_000);
    const subscriber = await broker.connect(5, { properties: { receiveMaximum: 1 } }, false);
    await subscriber.subscribe('changing/+', 1);
    const first = await subscriber.message();
    const publisher = await broker.connect(4);
    await publisher.publishSafely(`changing/${COUNT - 1}`, 'new', { retain: true });
    await publisher.publishSafely(`changing/${COUNT - 2}`, '', { retain: true });
    const retained = new Map<string, string>();
    let packet = first;
    for (;;) {
      if (packet.retain) retained.set(packet.topic, String(packet.payload));
      subscriber.answer(PacketType.puback, packet.packetId);
      if (retained.size === COUNT - 1) break;
      packet = await subscriber.message();
    }
    expect(retained.get(`changing/${COUNT - 1}`)).toBe('new');
    expect(retained.has(`changing/${COUNT - 2}`)).toBe(false);
  });

  it.each([1, 2, 20])(
    'live ones come too, and do not keep them back: %i at a time',
    async (receiveMaximum) => {
      const prefix = `beside/${receiveMaximum}`;
      await retain(prefix, COUNT, 100, 1);
      const subscriber = await broker.connect(5, { properties: { receiveMaximum } });
      await subscriber.subscribe(`${prefix}/#`, 1);
      const publisher = await broker.connect(4);
      let isOver = false;
      const publishing = (async () => {
        while (!isOver) await publisher.publishSafely(`${prefix}/live`, 'x');
      })();
      const topics = new Set<string>();
      while (topics.size < COUNT) {
        const { topic, retain: isRetained } = await subscriber.message();
        if (isRetained) topics.add(topic);
      }
      isOver = true;
      await publishing;
    },
  );

  it('repeated SUBSCRIBEs begin anew, and what waits does not grow', async () => {
    await retain('again', COUNT, 1_000, 1);
    const subscriber = await broker.connect(5, { properties: { receiveMaximum: 10 } }, false);
    for (let time = 0; time < 50; time++) {
      const subscriptions = [
        { filter: 'again/#', qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const,
      ];
      const packetId = subscriber.newPacketId();
      subscriber.send({ type: PacketType.subscribe, packetId, subscriptions, properties: NO_PROPERTIES });
    }
    const came: Packet[] = await subscriber.take(60);
    expect(came.filter(({ type }) => type === PacketType.publish)).toHaveLength(10);
    expect(broker.stat('session_messages_waiting')).toBe(0);
    const topics = new Set<string>();
    const acknowledge = (packet: Packet) => {
      if (packet.type !== PacketType.publish) return;
      topics.add(packet.topic);
      subscriber.answer(PacketType.puback, packet.packetId);
    };
    came.forEach(acknowledge);
    while (topics.size < COUNT) acknowledge(await subscriber.any());
  });
});

describe('a session that lasts', () => {
  const LAST = { clientId: 'lasting', cleanStart: false } as const;

  // What was on its way was written for each session that took it: fifty sessions with 12,500 topics each kept the disk
  // busy for seconds. Nothing of QoS 1 is written now, so the session itself says that it is owed the messages.
  it('gets them from a broker that was killed meanwhile, and is owed nothing in the end', async () => {
    const entries = new HeldEntries();
    const before = await mqttDoor({ entries });
    const publisher = await before.connected(4, { clientId: 'publisher' });
    for (let index = 1; index <= 20; index++) publisher.publish(`owed/${index}`, 1, index, { retain: true });
    await publisher.packets();
    const first = await before.connected(4, LAST);
    const writesBefore = entries.writes;
    subscribe(first, 'owed/#');
    expect(messagesIn(await first.shown())).toHaveLength(20);
    expect(entries.writes - writesBefore).toBe(1);

    const after = await mqttDoor({ entries });
    const second = await connectedNow(after);
    expect(new Set(messagesIn(second)).size).toBe(20);
    await before.close();
    await after.close();
  });

  it('is not fed again once all has arrived', async () => {
    const entries = new HeldEntries();
    const before = await mqttDoor({ entries });
    const publisher = await before.connected(4, { clientId: 'publisher' });
    publisher.publish('arrived', 1, 1, { retain: true });
    await publisher.packets();
    const first = await before.connected(4, LAST);
    subscribe(first, 'arrived');
    for (const packet of await first.packets()) {
      if (packet.type !== PacketType.publish) continue;
      const { packetId } = packet;
      first.send({ type: PacketType.puback, packetId, reasonCode: 0, properties: NO_PROPERTIES });
    }
    await first.packets();
    const after = await mqttDoor({ entries });
    expect(messagesIn(await connectedNow(after))).toEqual([]);
    await before.close();
    await after.close();
  });

  /** Connects and returns all that comes. */
  async function connectedNow({ door }: { door: MqttDoor }): Promise<string[]> {
    const client = new DoorClient(4);
    door.open(client.connection, new Uint8Array(0));
    const connect = {
      type: PacketType.connect,
      version: 4,
      keepAliveS: 0,
      properties: NO_PROPERTIES,
    } as const;
    client.send({ ...connect, ...LAST });
    return client.shown();
  }

  function subscribe(client: DoorClient, filter: string): void {
    const subscription = {
      filter,
      qos: 1,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0,
    } as const;
    const properties = NO_PROPERTIES;
    client.send({ type: PacketType.subscribe, packetId: 1, subscriptions: [subscription], properties });
  }

  function messagesIn(shown: readonly string[]): string[] {
    return shown.filter((text) => text.startsWith('publish '));
  }
});
