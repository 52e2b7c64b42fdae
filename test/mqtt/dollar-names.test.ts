import { describe, expect, it } from 'vitest';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { ReasonCode } from '../../internal/protocol/mqtt/reason-codes.ts';
import { useBroker } from './broker.ts';

const broker = useBroker();

// A device made for a cloud publishes to `$aws/things/…`. The broker refused all that begins with `$`, though MQTT asks
// for no more than that leading wildcards pass over it (section 4.7.2).
describe.each([4, 5] as const)('a name that begins with $ and is not the broker’s, version %i', (version) => {
  it.each(['$aws/things/pump/shadow/update', '$', '$SYSTEM/x', '$SYS/broker/connection/b/state'])(
    'is a topic like any other: %s',
    async (topic) => {
      const subscriber = await broker.connect(version);
      await subscriber.subscribe(topic, 2);
      const publisher = await broker.connect(version);
      publisher.publish(topic, 'q0');
      expect(await publisher.publishSafely(topic, 'q1')).toBe(0);
      expect(await publisher.publishSafely(topic, 'q2', { qos: 2 })).toBe(0);
      expect(await subscriber.texts(3)).toEqual(['q0', 'q1', 'q2'].map((payload) => `${topic} ${payload}`));
    },
  );

  it('is not matched by a leading wildcard, retained or not [MQTT-4.7.2-1]', async () => {
    const publisher = await broker.connect(version);
    await publisher.publishSafely('$aws/kept', 'before', { retain: true });
    const subscriber = await broker.connect(version);
    await subscriber.subscribe('#');
    await subscriber.subscribe('+/kept');
    await publisher.publishSafely('$aws/kept', 'after');
    await subscriber.expectSilence();
    await subscriber.subscribe('$aws/#');
    expect(await subscriber.texts(1)).toEqual(['$aws/kept before']);
    await publisher.publishSafely('$aws/kept', '', { retain: true });
  });
});

describe('the broker’s own names', () => {
  // PUBACK and PUBREC of these had a code and no reason.
  it.each([
    '$SYS',
    '$SYS/x',
    '$share/g/a',
    '$replay/earliest/a',
    '$stream/a',
    '$queue/a',
    '$delayed/1/a',
    '$dlq/a',
  ])('are refused with a reason: %s', async (topic) => {
    const client = await broker.connect(5);
    for (const [qos, type] of [
      [1, PacketType.puback],
      [2, PacketType.pubrec],
    ] as const) {
      client.publish(topic, 'x', { qos });
      const { reasonCode, properties } = await client.next(type);
      expect(reasonCode).toBe(ReasonCode.notAuthorized);
      expect(properties.reasonString).toBe(
        `reserved-topic: topic '${topic}': ${topic.split('/')[0]} and what is below it belong to the broker`,
      );
    }
  });
});
