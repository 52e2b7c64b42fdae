import { describe, expect, it } from 'vitest';
import { type Connect, PacketType, type Version } from '../../internal/protocol/mqtt/packet.ts';
import { eventually } from '../support/eventually.ts';
import { useBroker } from './broker.ts';
import type { RawMqtt } from './client.ts';

const broker = useBroker({ sessionQueue: 5_000 });

/** Connects to a session that lasts; whether it was there, and the client. */
async function comeBack(
  version: Version,
  clientId: string,
  options: Partial<Connect> = {},
  acknowledges = false,
): Promise<{ client: RawMqtt; sessionPresent: boolean }> {
  const client = await broker.open(version);
  client.acknowledges = acknowledges;
  const properties = version === 5 ? { sessionExpiryIntervalS: 1000 } : {};
  const { sessionPresent } = await client.connect({ clientId, cleanStart: false, properties, ...options });
  return { client, sessionPresent };
}

async function leave(client: RawMqtt): Promise<void> {
  client.disconnect();
  await client.ended();
}

describe.each([4, 5] as const)('a session of version %i', (version) => {
  it('keeps subscriptions and messages of QoS 1 and 2 [MQTT-3.1.2-5] [MQTT-3.1.2-6] [MQTT-3.1.2-23] [MQTT-3.1.3-2] [MQTT-3.2.2-3] [MQTT-4.5.0-1]', async () => {
    const clientId = `keeps-${version}`;
    const first = await comeBack(version, clientId);
    expect(first.sessionPresent).toBe(false);
    await first.client.subscribe(`${clientId}/#`, 2);
    await leave(first.client);
    const publisher = await broker.connect(version);
    publisher.publish(`${clientId}/0`, 'not kept');
    await publisher.publishSafely(`${clientId}/1`, 'one');
    await publisher.publishSafely(`${clientId}/2`, 'two', { qos: 2 });
    const second = await comeBack(version, clientId);
    expect(second.sessionPresent).toBe(true);
    expect(await second.client.texts(2)).toEqual([`${clientId}/1 one`, `${clientId}/2 two`]);
    publisher.publish(`${clientId}/0`, 'live');
    expect(await second.client.texts(1)).toEqual([`${clientId}/0 live`]);
  });

  it('ends with a clean start [MQTT-3.1.2-4], and where it was not to last', async () => {
    const clientId = `clean-${version}`;
    const first = await comeBack(version, clientId);
    await first.client.subscribe(clientId, 1);
    await leave(first.client);
    const clean = await comeBack(version, clientId, { cleanStart: true, properties: {} });
    expect(clean.sessionPresent).toBe(false);
    clean.client.publish(clientId, 'x');
    await clean.client.expectSilence();
    await leave(clean.client);
    expect((await comeBack(version, clientId)).sessionPresent).toBe(false);
  });

  it('sends again what was not acknowledged: first and in order, with DUP; then what waits; then what is new [MQTT-3.3.1-1] [MQTT-4.3.3-6] [MQTT-4.4.0-1] [MQTT-4.6.0-1]', async () => {
    const clientId = `again-${version}`;
    const first = await comeBack(version, clientId);
    await first.client.subscribe(clientId, 2);
    const publisher = await broker.connect(version);
    for (let index = 0; index < 6; index++) {
      await publisher.publishSafely(clientId, String(index), { qos: index % 2 === 0 ? 1 : 2 });
    }
    const sent = await first.client.messages(6);
    expect(sent.map(({ dup }) => dup)).toEqual(sent.map(() => false));
    // 0 is done; 1 is received but not released; the others are on their way.
    first.client.answer(PacketType.puback, sent[0].packetId);
    first.client.answer(PacketType.pubrec, sent[1].packetId);
    await first.client.next(PacketType.pubrel);
    first.client.drop();
    await eventually(
      () => broker.stat('session_messages_waiting') + broker.stat('session_messages_unacknowledged') >= 5,
      'the end of the connection',
    );
    await publisher.publishSafely(clientId, 'offline');
    const second = await comeBack(version, clientId);
    expect(await second.client.next(PacketType.pubrel)).toMatchObject({ packetId: sent[1].packetId });
    const again = await second.client.messages(4);
    expect(again.map(({ packetId, payload, qos, dup }) => [packetId, String(payload), qos, dup])).toEqual(
      sent.slice(2).map(({ packetId, payload, qos }) => [packetId, String(payload), qos, true]),
    );
    expect(await second.client.message()).toMatchObject({ dup: false, payload: Buffer.from('offline') });
    await publisher.publishSafely(clientId, 'new');
    expect(await second.client.message()).toMatchObject({ dup: false, payload: Buffer.from('new') });
  });

  it('is there for the new connection though the end of the old one was not seen', async () => {
    const clientId = `silent-${version}`;
    const first = await comeBack(version, clientId);
    await first.client.subscribe(clientId, 1);
    const publisher = await broker.connect(version);
    await publisher.publishSafely(clientId, 'x');
    const { packetId } = await first.client.message();
    const second = await comeBack(version, clientId);
    expect(second.sessionPresent).toBe(true);
    expect(await second.client.message()).toMatchObject({ packetId, dup: true });
    await first.client.ended();
  });

  it('remembers QoS 2 messages that it received, so that each is delivered once', async () => {
    const clientId = `received-${version}`;
    const subscriber = await broker.connect(version);
    await subscriber.subscribe(clientId, 2);
    const first = await comeBack(version, clientId);
    first.client.publish(clientId, 'once', { qos: 2, packetId: 5 });
    await first.client.next(PacketType.pubrec);
    first.client.drop();
    const second = await comeBack(version, clientId);
    second.client.publish(clientId, 'once', { qos: 2, packetId: 5, dup: true });
    await second.client.next(PacketType.pubrec);
    second.client.answer(PacketType.pubrel, 5);
    await second.client.next(PacketType.pubcomp);
    expect(await subscriber.texts(1)).toEqual([`${clientId} once`]);
    await subscriber.expectSilence();
  });

  it('is bounded, and tells what it lost', async () => {
    const clientId = `bounded-${version}`;
    const first = await comeBack(version, clientId);
    await first.client.subscribe(clientId, 1);
    await leave(first.client);
    const publisher = await broker.connect(version);
    const before = broker.stat('messages_dropped_total');
    for (let index = 0; index < 5_100; index++) {
      publisher.publish(clientId, String(index), { qos: 1 });
      if (index % 500 === 499)
        for (let answered = 0; answered < 500; answered++) await publisher.next(PacketType.puback);
    }
    for (let answered = 0; answered < 100; answered++) await publisher.next(PacketType.puback);
    expect(broker.stat('messages_dropped_total') - before).toBe(100);
    const second = await comeBack(version, clientId, { properties: {} }, true);
    const texts = await second.client.texts(5_000);
    expect([texts[0], texts.at(-1)]).toEqual([`${clientId} 0`, `${clientId} 4999`]);
    await second.client.expectSilence();
  });
});

describe('a session of version 5', () => {
  it('ends when its time is over [MQTT-4.1.0-2]', async () => {
    const { client } = await comeBack(5, 'expires', { properties: { sessionExpiryIntervalS: 1 } });
    const before = broker.stat('sessions');
    await leave(client);
    expect(broker.stat('sessions')).toBe(before);
    await eventually(() => broker.stat('sessions') === before - 1, 'the end of the session');
    expect((await comeBack(5, 'expires')).sessionPresent).toBe(false);
  });

  it('lasts as DISCONNECT says', async () => {
    const { client } = await comeBack(5, 'shortened');
    client.disconnect(0, { sessionExpiryIntervalS: 0 });
    await client.ended();
    expect((await comeBack(5, 'shortened')).sessionPresent).toBe(false);
  });

  it('forgets messages that have expired while it waited [MQTT-3.3.2-5]', async () => {
    const { client } = await comeBack(5, 'old-news');
    await client.subscribe('old-news', 1);
    await leave(client);
    const publisher = await broker.connect(5);
    await publisher.publishSafely('old-news', 'short', { properties: { messageExpiryIntervalS: 1 } });
    await publisher.publishSafely('old-news', 'long', { properties: { messageExpiryIntervalS: 100 } });
    // Of the later one a whole second has to be over too.
    const published = Date.now();
    await eventually(() => Date.now() > published + 1000, 'a second');
    const back = await comeBack(5, 'old-news');
    const message = await back.client.message();
    expect(String(message.payload)).toBe('long');
    expect(message.properties.messageExpiryIntervalS).toBeLessThan(100);
    await back.client.expectSilence();
  });

  it('takes a smaller window with it: never more again at once than the client takes', async () => {
    const { client } = await comeBack(5, 'smaller');
    await client.subscribe('smaller', 1);
    const publisher = await broker.connect(5);
    for (let index = 0; index < 10; index++) await publisher.publishSafely('smaller', String(index));
    await client.messages(10);
    client.drop();
    const back = await comeBack(5, 'smaller', {
      properties: { sessionExpiryIntervalS: 1000, receiveMaximum: 2 },
    });
    await back.client.messages(2);
    await back.client.expectSilence();
    back.client.acknowledges = true;
    for (const packetId of [1, 2]) back.client.answer(PacketType.puback, packetId);
    expect((await back.client.messages(8)).map(({ dup }) => dup)).toEqual(Array(8).fill(true));
  });
});

describe('packet ids', () => {
  it('never collide [MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.3-1]: a message that is not acknowledged keeps its own while 70,000 others pass', async () => {
    const subscriber = await broker.connect(5, { properties: { receiveMaximum: 100 } });
    await subscriber.subscribe('ids', 1);
    subscriber.acknowledges = false;
    const publisher = await broker.connect(5);
    await publisher.publishSafely('ids', 'stays');
    const { packetId } = await subscriber.message();
    subscriber.acknowledges = true;
    for (let round = 0; round < 70; round++) {
      for (let index = 0; index < 1_000; index++) publisher.publish('ids', 'x', { qos: 1 });
      for (const message of await subscriber.messages(1_000)) expect(message.packetId).not.toBe(packetId);
      for (let index = 0; index < 1_000; index++) await publisher.next(PacketType.puback);
    }
  }, 60_000);
});

describe('with -session-expiry', () => {
  const short = useBroker({ sessionExpiryMs: 200 });

  it.each([3, 4] as const)('a session of version %i ends when its client stays away', async (version) => {
    const session = { clientId: `old-${version}`, cleanStart: false };
    const client = await short.connect(version, session);
    await client.subscribe('a', 1);
    client.disconnect();
    await client.ended();
    await eventually(() => short.stat('sessions') === 0, 'its end');
    const back = await short.connect(version, session);
    back.publish('a', 'x');
    await back.expectSilence();
    back.disconnect();
  });

  it('one of version 5 lasts as long as its client says', async () => {
    const session = { clientId: 'new', cleanStart: false, properties: { sessionExpiryIntervalS: 1000 } };
    const client = await short.connect(5, session);
    client.disconnect();
    await client.ended();
    // One of version 3.1.1 that began later has ended by then.
    (await short.connect(4, { clientId: 'old', cleanStart: false })).disconnect();
    await eventually(() => short.stat('sessions') === 1, 'the end of the other');
    const back = await short.open(5);
    expect(await back.connect(session)).toMatchObject({ sessionPresent: true });
  });
});
