import { describe, expect, it } from 'vitest';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { ReasonCode } from '../../internal/protocol/mqtt/reason-codes.ts';
import { connectRaw } from '../support/raw-client.ts';
import { useBroker } from './broker.ts';

const broker = useBroker({ logs: [{ filter: 'log/#' }], memory: true });

describe('messages cross between the doors', () => {
  it.each([4, 5] as const)('from frames to MQTT, version %i, and back', async (version) => {
    const mqtt = await broker.connect(version, { clientId: `mqtt-${version}` });
    await mqtt.subscribe('cross/#', 2);
    const frames = await connectRaw(broker.url, `frames-${version}`);
    await frames.subscribe('cross/+');
    for (let index = 0; index < 100; index++) frames.publish(`cross/${index % 3}`, `ü${index}`);
    const expected = Array.from({ length: 100 }, (_, index) => `cross/${index % 3} ü${index}`);
    expect(await mqtt.texts(100)).toEqual(expected);
    for (const text of expected) {
      const [topic, payload] = text.split(' ');
      expect(await frames.message()).toEqual([topic, payload, `frames-${version}`]);
    }
    for (const qos of [0, 1, 2] as const) {
      mqtt.publish('cross/x', String(qos), { qos, packetId: 10 + qos });
      expect(await frames.message()).toEqual(['cross/x', String(qos), `mqtt-${version}`]);
    }
    frames.stream.destroy();
  });

  it('a group may have members of both doors', async () => {
    const mqtt = await broker.connect(5);
    await mqtt.subscribe('$share/g/both', 1);
    const frames = await connectRaw(broker.url, 'group-frames');
    await frames.subscribe('$share/g/both');
    const publisher = await broker.connect(4);
    for (let index = 0; index < 10; index++) await publisher.publishSafely('both', String(index));
    expect(await mqtt.texts(5)).toHaveLength(5);
    expect(await frames.messages(5)).toHaveLength(5);
    frames.stream.destroy();
  });

  it('a client id belongs to one connection, whatever it speaks', async () => {
    const mqtt = await broker.connect(5, { clientId: 'same' });
    const frames = await connectRaw(broker.url, 'same');
    const { reasonCode } = await mqtt.next(PacketType.disconnect);
    expect(reasonCode).toBe(ReasonCode.sessionTakenOver);
    const again = await broker.connect(4, { clientId: 'same' });
    expect(await frames.expectRefusal()).toMatch(/^taken-over: /);
    await again.expectSilence();
  });
});

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
    expect(reasonCodes).toEqual([0]);
    let message = await reader.message();
    while (String(message.payload) !== text) message = await reader.message();
    expect(message.properties).toEqual(properties);
    publisher.publish('log/a', 'live');
    expect(await reader.texts(1)).toEqual(['log/a live']);
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

  it('is refused where it makes no sense', async () => {
    const reader = await broker.connect(5);
    const { reasonCodes, properties } = await reader.subscribe('$replay/nonsense/log/#');
    expect(reasonCodes).toEqual([ReasonCode.invalidTopicFilter]);
    expect(properties.reasonString).toMatch(/^invalid-filter: .*a replay starts at/);
  });
});
