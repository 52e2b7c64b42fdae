import { describe, expect, it } from 'vitest';
import type { Guard } from '../../internal/access/guard.ts';
import { PacketType, type Publish } from '../../internal/protocol/mqtt/packet.ts';
import { ReasonCode } from '../../internal/protocol/mqtt/reason-codes.ts';
import { eventually } from '../support/eventually.ts';
import { useBroker } from './broker.ts';
import type { RawMqtt } from './client.ts';

const guard: Guard = {
  mayConnect: () => undefined,
  mayPublish: () => undefined,
  maySubscribe: (_, filter) => (filter === 'log/secret' ? 'secrets are not told' : undefined),
};
const broker = useBroker({ logs: [{ filter: 'log/#' }], memory: true, sessionQueue: 20, guard });

/** Fills the log of a topic with numbers from 0 on. */
async function fill(topic: string, count: number): Promise<void> {
  const publisher = await broker.connect(5, { clientId: 'filler' });
  for (let number = 0; number < count; number++) publisher.publish(topic, String(number), { qos: 1 });
  for (let number = 0; number < count; number++) await publisher.next(PacketType.puback);
  publisher.drop();
}

/** A client that acknowledges nothing by itself, and takes a few messages at once. */
function slow(receiveMaximum: number, clientId = 'slow'): Promise<RawMqtt> {
  const properties = { receiveMaximum, sessionExpiryIntervalS: 100 };
  return broker.connect(5, { clientId, properties, cleanStart: false }, false);
}

function acknowledge(client: RawMqtt, { qos, packetId }: Publish): void {
  client.answer(qos === 2 ? PacketType.pubrec : PacketType.puback, packetId);
}

describe('a replay', () => {
  it.each([
    ['$replay/earliest/log/#', undefined],
    ['$stream/log/#', 'earliest'],
    ['$stream/log/#', '0'],
  ])('brings what a log keeps, then what comes, with its properties: %s %s', async (filter, offset) => {
    const publisher = await broker.connect(5);
    const text = `${filter} ${offset}`;
    const properties = { contentType: 'text/plain', userProperties: [['k', 'v']] as [string, string][] };
    await publisher.publishSafely('log/a', text, { properties });
    const reader = await broker.connect(5);
    const { reasonCodes } = await reader.subscribe(
      filter,
      1,
      {},
      offset === undefined ? {} : { userProperties: [['stream-offset', offset]] },
    );
    expect(reasonCodes).toEqual([1]);
    let message = await reader.message();
    while (String(message.payload) !== text) message = await reader.message();
    const [own, ...place] = message.properties.userProperties!;
    expect({ ...message.properties, userProperties: [own] }).toEqual(properties);
    expect(place).toEqual([
      ['tinymq.log', 'log.a'],
      ['tinymq.partition', '0'],
      ['tinymq.offset', expect.stringMatching(/^\d+$/)],
      ['tinymq.published-at', expect.stringMatching(/^\d{13}$/)],
    ]);
    publisher.publish('log/a', 'live');
    expect(await reader.texts(1)).toEqual(['log/a live']);
  });

  it.each([0, 1] as const)(
    'tells its place once, and not where a packet would be too large, QoS %i',
    async (qos) => {
      const publisher = await broker.connect(5);
      const topic = `log/place-${qos}`;
      const userProperties: [string, string][] = [
        ['tinymq.offset', 'of another log'],
        ['k', 'v'],
      ];
      await publisher.publishSafely(topic, 'x'.repeat(60), { properties: { userProperties } });
      await publisher.publishSafely(topic, 'short');
      const placesSeenBy = async (maximumPacketSizeBytes: number) => {
        const reader = await broker.connect(5, { properties: { maximumPacketSizeBytes } });
        await reader.subscribe(`$replay/earliest/${topic}`, qos);
        const messages = [await reader.message(), await reader.message()];
        return messages.map(({ properties }) => {
          const told = properties.userProperties ?? [];
          return told.filter(([name]) => name !== 'tinymq.log' && name !== 'tinymq.published-at');
        });
      };
      expect(await placesSeenBy(100_000)).toEqual([
        [
          ['k', 'v'],
          ['tinymq.partition', '0'],
          ['tinymq.offset', '0'],
        ],
        [
          ['tinymq.partition', '0'],
          ['tinymq.offset', '1'],
        ],
      ]);
      expect((await placesSeenBy(140))[0]).toEqual(userProperties);
    },
  );

  it('tells an older client nothing but the message', async () => {
    const publisher = await broker.connect(5);
    await publisher.publishSafely('log/older', 'x');
    const reader = await broker.connect(4);
    await reader.subscribe('$replay/earliest/log/older');
    expect((await reader.message()).properties).toEqual({});
  });

  it('starts with what comes where nothing is said, and ends with UNSUBSCRIBE', async () => {
    const publisher = await broker.connect(5);
    await publisher.publishSafely('log/b', 'old');
    const reader = await broker.connect(5);
    await reader.subscribe('$stream/log/b');
    publisher.publish('log/b', 'new');
    expect(await reader.texts(1)).toEqual(['log/b new']);
    reader.send({ type: PacketType.unsubscribe, packetId: 9, filters: ['$stream/log/b'], properties: {} });
    expect((await reader.next(PacketType.unsuback)).reasonCodes).toEqual([0]);
    await publisher.publishSafely('log/b', 'unheard');
    await reader.expectSilence();
  });

  it.each(['$replay/earliest/log/secret', '$stream/log/secret'])(
    'is not for everybody: %s',
    async (filter) => {
      const reader = await broker.connect(5);
      const { reasonCodes } = await reader.subscribe(filter, 1);
      expect(reasonCodes).toEqual([ReasonCode.notAuthorized]);
    },
  );

  it('is refused where it makes no sense', async () => {
    const reader = await broker.connect(5);
    const { reasonCodes, properties } = await reader.subscribe('$replay/nonsense/log/#');
    expect(reasonCodes).toEqual([ReasonCode.invalidTopicFilter]);
    expect(properties.reasonString).toMatch(/^invalid-filter: .*a replay starts at/);
  });
});

describe('a replay with QoS', () => {
  it.each([1, 2] as const)(
    '%i comes in order, at that QoS, with the identifier of its subscription [MQTT-3.3.4-3] [MQTT-4.9.0-1]',
    async (qos) => {
      await fill(`log/order/${qos}`, 300);
      const properties = { receiveMaximum: 7 };
      const reader = await broker.connect(5, { properties });
      const { reasonCodes } = await reader.subscribe(
        `$replay/earliest/log/order/${qos}`,
        qos,
        {},
        { subscriptionIdentifiers: [42] },
      );
      expect(reasonCodes).toEqual([qos]);
      for (let number = 0; number < 300; number++) {
        const message = await reader.message();
        expect(message).toMatchObject({ qos, dup: false, retain: false });
        expect(message.properties.subscriptionIdentifiers).toEqual([42]);
        expect(String(message.payload)).toBe(String(number));
      }
      await fill(`log/order/${qos}`, 1);
      expect(await reader.message()).toMatchObject({ qos });
      await reader.expectSilence();
    },
  );

  it('is read as the client acknowledges it, behind live messages, of which none is lost', async () => {
    await fill('log/slow', 200);
    const reader = await slow(2);
    await reader.subscribe('live', 1);
    await reader.subscribe('$replay/earliest/log/slow', 1);
    const sent = await reader.messages(2);
    await reader.expectSilence();
    const publisher = await broker.connect(5);
    for (let number = 0; number < 15; number++) await publisher.publishSafely('live', `live ${number}`);
    const texts: string[] = [];
    for (const message of sent) acknowledge(reader, message);
    while (texts.length < 213) {
      const message = await reader.message();
      texts.push(String(message.payload));
      acknowledge(reader, message);
    }
    const live = Array.from({ length: 15 }, (_, number) => `live ${number}`);
    const replayed = Array.from({ length: 198 }, (_, number) => String(number + 2));
    expect(texts).toEqual([...live, ...replayed]);
    await reader.expectSilence();
    expect(broker.stat('messages_dropped_total')).toBe(0);
  });

  it('ends with its connection; what was sent and not acknowledged is sent again [MQTT-4.4.0-1]', async () => {
    await fill('log/lost', 50);
    const first = await slow(3, 'lost');
    await first.subscribe('$replay/earliest/log/lost', 2);
    const [received, open, other] = await first.messages(3);
    first.answer(PacketType.pubrec, received.packetId);
    await first.next(PacketType.pubrel);
    first.drop();
    const second = await slow(3, 'lost');
    expect((await second.next(PacketType.pubrel)).packetId).toBe(received.packetId);
    for (const { packetId, payload } of [open, other]) {
      expect(await second.message()).toMatchObject({ packetId, payload, dup: true, qos: 2 });
    }
    second.acknowledges = true;
    second.answer(PacketType.pubcomp, received.packetId);
    for (const { packetId } of [open, other]) second.answer(PacketType.pubrec, packetId);
    await second.expectSilence();
    const publisher = await broker.connect(5);
    await publisher.publishSafely('log/lost', 'unheard');
    await second.expectSilence();
  });

  it('asked for again goes on where it is with the new options [MQTT-3.8.4-3] [MQTT-3.8.4-4]', async () => {
    await fill('log/again', 3);
    const reader = await broker.connect(5);
    await reader.subscribe('$replay/earliest/log/again', 0);
    expect(await reader.messages(3)).toMatchObject([{ qos: 0 }, { qos: 0 }, { qos: 0 }]);
    const { reasonCodes } = await reader.subscribe('$replay/earliest/log/again', 2);
    expect(reasonCodes).toEqual([2]);
    await fill('log/again', 1);
    expect(await reader.message()).toMatchObject({ qos: 2 });
    await reader.expectSilence();
  });

  it('takes its turn with others of the same client', async () => {
    for (const name of ['a', 'b']) await fill(`log/turns/${name}`, 20);
    const reader = await broker.connect(5, { properties: { receiveMaximum: 1 } });
    const options = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    const subscriptions = ['a', 'b'].map((name) => ({
      filter: `$replay/earliest/log/turns/${name}`,
      ...options,
    }));
    reader.send({ type: PacketType.subscribe, packetId: 1, subscriptions, properties: {} });
    await reader.next(PacketType.suback);
    const topics = (await reader.messages(40)).map(({ topic }) => topic);
    expect(topics.indexOf('log/turns/b')).toBeLessThan(topics.lastIndexOf('log/turns/a'));
    expect(topics.indexOf('log/turns/a')).toBeLessThan(topics.lastIndexOf('log/turns/b'));
  });
});

describe('what a replay brings', () => {
  it('leaves out what has expired, and tells how long the rest is wanted [MQTT-3.3.2-5] [MQTT-3.3.2-6]', async () => {
    const publisher = await broker.connect(5);
    for (const [payload, messageExpiryIntervalS] of [
      ['short', 1],
      ['long', 100],
    ] as const) {
      await publisher.publishSafely('log/expiry', payload, { properties: { messageExpiryIntervalS } });
    }
    await eventually(async () => (await firstOf('log/expiry')) !== 'short', 'the end of a message');
    const reader = await broker.connect(5);
    await reader.subscribe('$replay/earliest/log/expiry', 1);
    const message = await reader.message();
    expect(String(message.payload)).toBe('long');
    expect(message.properties.messageExpiryIntervalS).toBeLessThan(100);
    expect(message.properties.messageExpiryIntervalS).toBeGreaterThan(0);
  });

  it('is without what the client itself published, if it wants none of that [MQTT-3.8.3-3]', async () => {
    const reader = await broker.connect(5, { clientId: 'local' });
    await reader.publishSafely('log/local', 'own');
    await fill('log/local', 1);
    await reader.subscribe('$replay/earliest/log/local', 1, { noLocal: true });
    expect(await reader.texts(1)).toEqual(['log/local 0']);
    await reader.subscribe('$stream/log/local', 1, {}, { userProperties: [['stream-offset', 'earliest']] });
    expect(await reader.texts(2)).toEqual(['log/local own', 'log/local 0']);
  });

  it('begins where stream-offset says, in our words and in those of EMQX', async () => {
    const publisher = await broker.connect(5);
    await publisher.publishSafely('log/offsets', 'old');
    const oldAt = Date.now();
    await eventually(async () => Date.now() > oldAt, 'the next millisecond');
    const betweenAt = Date.now();
    await publisher.publishSafely('log/offsets', 'new');
    for (const [offset, first] of [
      ['earliest', 'old'],
      ['0', 'old'],
      ['1', 'new'],
      ['-1h', 'old'],
      [new Date(betweenAt).toISOString(), 'new'],
      [String(betweenAt), 'new'],
      [String(betweenAt * 1000), 'new'],
      [String((betweenAt - 60_000) * 1000), 'old'],
    ]) {
      const reader = await broker.connect(5);
      await reader.subscribe('$stream/log/offsets', 1, {}, { userProperties: [['stream-offset', offset]] });
      expect([offset, ...(await reader.texts(1))]).toEqual([offset, `log/offsets ${first}`]);
      reader.drop();
    }
    const reader = await broker.connect(5);
    const latest = { userProperties: [['stream-offset', 'latest']] as [string, string][] };
    await reader.subscribe('$stream/log/offsets', 1, {}, latest);
    await reader.expectSilence();
    for (const offset of ['sometimes', '', '1/2', '99999999999999999999']) {
      const { reasonCodes } = await reader.subscribe(
        '$stream/log/x',
        1,
        {},
        {
          userProperties: [['stream-offset', offset]],
        },
      );
      expect([offset, ...reasonCodes]).toEqual([offset, ReasonCode.invalidTopicFilter]);
    }
  });
});

/** The first message that a replay of a topic brings now. */
async function firstOf(topic: string): Promise<string> {
  const reader = await broker.connect(5);
  await reader.subscribe(`$replay/earliest/${topic}`);
  const { payload } = await reader.message();
  reader.drop();
  return String(payload);
}
