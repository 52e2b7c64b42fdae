import { describe, expect, it } from 'vitest';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { useBroker } from './broker.ts';

const broker = useBroker({ slowConsumerWaitMs: 200, channelSize: 100, sessionQueue: 20_000 });

describe('a subscriber that does not read', () => {
  it.each([1, 2] as const)(
    'gets all of thousands of messages later, in order, QoS %i; others go on',
    async (qos) => {
      const slow = await broker.connect(5);
      await slow.subscribe(`slow/${qos}`, qos);
      const quick = await broker.connect(4);
      await quick.subscribe(`slow/${qos}`, qos);
      slow.stream.pause();
      const publisher = await broker.connect(5);
      const count = 5_000;
      const padding = 'x'.repeat(1_000);
      let answered = 0;
      for (let index = 0; index < count; index++) {
        publisher.publish(`slow/${qos}`, `${index} ${padding}`, { qos: 1 });
        for (; index - answered > 500; answered++) await publisher.next(PacketType.puback);
      }
      for (; answered < count; answered++) await publisher.next(PacketType.puback);
      expect(await quick.messages(count)).toHaveLength(count);
      slow.stream.resume();
      const payloads = (await slow.messages(count)).map(({ payload }) =>
        Number(String(payload).split(' ')[0]),
      );
      expect(payloads).toEqual(Array.from({ length: count }, (_, index) => index));
      expect(broker.stat('messages_dropped_total')).toBe(0);
    },
    60_000,
  );

  it('loses messages of QoS 0 when it is slow, none silently, and none of QoS 1', async () => {
    const slow = await broker.connect(5);
    await slow.subscribe('mixed', 1);
    slow.stream.pause();
    const publisher = await broker.connect(5);
    const before = broker.stat('messages_dropped_total');
    const large = 'x'.repeat(50_000);
    for (let index = 0; index < 200; index++) {
      publisher.publish('mixed', large);
      await publisher.publishSafely('mixed', String(index));
    }
    slow.stream.resume();
    const texts: string[] = [];
    let plain = 0;
    slow.send({ type: PacketType.pingreq });
    let hasAnswer = false;
    while (texts.length < 200 || !hasAnswer) {
      const packet = await slow.any();
      if (packet.type !== PacketType.publish) hasAnswer = true;
      else if (packet.qos === 1) texts.push(String(packet.payload));
      else plain++;
    }
    expect(texts).toEqual(Array.from({ length: 200 }, (_, index) => String(index)));
    expect(plain + broker.stat('messages_dropped_total') - before).toBe(200);
    expect(broker.stat('messages_dropped_total') - before).toBeGreaterThan(0);
  }, 60_000);
});
