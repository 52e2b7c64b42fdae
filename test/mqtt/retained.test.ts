import { describe, expect, it } from 'vitest';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import { eventually } from '../support/eventually.ts';
import { connectRaw } from '../support/raw-client.ts';
import { useBroker } from './broker.ts';
import type { RawMqtt } from './client.ts';

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

describe('retained messages that are still on their way', () => {
  const COUNT = 1_000;
  /** Few at once, so that the others wait where they are until these are acknowledged. */
  const properties = { receiveMaximum: 10, sessionExpiryIntervalS: 60 };

  async function retain(prefix: string): Promise<Set<string>> {
    const publisher = await broker.connect(4);
    const topics = new Set<string>();
    for (let index = 0; index < COUNT; index++) topics.add(`${prefix}/${index}`);
    for (const topic of topics) publisher.publish(topic, 'x', { retain: true, qos: 1 });
    await publisher.take(COUNT);
    return topics;
  }

  function unsubscribe(client: RawMqtt, filter: string): void {
    const packetId = client.newPacketId();
    client.send({ type: PacketType.unsubscribe, packetId, filters: [filter], properties: NO_PROPERTIES });
  }

  /** Acknowledges what came and all that follows; the topics of it, when nothing more comes. */
  async function rest(client: RawMqtt): Promise<string[]> {
    const topics: string[] = [];
    // What is sent for an acknowledgement may follow the answer to the ping behind it.
    for (let silentPings = 0; silentPings < 5; silentPings++) {
      client.send({ type: PacketType.pingreq });
      for (
        let packet = await client.any();
        packet.type !== PacketType.pingresp;
        packet = await client.any()
      ) {
        if (packet.type !== PacketType.publish) continue;
        topics.push(packet.topic);
        client.answer(PacketType.puback, packet.packetId);
        silentPings = 0;
      }
    }
    return topics;
  }

  it('come no more after UNSUBSCRIBE, but for those that were queued [MQTT-3.10.4-2]', async () => {
    await retain('unsubscribed');
    const client = await broker.connect(5, { properties }, false);
    await client.subscribe('unsubscribed/+', 1);
    unsubscribe(client, 'unsubscribed/+');
    expect((await rest(client)).length).toBeLessThan(COUNT / 2);
    // Nor where both requests come at once.
    const packetId = client.newPacketId();
    const plain = { noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    const subscriptions = [{ filter: 'unsubscribed/#', qos: 1, ...plain } as const];
    client.send({ type: PacketType.subscribe, packetId, subscriptions, properties: NO_PROPERTIES });
    unsubscribe(client, 'unsubscribed/#');
    expect((await rest(client)).length).toBeLessThan(COUNT / 2);
  });

  it('begin anew with the same SUBSCRIBE, and do not pile up', async () => {
    const topics = await retain('anew');
    const client = await broker.connect(5, { properties }, false);
    for (let time = 0; time < 50; time++) {
      client.send({
        type: PacketType.subscribe,
        packetId: client.newPacketId(),
        subscriptions: [
          { filter: 'anew/#', qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 },
        ],
        properties: NO_PROPERTIES,
      });
    }
    const came = await rest(client);
    expect(new Set(came)).toEqual(topics);
    expect(came.length).toBeLessThan(3 * COUNT);
  });

  it('come to the next connection of their session', async () => {
    const topics = await retain('resumed');
    const clientId = 'resuming';
    const first = await broker.connect(5, { clientId, properties }, false);
    await first.subscribe('resumed/#', 1);
    const before = (await first.messages(10)).map(({ topic }) => topic);
    first.drop();
    const second = await broker.connect(5, { clientId, properties, cleanStart: false }, false);
    const came = await rest(second);
    // What was sent and not acknowledged comes again, then the others.
    expect(came.slice(0, 10)).toEqual(before);
    expect(new Set(came)).toEqual(topics);
    expect(came).toHaveLength(COUNT);
  });
});
