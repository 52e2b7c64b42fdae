import { describe, expect, it } from 'vitest';
import { PacketType, type Publish } from '../../internal/protocol/mqtt/packet.ts';
import { eventually } from '../support/eventually.ts';
import { connectLasting as connect, useLastingBrokers } from './lasting-broker.ts';

const startBroker = useLastingBrokers();

describe.each([4, 5] as const)('after kill -9, version %i', (version) => {
  it('a session is as it was: subscriptions, what waited, what was on its way in both directions', async () => {
    const dataDir = `session-${version}`;
    const before = await startBroker(dataDir);
    const first = await connect(before, version, 'device');
    await first.client.subscribe('d/#', 2);
    const publisher = await connect(before, version, 'publisher', { cleanStart: true, properties: {} });
    for (const [index, qos] of ([1, 2, 2] as const).entries()) {
      await publisher.client.publishSafely('d/sent', `${index}`, { qos });
    }
    const sent = await first.client.messages(3);
    // 0 waits for PUBACK, 1 for PUBREC, 2 for PUBCOMP.
    first.client.answer(PacketType.pubrec, sent[2].packetId);
    await first.client.next(PacketType.pubrel);
    first.client.publish('elsewhere', 'x', { qos: 2, packetId: 99 });
    await first.client.next(PacketType.pubrec);
    first.client.drop();
    await eventually(async () => (await before.stats()).clients === 1, 'the end of the connection');
    await publisher.client.publishSafely('d/waiting', 'offline');
    await publisher.client.publishSafely('d/waiting', 'two', { qos: 2 });
    await before.stop('SIGKILL');

    await using after = await startBroker(dataDir);
    const second = await connect(after, version, 'device');
    expect(second.sessionPresent).toBe(true);
    const again: Publish[] = [];
    const released: number[] = [];
    while (again.length + released.length < 5) {
      const packet = await second.client.any();
      if (packet.type === PacketType.pubrel) released.push(packet.packetId);
      else again.push(packet as Publish);
    }
    expect(again.map(({ payload, qos, dup }) => [String(payload), qos, dup])).toEqual([
      ['0', 1, true],
      ['1', 2, true],
      ['offline', 1, false],
      ['two', 2, false],
    ]);
    expect(again.slice(0, 2).map(({ packetId }) => packetId)).toEqual([sent[0].packetId, sent[1].packetId]);
    expect(released).toEqual([sent[2].packetId]);
    // The QoS 2 message of the client is not delivered again, whatever its id is used for.
    const watcher = await connect(after, version, 'watcher', { cleanStart: true });
    await watcher.client.subscribe('elsewhere', 2);
    second.client.publish('elsewhere', 'x', { qos: 2, packetId: 99, dup: true });
    await second.client.next(PacketType.pubrec);
    second.client.answer(PacketType.pubrel, 99);
    await second.client.next(PacketType.pubcomp);
    await watcher.client.expectSilence();
    for (const { client } of [second, watcher, publisher]) client.drop();
  });
});

describe('after kill -9', () => {
  it('the packet ids of replayed QoS 2 messages are known, and stand for no others [MQTT-4.4.0-1]', async () => {
    const flags = ['-log', 'kept/#'];
    const before = await startBroker('replayed', flags);
    const publisher = await connect(before, 5, 'publisher', { cleanStart: true, properties: {} });
    for (const text of ['one', 'two']) await publisher.client.publishSafely('kept/a', text);
    const first = await connect(before, 5, 'reader');
    await first.client.subscribe('$replay/earliest/kept/a', 2);
    const sent = await first.client.messages(2);
    first.client.answer(PacketType.pubrec, sent[0].packetId);
    await first.client.next(PacketType.pubrel);
    await before.stop('SIGKILL');

    await using after = await startBroker('replayed', flags);
    const { client: second } = await connect(after, 5, 'reader');
    expect((await second.next(PacketType.pubrel)).packetId).toBe(sent[0].packetId);
    const { packetId, payload } = sent[1];
    expect(await second.message()).toMatchObject({ packetId, payload, qos: 2, dup: true });
    await second.expectSilence();
    for (const each of [publisher.client, first.client, second]) each.drop();
  });

  it('retained messages are there with their properties, cleared ones are not', async () => {
    const before = await startBroker('retained');
    const { client } = await connect(before, 5, 'writer', { cleanStart: true, properties: {} });
    const properties = { contentType: 'text/plain', userProperties: [['a', 'b']] as [string, string][] };
    await client.publishSafely('r/1', 'kept', { retain: true, properties });
    await client.publishSafely('r/2', 'cleared', { retain: true });
    await client.publishSafely('r/2', '', { retain: true });
    await client.publishSafely('r/3', 'old', { retain: true });
    await client.publishSafely('r/3', 'new', { retain: true, qos: 2 });
    await before.stop('SIGKILL');
    await using after = await startBroker('retained');
    const reader = await connect(after, 5, 'reader', { cleanStart: true, properties: {} }, true);
    await reader.client.subscribe('r/#', 2);
    const messages = await reader.client.messages(2);
    expect(messages.map(({ topic, payload, qos }) => [topic, String(payload), qos])).toEqual([
      ['r/1', 'kept', 1],
      ['r/3', 'new', 2],
    ]);
    expect(messages[0].properties).toEqual(properties);
    await reader.client.expectSilence();
    for (const each of [client, reader.client]) each.drop();
  });

  it('a message that many sessions wait for is there for each, and gone when the last has it', async () => {
    const before = await startBroker('shared');
    const ids = ['one', 'two', 'three'];
    for (const id of ids) {
      const { client } = await connect(before, 5, id);
      await client.subscribe('all', 1);
      client.disconnect();
      await client.ended();
    }
    const publisher = await connect(before, 5, 'publisher', { cleanStart: true, properties: {} });
    await publisher.client.publishSafely('all', 'x'.repeat(10_000));
    await before.stop('SIGKILL');
    const middle = await startBroker('shared');
    for (const id of ids.slice(0, 2)) {
      const { client } = await connect(middle, 5, id, {}, true);
      expect((await client.message()).payload).toHaveLength(10_000);
      await client.expectSilence();
      client.disconnect();
      await client.ended();
    }
    await middle.stop('SIGTERM');
    await using after = await startBroker('shared');
    const { client } = await connect(after, 5, 'three', {}, true);
    expect((await client.message()).payload).toHaveLength(10_000);
    const { client: first } = await connect(after, 5, 'one');
    await first.expectSilence();
    for (const each of [client, first, publisher.client]) each.drop();
  });
});
