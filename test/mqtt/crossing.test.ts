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
