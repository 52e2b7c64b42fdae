import { describe, expect, it } from 'vitest';
import { maxFiltersPerSubscribe } from '../../internal/limits/mqtt.ts';
import { encodePacket } from '../../internal/protocol/mqtt/encode.ts';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import { ReasonCode } from '../../internal/protocol/mqtt/reason-codes.ts';
import { useBroker } from './broker.ts';

const LEVELS = 13;
const broker = useBroker({ sessionQueueBytes: 100_000 });

/** Every way to write some levels as `a` or `+`, and all below: a topic `a/a/…` matches all of them. */
function overlappingFilters(): string[] {
  return Array.from({ length: 2 ** LEVELS }, (_, number) => {
    const levels = Array.from({ length: LEVELS }, (_, level) => (((number >> level) & 1) === 1 ? '+' : 'a'));
    return [...levels, '#'].join('/');
  });
}

describe('what is costly', () => {
  // A client with 65,536 such filters and a publisher of a thousand topics kept everybody else waiting for minutes: all
  // that a chunk held was taken in one turn.
  it.each([0, 1] as const)(
    'is taken in turns with others: topics that match thousands of filters, QoS %i',
    async (qos) => {
      const subscriber = await broker.connect(5);
      const plain = { qos, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
      const subscriptions = overlappingFilters().map((filter) => ({ filter, ...plain }));
      const packetId = subscriber.newPacketId();
      const { subscribe } = PacketType;
      subscriber.send({ type: subscribe, packetId, subscriptions, properties: NO_PROPERTIES });
      await subscriber.next(PacketType.suback);
      const other = await broker.connect(5);
      const publisher = await broker.connect(5);
      const count = 200;
      const packets = Array.from({ length: count }, (_, index) =>
        encodePacket(
          {
            type: PacketType.publish,
            topic: `${'a/'.repeat(LEVELS)}${qos}/${index}`,
            payload: Buffer.from('x'),
            qos,
            packetId: qos === 0 ? 0 : index + 1,
            retain: false,
            dup: false,
            properties: NO_PROPERTIES,
          },
          5,
        ),
      );
      publisher.stream.write(Buffer.concat(packets));
      await subscriber.message();
      await other.expectSilence();
      expect(subscriber.waiting.length).toBeLessThan(count - 1);
      expect(await subscriber.messages(count - 1)).toHaveLength(count - 1);
    },
    60_000,
  );

  it('is bounded: filters of one SUBSCRIBE', async () => {
    const subscriber = await broker.connect(5);
    const plain = { qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    const count = maxFiltersPerSubscribe + 2;
    const subscriptions = Array.from({ length: count }, (_, index) => ({ filter: `f/${index}`, ...plain }));
    subscriber.send({ type: PacketType.subscribe, packetId: 1, subscriptions, properties: NO_PROPERTIES });
    const { reasonCodes } = await subscriber.next(PacketType.suback);
    expect(reasonCodes).toHaveLength(count);
    expect(reasonCodes.slice(-3)).toEqual([0, ReasonCode.quotaExceeded, ReasonCode.quotaExceeded]);
    expect((await subscriber.subscribe(`f/${count}`)).reasonCodes).toEqual([0]);
  });

  it('counts in the queue of a session: properties too', async () => {
    const options = { clientId: 'away', cleanStart: false, properties: { sessionExpiryIntervalS: 60 } };
    const away = await broker.connect(5, options);
    await away.subscribe('properties', 1);
    away.disconnect();
    await away.ended();
    const publisher = await broker.connect(5);
    for (let index = 0; index < 10; index++) {
      const properties = { correlationData: Buffer.alloc(30_000), userProperties: [] };
      await publisher.publishSafely('properties', String(index), { properties });
    }
    const back = await broker.connect(5, options);
    expect(await back.texts(3)).toEqual(['properties 0', 'properties 1', 'properties 2']);
    await back.expectSilence();
  });
});
