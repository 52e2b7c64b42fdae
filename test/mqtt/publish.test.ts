import { describe, expect, it } from 'vitest';
import { mqttReceiveMaximum } from '../../internal/limits/mqtt.ts';
import { PacketType, type Qos, VERSIONS, type Version } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import { ReasonCode } from '../../internal/protocol/mqtt/reason-codes.ts';
import { useBroker } from './broker.ts';

const broker = useBroker({ maxMessageBytes: 1024 * 1024 });
const QOS: readonly Qos[] = [0, 1, 2];
const PAIRS = VERSIONS.flatMap((from) => VERSIONS.map((to) => [from, to] as [Version, Version]));

describe.each(PAIRS)('from version %i to version %i', (from, to) => {
  it('delivers with the lesser QoS of publisher and subscription [MQTT-3.8.4-8] [MQTT-3.3.4-1] [MQTT-4.3.1-1] [MQTT-4.3.2-2] [MQTT-4.3.2-4] [MQTT-4.3.3-2] [MQTT-4.3.3-8]', async () => {
    const subscriber = await broker.connect(to);
    const publisher = await broker.connect(from);
    for (const qos of QOS) {
      const { reasonCodes } = await subscriber.subscribe(`qos/${qos}`, qos);
      expect(reasonCodes).toEqual([qos]);
      publisher.publish(`qos/${qos}`, '0');
      await publisher.publishSafely(`qos/${qos}`, '1', { qos: 1 });
      await publisher.publishSafely(`qos/${qos}`, '2', { qos: 2 });
      const messages = await subscriber.messages(3);
      expect(messages.map(({ payload }) => String(payload))).toEqual(['0', '1', '2']);
      expect(messages.map((message) => message.qos)).toEqual([0, Math.min(1, qos), qos]);
      expect(messages.map(({ dup, retain }) => dup || retain)).toEqual([false, false, false]);
    }
    await subscriber.expectSilence();
  });
});

describe('a stream of messages', () => {
  it.each([4, 5] as const)(
    'keeps its order, version %i, with every QoS [MQTT-4.6.0-5] [MQTT-4.6.0-6]',
    async (version) => {
      const subscriber = await broker.connect(version);
      await subscriber.subscribe('order/#', 2);
      const publisher = await broker.connect(version);
      const each = 2_000;
      for (const qos of QOS) {
        const sent: string[] = [];
        for (let index = 0; index < each; index++) {
          const topic = `order/${qos}/${index % 3}`;
          sent.push(`${topic} ${index}`);
          publisher.publish(topic, String(index), { qos });
          if (qos > 0) {
            const answer = await publisher.next(qos === 1 ? PacketType.puback : PacketType.pubrec);
            if (qos === 2) publisher.answer(PacketType.pubrel, answer.packetId);
            if (qos === 2) await publisher.next(PacketType.pubcomp);
          }
        }
        expect(await subscriber.texts(each)).toEqual(sent);
      }
    },
  );

  it('is forwarded whole: 20,000 small messages in few writes, two sizes, several topics', async () => {
    const subscriber = await broker.connect(5);
    await subscriber.subscribe('many/#');
    const publisher = await broker.connect(4);
    const sent: string[] = [];
    for (let index = 0; index < 20_000; index++) {
      const topic = index % 100 < 90 ? 'many/a' : `many/${index % 7}`;
      sent.push(`${topic} ${index}`);
      publisher.publish(topic, String(index));
    }
    expect(await subscriber.texts(sent.length)).toEqual(sent);
  });

  it('carries every byte and the largest payload, and no byte more', async () => {
    const subscriber = await broker.connect(4);
    await subscriber.subscribe('large', 1);
    const publisher = await broker.connect(5);
    const largest = Buffer.alloc(1024 * 1024).map((_, index) => index % 251);
    publisher.publish('large', largest, { qos: 1 });
    expect(Buffer.compare((await subscriber.message()).payload, largest)).toBe(0);
    await publisher.next(PacketType.puback);
    publisher.publish('large', Buffer.alloc(1024 * 1024 + 1));
    expect(await publisher.next(PacketType.disconnect)).toMatchObject({
      reasonCode: ReasonCode.packetTooLarge,
    });
  });

  it('refuses a packet that is larger than CONNACK said as soon as its length is there', async () => {
    const client = await broker.open(5);
    const { properties } = await client.connect();
    const most = properties.maximumPacketSizeBytes!;
    const header = Buffer.from([0x30, 0, 0, 0, 0]);
    const length = most - 5 + 1;
    for (let index = 0; index < 4; index++) {
      header[index + 1] = ((length >>> (7 * index)) & 0x7f) | (index < 3 ? 0x80 : 0);
    }
    client.stream.write(header);
    expect(await client.next(PacketType.disconnect)).toMatchObject({ reasonCode: ReasonCode.packetTooLarge });
  });
});

describe('a client that ends its side of the connection behind its last packet', () => {
  it.each(QOS)('has all that it sent taken and answered, in its order, QoS %i', async (qos) => {
    const count = 20_000;
    const topic = `ended/${qos}`;
    const subscriber = await broker.connect(4);
    await subscriber.subscribe('ended/#', 0);
    const client = await broker.connect(4, {
      will: {
        topic: 'ended/will',
        payload: Buffer.from('x'),
        qos: 0,
        retain: false,
        properties: NO_PROPERTIES,
      },
    });
    client.stream.cork();
    for (let index = 0; index < count; index++) {
      client.publish(topic, String(index), { qos, packetId: qos === 0 ? 0 : 1 + (index % 60_000) });
      if (qos === 2) client.answer(PacketType.pubrel, 1 + (index % 60_000));
    }
    client.disconnect();
    client.stream.end();
    client.stream.uncork();
    const messages = await subscriber.messages(count);
    expect(messages.map(({ payload }) => Number(String(payload)))).toEqual(
      Array.from({ length: count }, (_, index) => index),
    );
    await client.ended();
    expect(client.waiting).toHaveLength(qos * count);
    // There was a DISCONNECT: nobody gets the will.
    await subscriber.expectSilence();
  });
});

describe('QoS 1 and 2', () => {
  it('acknowledge in the order of the messages [MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT-2.2.1-5]', async () => {
    const client = await broker.connect(4);
    for (let packetId = 1; packetId <= 50; packetId++) {
      client.publish('order', 'x', { qos: packetId % 3 === 0 ? 2 : 1, packetId });
    }
    for (let packetId = 1; packetId <= 50; packetId++) {
      const answer = await client.any();
      expect(answer).toMatchObject({ packetId });
    }
  });

  it('deliver a QoS 2 message once, however often it is sent [MQTT-4.3.3-10] [MQTT-4.3.3-11] [MQTT-4.3.3-12] [MQTT-3.3.1-3]', async () => {
    const subscriber = await broker.connect(5);
    await subscriber.subscribe('once', 2);
    const publisher = await broker.connect(5);
    publisher.publish('once', '1', { qos: 2, packetId: 7 });
    await publisher.next(PacketType.pubrec);
    publisher.publish('once', '1', { qos: 2, packetId: 7, dup: true });
    expect(await publisher.next(PacketType.pubrec)).toMatchObject({ packetId: 7, reasonCode: 0 });
    publisher.answer(PacketType.pubrel, 7);
    expect(await publisher.next(PacketType.pubcomp)).toMatchObject({ packetId: 7, reasonCode: 0 });
    publisher.answer(PacketType.pubrel, 7);
    expect(await publisher.next(PacketType.pubcomp)).toMatchObject({
      reasonCode: ReasonCode.packetIdNotFound,
    });
    await publisher.publishSafely('once', '2', { qos: 2, packetId: 7 });
    expect(await subscriber.texts(2)).toEqual(['once 1', 'once 2']);
    await subscriber.expectSilence();
  });

  it('answer a PUBREC of an unknown id with PUBREL 0x92 [MQTT-3.6.2-1]', async () => {
    const client = await broker.connect(5);
    client.acknowledges = false;
    client.answer(PacketType.pubrec, 99);
    expect(await client.next(PacketType.pubrel)).toMatchObject({
      packetId: 99,
      reasonCode: ReasonCode.packetIdNotFound,
    });
    client.answer(PacketType.puback, 99);
    client.answer(PacketType.pubcomp, 99);
    await client.expectSilence();
  });

  it.each([
    ['PUBREC for QoS 1', 1, PacketType.pubrec],
    ['PUBCOMP for QoS 1', 1, PacketType.pubcomp],
    ['PUBACK for QoS 2', 2, PacketType.puback],
    ['PUBCOMP before PUBREC', 2, PacketType.pubcomp],
  ] as const)('end the connection of who acknowledges wrongly: %s', async (_, qos, type) => {
    for (const version of VERSIONS) {
      const client = await broker.connect(version, {}, false);
      await client.subscribe('wrongly', qos);
      const publisher = await broker.connect(version);
      await publisher.publishSafely('wrongly', 'y', { qos });
      const { packetId } = await client.message();
      client.answer(type, packetId);
      if (version === 5) {
        const { reasonCode } = await client.next(PacketType.disconnect);
        expect(reasonCode).toBe(ReasonCode.protocolError);
      }
      await client.ended();
    }
  });

  it('end the connection of who acknowledges a released message as one of QoS 1, but not of who says PUBREC again', async () => {
    const client = await broker.connect(5, {}, false);
    await client.subscribe('released', 2);
    await (await broker.connect(5)).publishSafely('released', 'x', { qos: 2 });
    const { packetId } = await client.message();
    for (let count = 0; count < 2; count++) {
      client.answer(PacketType.pubrec, packetId);
      expect(await client.next(PacketType.pubrel)).toMatchObject({ packetId, reasonCode: 0 });
    }
    client.answer(PacketType.puback, packetId);
    expect(await client.next(PacketType.disconnect)).toMatchObject({ reasonCode: ReasonCode.protocolError });
  });

  it('say that nobody is subscribed, in version 5 only [MQTT-3.4.2-1] [MQTT-3.5.2-1]', async () => {
    const publisher = await broker.connect(5);
    expect(await publisher.publishSafely('nobody/1', 'x')).toBe(ReasonCode.noMatchingSubscribers);
    expect(await publisher.publishSafely('nobody/2', 'x', { qos: 2 })).toBe(ReasonCode.noMatchingSubscribers);
    const old = await broker.connect(4);
    expect(await old.publishSafely('nobody/1', 'x')).toBe(0);
  });

  it('end the connection of who exceeds the receive maximum and does not release, exactly there [MQTT-3.3.4-7]', async () => {
    const client = await broker.connect(5);
    for (let packetId = 1; packetId <= mqttReceiveMaximum; packetId++) {
      client.publish('flow', 'x', { qos: 2, packetId });
    }
    for (let packetId = 1; packetId <= mqttReceiveMaximum; packetId++) {
      expect(await client.next(PacketType.pubrec)).toMatchObject({ packetId });
    }
    client.publish('flow', 'x', { qos: 2, packetId: mqttReceiveMaximum + 1 });
    expect(await client.next(PacketType.disconnect)).toMatchObject({
      reasonCode: ReasonCode.receiveMaximumExceeded,
      properties: {
        reasonString: expect.stringMatching(/^receive-maximum-exceeded: 1025 messages of QoS 2/),
      },
    });
  });

  // paho-mqtt sends what waits at once, whatever the receive maximum is. It was cut off, and again after each reconnection.
  it.each([1, 2] as const)('of a backlog that is sent at once are all taken, QoS %i', async (qos) => {
    const count = 5_000;
    const subscriber = await broker.connect(5);
    await subscriber.subscribe('backlog', 2);
    const client = await broker.connect(5, undefined, false);
    for (let packetId = 1; packetId <= count; packetId++) {
      client.publish('backlog', `${packetId}`, { qos, packetId });
    }
    for (let packetId = 1; packetId <= count; packetId++) {
      if (qos === 1) expect(await client.next(PacketType.puback)).toMatchObject({ packetId, reasonCode: 0 });
    }
    if (qos === 2) {
      const released = new Set<number>();
      while (released.size < count) {
        const packet = await client.any();
        if (packet.type === PacketType.pubrec) client.answer(PacketType.pubrel, packet.packetId);
        else if (packet.type === PacketType.pubcomp) released.add(packet.packetId);
        else throw new Error(`type ${packet.type} came`);
      }
    }
    const expected = Array.from({ length: count }, (_, index) => `backlog ${index + 1}`);
    expect(await subscriber.texts(count)).toEqual(expected);
    await client.expectSilence();
  });

  it('never have more under way than the client takes [MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2] [MQTT-4.3.2-3] [MQTT-4.3.3-3] [MQTT-4.3.3-4] [MQTT-4.3.3-5]', async () => {
    const subscriber = await broker.connect(5, { properties: { receiveMaximum: 3 } });
    subscriber.acknowledges = false;
    await subscriber.subscribe('window', 2);
    const publisher = await broker.connect(5);
    for (let index = 0; index < 20; index++) {
      await publisher.publishSafely('window', String(index), { qos: index % 2 === 0 ? 1 : 2 });
    }
    const seen: string[] = [];
    for (let index = 0; index < 20; index++) {
      if (index < 3) continue;
      const { payload, packetId, qos } = await subscriber.message();
      seen.push(String(payload));
      if (qos === 1) {
        subscriber.answer(PacketType.puback, packetId);
      } else {
        subscriber.answer(PacketType.pubrec, packetId);
        await nextRelease();
        subscriber.answer(PacketType.pubcomp, packetId);
      }
      expect(subscriber.waiting.length).toBeLessThanOrEqual(3);
    }
    seen.push(...(await subscriber.messages(3)).map(({ payload }) => String(payload)));
    expect(seen).toEqual(Array.from({ length: 20 }, (_, index) => String(index)));
    await subscriber.expectSilence();

    /** PUBREL may stand behind messages that fill the window. */
    async function nextRelease(): Promise<void> {
      const before: Awaited<ReturnType<typeof subscriber.any>>[] = [];
      for (;;) {
        const packet = await subscriber.any();
        if (packet.type === PacketType.pubrel) break;
        before.push(packet);
      }
      subscriber.waiting.unshift(...before);
    }
  });

  it('give the place of a message that the client refuses to the next [MQTT-4.4.0-2]', async () => {
    const subscriber = await broker.connect(5, { properties: { receiveMaximum: 1 } });
    subscriber.acknowledges = false;
    await subscriber.subscribe('refused', 2);
    const publisher = await broker.connect(5);
    for (const payload of ['1', '2']) await publisher.publishSafely('refused', payload, { qos: 2 });
    const first = await subscriber.message();
    await subscriber.expectSilence();
    subscriber.answer(PacketType.pubrec, first.packetId, ReasonCode.quotaExceeded);
    expect(String((await subscriber.message()).payload)).toBe('2');
  });
});

describe('what may not be published', () => {
  it.each([1, 2] as const)('is answered with a reason in version 5, QoS %i', async (qos) => {
    const client = await broker.connect(5);
    client.publish('$SYS/broker/version', 'x', { qos });
    const answer = await client.next(qos === 1 ? PacketType.puback : PacketType.pubrec);
    expect(answer.reasonCode).toBe(ReasonCode.notAuthorized);
    expect(answer.properties.reasonString).toMatch(/^reserved-topic: topic '\$SYS\/broker\/version'/);
  });

  it('is acknowledged and lost before version 5, and the connection stays [MQTT-4.7.2-1]', async () => {
    const client = await broker.connect(4);
    await client.subscribe('#', 2);
    client.publish('$x', 'x');
    await client.publishSafely('$x', 'x');
    await client.publishSafely('$x', 'x', { qos: 2 });
    await client.expectSilence();
  });

  it.each([
    ['a wildcard [MQTT-3.3.2-2]', '30 06 0003 612f2b 00', ReasonCode.invalidTopicName],
    ['no UTF-8 [MQTT-1.5.4-1]', '30 04 0001 ff 00', ReasonCode.malformedPacket],
    ['NUL [MQTT-1.5.4-2]', '30 04 0001 00 00', ReasonCode.malformedPacket],
    ['packet id 0 [MQTT-2.2.1-3]', '32 07 0001 61 0000 00 00', ReasonCode.protocolError],
    ['a subscription identifier [MQTT-3.3.4-6]', '30 06 0001 61 02 0b 01', ReasonCode.protocolError],
    ['an alias that stands for nothing', '30 06 0000 03 23 0001', ReasonCode.protocolError],
    ['alias 0 [MQTT-3.3.2-8]', '30 06 0000 03 23 0000', ReasonCode.invalidTopicAlias],
    ['an alias beyond ours [MQTT-3.3.2-9]', '30 07 0001 61 03 23 ffff', ReasonCode.invalidTopicAlias],
  ])('ends the connection: %s', async (_, hex, reasonCode) => {
    const client = await broker.connect(5);
    client.bytes(hex);
    expect(await client.next(PacketType.disconnect)).toMatchObject({ reasonCode });
    await client.ended();
  });
});

describe('properties', () => {
  const properties = {
    payloadFormatIndicator: 1,
    contentType: 'text/plain',
    responseTopic: 'answers/1',
    correlationData: Buffer.from([0, 1, 255]),
    userProperties: [
      ['b', '1'],
      ['a', '2'],
      ['b', '1'],
    ] as [string, string][],
  };

  it.each([0, 1, 2] as const)(
    'arrive as they were sent, in order, QoS %i [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]',
    async (qos) => {
      const subscriber = await broker.connect(5);
      await subscriber.subscribe('props', 2);
      const old = await broker.connect(4);
      await old.subscribe('props', 2);
      const publisher = await broker.connect(5);
      publisher.publish('props', 'x', { qos, properties });
      const message = await subscriber.message();
      expect(message).toMatchObject({ qos });
      expect(message.properties).toEqual(properties);
      expect(await old.texts(1)).toEqual(['props x']);
    },
  );

  it('are not on PUBACK', async () => {
    const publisher = await broker.connect(5);
    publisher.publish('props', 'x', { qos: 1, properties });
    expect((await publisher.next(PacketType.puback)).properties).toEqual({});
  });

  it('have the time that is left of a message [MQTT-3.3.2-6]', async () => {
    const subscriber = await broker.connect(5);
    await subscriber.subscribe('expiry', 1);
    const publisher = await broker.connect(5);
    publisher.publish('expiry', 'x', { properties: { messageExpiryIntervalS: 100 } });
    const { messageExpiryIntervalS } = (await subscriber.message()).properties;
    expect(messageExpiryIntervalS).toBeLessThanOrEqual(100);
    expect(messageExpiryIntervalS).toBeGreaterThan(90);
  });

  it("have a publisher's alias for itself only, and it never reaches a subscriber [MQTT-3.3.2-12] [MQTT-3.1.2-27]", async () => {
    const subscriber = await broker.connect(5);
    await subscriber.subscribe('alias/#', 1);
    const publisher = await broker.connect(5);
    publisher.publish('alias/a', '1', { properties: { topicAlias: 3 } });
    publisher.publish('', '2', { properties: { topicAlias: 3 } });
    publisher.publish('', '3', { qos: 1, properties: { topicAlias: 3 } });
    publisher.publish('alias/b', '4', { properties: { topicAlias: 3 } });
    publisher.publish('', '5', { properties: { topicAlias: 3 } });
    const messages = await subscriber.messages(5);
    expect(messages.map(({ topic, payload }) => `${topic} ${payload}`)).toEqual([
      'alias/a 1',
      'alias/a 2',
      'alias/a 3',
      'alias/b 4',
      'alias/b 5',
    ]);
    for (const message of messages) expect(message.properties.topicAlias).toBeUndefined();
  });

  it('have aliases of the broker for a subscriber that takes some, no more than it takes [MQTT-3.1.2-26] [MQTT-3.3.2-11]', async () => {
    const subscriber = await broker.connect(5, { properties: { topicAliasMaximum: 2 } });
    await subscriber.subscribe('out/#');
    const publisher = await broker.connect(5);
    for (const topic of ['out/1', 'out/2', 'out/3', 'out/1', 'out/2', 'out/3']) publisher.publish(topic, 'x');
    const messages = await subscriber.messages(6);
    expect(messages.map(({ topic, properties: { topicAlias } }) => `${topic}:${topicAlias}`)).toEqual([
      'out/1:1',
      'out/2:2',
      'out/3:undefined',
      ':1',
      ':2',
      'out/3:undefined',
    ]);
  });

  it('leave out what is larger than a subscriber takes, and go on [MQTT-3.1.2-24] [MQTT-3.1.2-25]', async () => {
    const subscriber = await broker.connect(5, {
      properties: { maximumPacketSizeBytes: 50, receiveMaximum: 1 },
    });
    await subscriber.subscribe('size', 1);
    const publisher = await broker.connect(5);
    for (const qos of [0, 1] as const) {
      publisher.publish('size', 'x'.repeat(60), { qos });
      publisher.publish('size', 'small', { qos });
      expect(await subscriber.texts(1)).toEqual(['size small']);
    }
    await subscriber.expectSilence();
  });
});
