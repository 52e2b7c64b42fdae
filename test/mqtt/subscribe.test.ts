import { describe, expect, it } from 'vitest';
import type { Guard } from '../../internal/access/guard.ts';
import { PacketType, VERSIONS } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import { ReasonCode } from '../../internal/protocol/mqtt/reason-codes.ts';
import { useBroker } from './broker.ts';

const guard: Guard = {
  mayConnect: () => undefined,
  mayPublish: (_, topic) => (topic === 'forbidden' ? 'nobody writes there' : undefined),
  maySubscribe: (_, filter) => (filter === 'forbidden/#' ? 'nobody reads there' : undefined),
};
const broker = useBroker({ guard });
const plain = { noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;

describe('SUBSCRIBE', () => {
  it.each([...VERSIONS])(
    'answers each filter in order [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] [MQTT-3.9.3-2] [MQTT-2.2.1-6] [MQTT-4.7.1-1] [MQTT-4.7.3-1], version %i',
    async (version) => {
      const client = await broker.connect(version);
      client.send({
        type: PacketType.subscribe,
        packetId: 77,
        subscriptions: [
          { filter: 'a', qos: 0, ...plain },
          { filter: 'a/#/b', qos: 1, ...plain },
          { filter: 'forbidden/#', qos: 1, ...plain },
          { filter: '', qos: 1, ...plain },
          { filter: 'b', qos: 2, ...plain },
        ],
        properties: NO_PROPERTIES,
      });
      const { packetId, reasonCodes, properties } = await client.next(PacketType.suback);
      expect(packetId).toBe(77);
      if (version === 5) {
        const { invalidTopicFilter, notAuthorized } = ReasonCode;
        expect(reasonCodes).toEqual([0, invalidTopicFilter, notAuthorized, invalidTopicFilter, 2]);
        expect(properties.reasonString).toBe(
          "invalid-filter: filter 'a/#/b': # must be the whole last level; " +
            "not-authorized: filter 'forbidden/#': nobody reads there; " +
            "invalid-filter: filter '': a filter has at least one byte",
        );
      } else {
        expect(reasonCodes).toEqual([0, 0x80, 0x80, 0x80, 2]);
      }
    },
  );

  it('replaces a subscription with the same filter [MQTT-3.8.4-3]', async () => {
    const client = await broker.connect(5);
    await client.subscribe('same', 2, {}, { subscriptionIdentifiers: [1] });
    await client.subscribe('same', 1);
    client.publish('same', 'x', { qos: 2, packetId: 9 });
    const packets = [await client.any(), await client.any()];
    expect(packets).toContainEqual(expect.objectContaining({ qos: 1, properties: {} }));
    client.answer(PacketType.pubrel, 9);
    await client.next(PacketType.pubcomp);
    await client.expectSilence();
  });

  it.each([4, 5] as const)(
    'joins overlapping subscriptions: one copy with the highest QoS [MQTT-3.3.4-2] [MQTT-3.3.4-3] [MQTT-3.3.4-4], version %i',
    async (version) => {
      const client = await broker.connect(version);
      const identified = (id: number) => (version === 5 ? { subscriptionIdentifiers: [id] } : NO_PROPERTIES);
      await client.subscribe('o/#', 0, {}, identified(1));
      await client.subscribe('o/+', 2, {}, identified(200));
      await client.subscribe('o/a', 1);
      const publisher = await broker.connect(version);
      await publisher.publishSafely('o/a', 'x', { qos: 2 });
      const { qos, properties } = await client.message();
      expect(qos).toBe(2);
      if (version === 5) expect(properties.subscriptionIdentifiers).toEqual([1, 200]);
      publisher.publish('o/a', 'y');
      expect((await client.message()).qos).toBe(0);
      await client.expectSilence();
    },
  );

  it.each([
    ['a/+/#', ['a/b', 'a//c', 'a/'], ['a', 'b/a']],
    ['+/b', ['/b', 'a/b'], ['b', 'a/b/']],
    ['/+', ['/', '/x'], ['x', '/x/']],
    ['#', ['a', '/a'], ['$x']],
  ])(
    'matches by the rules [MQTT-3.3.2-3] [MQTT-4.7.1-2] [MQTT-4.7.2-1] [MQTT-4.7.3-4]: %s',
    async (filter, matching, others) => {
      const client = await broker.connect(4);
      await client.subscribe(filter);
      const publisher = await broker.connect(4);
      for (const topic of [...others, ...matching]) publisher.publish(topic, topic);
      expect(await client.texts(matching.length)).toEqual(matching.map((topic) => `${topic} ${topic}`));
      await client.expectSilence();
    },
  );

  it('leaves out what the client itself published, where it wants that [MQTT-3.8.3-3]', async () => {
    const client = await broker.connect(5);
    const other = await broker.connect(5);
    await client.subscribe('local/#', 1, { noLocal: true });
    for (const qos of [0, 1] as const) {
      client.publish('local/mine', 'x', { qos, packetId: qos });
      if (qos === 1) await client.next(PacketType.puback);
      other.publish('local/theirs', 'x', { qos });
      expect(await client.texts(1)).toEqual(['local/theirs x']);
    }
    await client.expectSilence();
  });

  it('has no reserved bits in its options [MQTT-3.8.3-5]', async () => {
    const client = await broker.connect(5);
    client.bytes('82 07 0001 00 0001 61 40');
    expect(await client.next(PacketType.disconnect)).toMatchObject({
      reasonCode: ReasonCode.malformedPacket,
    });
  });

  it('is told when it may not publish, without being disconnected', async () => {
    const client = await broker.connect(5);
    client.publish('forbidden', 'x');
    expect(await client.publishSafely('forbidden', 'x')).toBe(ReasonCode.notAuthorized);
    expect(await client.publishSafely('forbidden', 'x', { qos: 2 })).toBe(ReasonCode.notAuthorized);
    await client.expectSilence();
    const other = await broker.open(5);
    const will = {
      topic: 'forbidden',
      payload: Buffer.from('x'),
      qos: 0,
      retain: false,
      properties: {},
    } as const;
    expect((await other.connect({ will })).reasonCode).toBe(ReasonCode.notAuthorized);
  });
});

describe('UNSUBSCRIBE', () => {
  it.each([...VERSIONS])(
    'ends a subscription and says whether there was one [MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6] [MQTT-3.11.3-1] [MQTT-3.11.3-2], version %i',
    async (version) => {
      const client = await broker.connect(version);
      await client.subscribe('u/a', 1);
      client.send({
        type: PacketType.unsubscribe,
        packetId: 5,
        filters: ['u/a', 'u/b', 'u/#/c'],
        properties: NO_PROPERTIES,
      });
      const { packetId, reasonCodes, properties } = await client.next(PacketType.unsuback);
      expect(packetId).toBe(5);
      expect(properties.reasonString).toBe(
        version === 5 ? "invalid-filter: filter 'u/#/c': # must be the whole last level" : undefined,
      );
      const { noSubscriptionExisted, invalidTopicFilter } = ReasonCode;
      expect(reasonCodes).toEqual(version === 5 ? [0, noSubscriptionExisted, invalidTopicFilter] : []);
      client.publish('u/a', 'x');
      await client.expectSilence();
    },
  );
});

describe('a shared subscription', () => {
  it.each([0, 1, 2] as const)(
    'gives each message to one member, in turn, with its QoS [MQTT-4.8.2-3], QoS %i',
    async (qos) => {
      const members = [await broker.connect(5), await broker.connect(4), await broker.connect(5)];
      for (const member of members) await member.subscribe(`$share/g${qos}/shared/#`, qos);
      const publisher = await broker.connect(5);
      for (let index = 0; index < 30; index++) publisher.publish(`shared/${index}`, 'x', { qos });
      const topics: string[] = [];
      for (const member of members) topics.push(...(await member.texts(10)));
      expect(new Set(topics).size).toBe(30);
      for (const member of members) await member.expectSilence();
    },
  );

  it('is another subscription than one of the same filter', async () => {
    const client = await broker.connect(5);
    await client.subscribe('$share/g/both', 0, {}, { subscriptionIdentifiers: [1] });
    await client.subscribe('both', 0, {}, { subscriptionIdentifiers: [2] });
    client.publish('both', 'x');
    const messages = await client.messages(2);
    const identifiers = messages.map(({ properties }) => properties.subscriptionIdentifiers);
    expect(identifiers.sort()).toEqual([[1], [2]]);
    await client.expectSilence();
  });

  it('gives the messages that a member did not acknowledge to another when it is gone', async () => {
    const publisher = await broker.connect(5);
    const dying = await broker.connect(5, { properties: { receiveMaximum: 5 } });
    dying.acknowledges = false;
    await dying.subscribe('$share/g/work', 1);
    for (let index = 0; index < 20; index++) await publisher.publishSafely('work', String(index));
    await dying.messages(5);
    const heir = await broker.connect(5);
    await heir.subscribe('$share/g/work', 1);
    dying.drop();
    const texts = await heir.texts(20);
    expect(texts.sort()).toEqual(Array.from({ length: 20 }, (_, index) => `work ${index}`).sort());
    await heir.expectSilence();
  });

  it('passes over a member that is away while another is there', async () => {
    const away = await broker.connect(5, { clientId: 'away', properties: { sessionExpiryIntervalS: 100 } });
    await away.subscribe('$share/g/presence', 1);
    away.disconnect();
    await away.ended();
    const present = await broker.connect(5);
    await present.subscribe('$share/g/presence', 1);
    const publisher = await broker.connect(5);
    for (let index = 0; index < 6; index++) await publisher.publishSafely('presence', String(index));
    expect(await present.texts(6)).toHaveLength(6);
    present.disconnect();
    await present.ended();
    await publisher.publishSafely('presence', 'kept');
    const back = await broker.connect(5, {
      clientId: 'away',
      cleanStart: false,
      properties: { sessionExpiryIntervalS: 0 },
    });
    expect(await back.texts(1)).toEqual(['presence kept']);
  });

  it('has no No Local [MQTT-3.8.3-4], and a name [MQTT-4.8.2-1] [MQTT-4.8.2-2]', async () => {
    const client = await broker.connect(5);
    client.bytes('82 10 0001 00 000a 2473686172652f672f61 04');
    expect(await client.next(PacketType.disconnect)).toMatchObject({ reasonCode: ReasonCode.protocolError });
  });
});
