import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { connectRaw } from '../support/raw-client.ts';
import { useBroker } from './broker.ts';

const broker = useBroker();

describe('a retained message', () => {
  it.each([4, 5] as const)(
    'comes to a new subscription, marked, others do not [MQTT-3.3.1-8], with the lesser QoS, version %i',
    async (version) => {
      const publisher = await broker.connect(version);
      await publisher.publishSafely(`r${version}/1`, 'one', { retain: true, qos: 2 });
      await publisher.publishSafely(`r${version}/2/x`, 'two', { retain: true });
      await publisher.publishSafely(`r${version}/3`, 'not retained');
      const subscriber = await broker.connect(version);
      await subscriber.subscribe(`r${version}/#`, 1);
      const messages = await subscriber.messages(2);
      expect(
        messages.map(({ topic, payload, qos, retain }) => [topic, String(payload), qos, retain]),
      ).toEqual([
        [`r${version}/1`, 'one', 1, true],
        [`r${version}/2/x`, 'two', 1, true],
      ]);
      await publisher.publishSafely(`r${version}/1`, 'live', { retain: true });
      expect(await subscriber.message()).toMatchObject({ retain: false });
      await subscriber.expectSilence();
    },
  );

  it('is cleared by an empty one, which is delivered like any other [MQTT-3.3.1-6] [MQTT-3.3.1-7]', async () => {
    const client = await broker.connect(4);
    await client.publishSafely('clear', 'x', { retain: true });
    await client.subscribe('clear');
    expect(await client.message()).toMatchObject({ retain: true });
    await client.publishSafely('clear', '', { retain: true, qos: 2 }).catch(() => {});
    const again = await broker.connect(4);
    await again.subscribe('clear');
    await again.expectSilence();
  });

  it('comes again with each SUBSCRIBE, with the first only, or never: Retain Handling [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]', async () => {
    const client = await broker.connect(5);
    await client.publishSafely('handling', 'x', { retain: true });
    const other = await broker.connect(5);
    await other.subscribe('handling', 0, { retainHandling: 0 });
    await other.subscribe('handling', 0, { retainHandling: 0 }).catch(() => {});
    const second = await broker.connect(5);
    await second.subscribe('handling', 0, { retainHandling: 1 });
    expect(await second.texts(1)).toEqual(['handling x']);
    await second.subscribe('handling', 0, { retainHandling: 1 });
    await second.expectSilence();
    const third = await broker.connect(5);
    await third.subscribe('handling', 0, { retainHandling: 2 });
    await third.expectSilence();
  });

  it('says so live to who wants it as published [MQTT-3.3.1-12] [MQTT-3.3.1-13]', async () => {
    const client = await broker.connect(5);
    await client.subscribe('rap', 0, { retainAsPublished: true });
    const plain = await broker.connect(5);
    await plain.subscribe('rap');
    client.publish('rap', '1', { retain: true });
    client.publish('rap', '2');
    expect((await client.messages(2)).map(({ retain }) => retain)).toEqual([true, false]);
    expect((await plain.messages(2)).map(({ retain }) => retain)).toEqual([false, false]);
  });

  it('does not come to a shared subscription', async () => {
    const client = await broker.connect(5);
    await client.publishSafely('shared', 'x', { retain: true });
    await client.subscribe('$share/g/shared', 1);
    await client.expectSilence();
  });

  it('has the identifier of the subscription, its properties, and the time that is left; then it is gone', async () => {
    const publisher = await broker.connect(5);
    await publisher.publishSafely('gone', 'x', {
      retain: true,
      properties: { messageExpiryIntervalS: 1, contentType: 'text/plain' },
    });
    const subscriber = await broker.connect(5);
    await subscriber.subscribe('gone', 1, {}, { subscriptionIdentifiers: [7] });
    expect((await subscriber.message()).properties).toEqual({
      messageExpiryIntervalS: 1,
      contentType: 'text/plain',
      subscriptionIdentifiers: [7],
    });
    const before = broker.stat('retained_messages');
    await eventually(() => broker.stat('retained_messages') === before - 1, 'the end of the message');
    const late = await broker.connect(5);
    await late.subscribe('gone');
    await late.expectSilence();
  });

  it('comes to a subscriber of frames too', async () => {
    const publisher = await broker.connect(5);
    await publisher.publishSafely('frames/1', 'kept', { retain: true });
    const frames = await connectRaw(broker.url, 'frames-client');
    await frames.subscribe('frames/+');
    expect(await frames.message()).toEqual(['frames/1', 'kept', expect.any(String)]);
    frames.stream.destroy();
  });

  it('comes one by one where there are thousands, as fast as the client acknowledges', async () => {
    const publisher = await broker.connect(5);
    for (let index = 0; index < 3_000; index++) publisher.publish(`lots/${index}`, 'x', { retain: true });
    await publisher.expectSilence();
    const subscriber = await broker.connect(5, { properties: { receiveMaximum: 10 } });
    await subscriber.subscribe('lots/+', 1);
    const topics = await subscriber
      .messages(3_000)
      .then((messages) => new Set(messages.map(({ topic }) => topic)));
    expect(topics.size).toBe(3_000);
    const quick = await broker.connect(5);
    await quick.subscribe('lots/#');
    await quick.messages(3_000);
    await quick.expectSilence();
  });
});
