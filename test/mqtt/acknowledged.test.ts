import { describe, expect, it } from 'vitest';
import { records } from '../../internal/batch/read.ts';
import { parseBatchHeader } from '../../internal/batch/record-batch.ts';
import { shutdownQuietMs } from '../../internal/limits/doors.ts';
import { mqttReceiveMaximum } from '../../internal/limits/mqtt.ts';
import type { Logs } from '../../internal/log/logs.ts';
import {
  type Packet,
  PacketType,
  type PublishAnswer,
  type Qos,
} from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import { mqttDoor, publishPacket } from '../support/mqtt-door.ts';

const LASTING = 0xffff_ffff;

/** Options of a client whose session outlasts its connection. */
function lasting(version: 4 | 5, clientId: string) {
  const properties = version === 5 ? { sessionExpiryIntervalS: LASTING } : NO_PROPERTIES;
  return { clientId, cleanStart: false, properties };
}

function subscribe(filter: string, qos: Qos): Packet {
  const plain = { noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
  return {
    type: PacketType.subscribe,
    packetId: 1,
    subscriptions: [{ filter, qos, ...plain }],
    properties: NO_PROPERTIES,
  };
}

function pubrel(packetId: number): Packet {
  return { type: PacketType.pubrel, packetId, reasonCode: 0, properties: NO_PROPERTIES };
}

/** What a log has, in order. */
async function kept(logs: Logs, name: string): Promise<string[]> {
  const batches = (await logs.topic(name)?.partitions[0]?.read(0, 1e9)) ?? [];
  return batches.flatMap(({ bytes }) =>
    [...records(bytes, parseBatchHeader(bytes, 0), 1e9)].map(({ value }) => `${Buffer.from(value!)}`),
  );
}

describe.each([4, 5] as const)('a topic that has a log, version %i', (version) => {
  it.each([
    [1, 'puback'],
    [2, 'pubrec'],
  ] as const)('QoS %i is acknowledged after the commit of its log', async (qos, answer) => {
    const { store, logs, connected, close } = await mqttDoor();
    await logs.topicOrNew('own.a');
    const client = await connected(version);
    store.hold();
    client.publish('own/a', qos, 1);
    client.publish('one/a', qos, 2);
    expect(await client.shown()).toEqual([]);
    store.release();
    expect(await client.shown()).toEqual([`${answer} 1`, `${answer} 2`]);
    expect([await kept(logs, 'own.a'), await kept(logs, 'all')]).toEqual([['1'], ['2']]);
    await close();
  });

  it('who has ended its side gets the answers that wait, and then the end', async () => {
    const { store, logs, sessions, connected, close } = await mqttDoor();
    await logs.topicOrNew('own.a');
    const client = await connected(version, lasting(version, 'ended'));
    store.hold();
    client.publish('own/a', 1, 1);
    client.publish('free', 1, 2);
    client.connection.handler.ended();
    expect(await client.shown()).toEqual([]);
    expect([client.connection.isEnded, sessions.connectedCount]).toEqual([false, 1]);
    store.release();
    expect(await client.shown()).toEqual(['puback 1', version === 5 ? 'puback 2 0x10' : 'puback 2']);
    expect([client.connection.isEnded, sessions.connectedCount]).toEqual([true, 0]);
    await close();
  });

  it('whoever sends more than may wait for an answer is read no further, in the middle of a chunk too', async () => {
    const { store, logs, metrics, connected, close } = await mqttDoor();
    await logs.topicOrNew('own.a');
    const client = await connected(version);
    store.hold();
    const packets = Array.from({ length: 3_000 }, (_, index) => publishPacket('own/a', 1, index + 1));
    client.send(...packets);
    expect(await client.shown()).toEqual([]);
    expect(metrics.snapshot().messages_received_total).toBe(mqttReceiveMaximum);
    expect(client.connection.pauses).toBeGreaterThan(0);
    store.release();
    const answers: string[] = [];
    while (answers.length < packets.length && !client.connection.isEnded)
      answers.push(...(await client.shown()));
    expect(answers).toEqual(packets.map(({ packetId }) => `puback ${packetId}`));
    expect(client.connection.pauses).toBe(0);
    await close();
  });

  it('answers stay in the order of what they answer [MQTT-4.6.0-2] [MQTT-4.6.0-3]', async () => {
    const { store, connected, close } = await mqttDoor();
    const other = await connected(version, { clientId: 'other' });
    other.send(subscribe('#', 0));
    await other.packets();
    const client = await connected(version);
    store.hold();
    client.publish('free', 1, 1);
    expect(await client.shown()).toEqual(['puback 1']);
    client.send(
      publishPacket('own/a', 1, 2),
      publishPacket('free', 1, 3),
      publishPacket('own/b', 2, 4),
      publishPacket('free', 2, 5),
      publishPacket('one/c', 0, 0),
      publishPacket('free', 1, 6),
      subscribe('elsewhere', 1),
      { type: PacketType.pingreq },
    );
    // Whoever is somebody else does not wait, and neither does PINGRESP.
    other.publish('free', 1, 7);
    expect(await client.shown()).toEqual(['pingresp']);
    expect(await other.shown()).toContain('puback 7');
    store.release();
    expect(await client.shown()).toEqual([
      'puback 2',
      'puback 3',
      'pubrec 4',
      'pubrec 5',
      'puback 6',
      'suback 1',
    ]);
    await close();
  });

  it('waits for the sessions and the retained store as well, whichever is last', async () => {
    const { store, entries, connected, close } = await mqttDoor();
    const sleeper = await connected(version, lasting(version, 'sleeper'));
    sleeper.send(subscribe('own/#', 1));
    await sleeper.packets();
    sleeper.drop();
    const client = await connected(version);
    for (const isLogLast of [true, false]) {
      entries.isHeld = true;
      store.hold();
      client.publish('own/a', 1, 1, { retain: true });
      expect(await client.shown()).toEqual([]);
      if (isLogLast) entries.release();
      else store.release();
      expect(await client.shown()).toEqual([]);
      if (isLogLast) store.release();
      else entries.release();
      expect(await client.shown()).toEqual(['puback 1']);
      entries.isHeld = false;
    }
    await close();
  });

  it('a broker that stops still answers what is on its way to the disk', async () => {
    const { door, store, connected, close } = await mqttDoor();
    const client = await connected(version);
    client.send(subscribe('elsewhere', 0));
    await client.packets();
    store.hold();
    client.publish('own/a', 1, 1);
    expect(await client.shown()).toEqual([]);
    const stopped = door.close(10_000);
    // It is not read any more once it has been quiet.
    const pinged = async () => {
      client.send({ type: PacketType.pingreq });
      return client.shown();
    };
    await expect.poll(pinged, { interval: 3 * shutdownQuietMs, timeout: 10_000 }).toEqual([]);
    expect(client.connection.isEnded).toBe(false);
    store.release();
    await expect.poll(() => client.connection.isEnded).toBe(true);
    const end = version === 5 ? ['disconnect 0x8b'] : [];
    expect(await client.shown()).toEqual(['puback 1', ...end]);
    client.drop();
    await stopped;
    await close();
  });

  it('a connection that closes while answers wait leaves nothing behind', async () => {
    const { store, logs, connected, close } = await mqttDoor();
    for (const end of ['drop', 'disconnect', 'takeover'] as const) {
      store.hold();
      const client = await connected(version, lasting(version, 'device'));
      client.publish('own/a', 1, 1);
      client.publish('own/a', 2, 2);
      client.send(subscribe('elsewhere', 1));
      expect(await client.shown()).toEqual([]);
      if (end === 'drop') client.drop();
      else if (end === 'takeover') await connected(version, lasting(version, 'device'));
      else client.send({ type: PacketType.disconnect, reasonCode: 0, properties: NO_PROPERTIES });
      await client.packets();
      store.release();
      const after = await connected(version, lasting(version, 'device'));
      expect(await client.shown()).toEqual([]);
      // What was not acknowledged comes again; that of QoS 2 is there already, also in the log.
      const before = (await kept(logs, 'own.a')).length;
      after.publish('own/a', 2, 2, { dup: true });
      expect(await after.shown()).toEqual(['pubrec 2']);
      expect(await kept(logs, 'own.a')).toHaveLength(before);
      after.send(pubrel(2));
      expect(await after.shown()).toEqual(['pubcomp 2']);
      after.drop();
    }
    await close();
  });
});

// The subscriber's own wait for the store took the error along, and PUBREC said that all was well.
it('a QoS 2 message for a session that lasts and is connected is not acknowledged where the store fails', async () => {
  const { entries, connected, close } = await mqttDoor();
  const subscriber = await connected(5, lasting(5, 'subscriber'));
  subscriber.send(subscribe('free', 2));
  await subscriber.packets();
  const client = await connected(5);
  entries.isFailing = true;
  client.publish('free', 2, 1);
  expect(await client.shown()).toEqual(['pubrec 1 0x83']);
  entries.isFailing = false;
  await close();
});

describe('a log that cannot keep a message', () => {
  it.each([
    [1, 'puback'],
    [2, 'pubrec'],
  ] as const)('version 5, QoS %i: is refused with 0x83, and nothing else is', async (qos, answer) => {
    const { store, logs, connected, close } = await mqttDoor();
    await logs.topicOrNew('own.a');
    const client = await connected(5);
    client.send(subscribe('#', 0));
    await client.packets();
    store.isFailing = true;
    client.send(publishPacket('own/a', qos, 1), publishPacket('free', qos, 2), publishPacket('free', 0, 0));
    const packets = await client.packets();
    const answers = packets.filter(({ type }) => type !== PacketType.publish) as PublishAnswer[];
    expect(packets).toHaveLength(answers.length + 3);
    expect(answers.map(({ packetId, reasonCode }) => [packetId, reasonCode])).toEqual([
      [1, 0x83],
      [2, 0],
    ]);
    expect(answers[0].properties.reasonString).toBe('store-unavailable: the disk is on fire');
    store.isFailing = false;
    // The id is free: it is a new message.
    client.publish('own/a', qos, 1);
    expect(await client.shown()).toEqual(['publish own/a 1', `${answer} 1`]);
    expect(await kept(logs, 'own.a')).toEqual(['1']);
    await close();
  });

  it.each([1, 2] as const)(
    'version 3.1.1, QoS %i: ends the connection, and what comes again is kept',
    async (qos) => {
      const { store, logs, connected, close } = await mqttDoor();
      await logs.topicOrNew('own.a');
      const watcher = await connected(5, { clientId: 'watcher' });
      watcher.send(subscribe('#', 2));
      await watcher.packets();
      store.isFailing = true;
      let client = await connected(4, lasting(4, 'device'));
      client.publish('own/a', qos, 1);
      client.publish('free', qos, 2);
      expect(await client.shown()).toEqual([]);
      expect(client.connection.isEnded).toBe(true);
      // Again, as long as it fails.
      client = await connected(4, lasting(4, 'device'));
      client.publish('own/a', qos, 1, { dup: true });
      expect(await client.shown()).toEqual([]);
      expect(client.connection.isEnded).toBe(true);
      store.isFailing = false;
      client = await connected(4, lasting(4, 'device'));
      client.publish('own/a', qos, 1, { dup: true });
      client.publish('free', qos, 2, { dup: true });
      const answer = qos === 1 ? 'puback' : 'pubrec';
      expect(await client.shown()).toEqual([`${answer} 1`, `${answer} 2`]);
      expect(await kept(logs, 'own.a')).toEqual(['1']);
      const seen = (await watcher.shown()).filter((text) => text.startsWith('publish'));
      // With QoS 2 subscribers get it once [MQTT-4.3.3-10].
      if (qos === 2) expect(seen).toEqual(['publish own/a 1', 'publish free 2']);
      await close();
    },
  );

  it('where there is no room for its log: is refused with 0x97', async () => {
    const { connected, close } = await mqttDoor({ maxPartitions: 1 });
    const client = await connected(5);
    client.publish('own/a', 1, 1);
    client.publish('own/b', 1, 2);
    client.publish('own/a', 2, 3);
    client.publish('own/b', 2, 4);
    const answers = (await client.packets()) as PublishAnswer[];
    expect(answers.map(({ packetId, reasonCode }) => [packetId, reasonCode])).toEqual([
      [1, 0],
      [2, 0x97],
      [3, 0],
      [4, 0x97],
    ]);
    expect(answers[1].properties.reasonString).toMatch(/^too-many-logs: .*room for 1/);
    await close();
  });

  it('because it was deleted meanwhile: what comes again is in a new one', async () => {
    const { store, logs, connected, close } = await mqttDoor();
    const client = await connected(5);
    client.publish('own/a', 1, 1);
    expect(await client.shown()).toEqual(['puback 1']);
    store.hold();
    client.publish('own/a', 1, 2);
    expect(await client.shown()).toEqual([]);
    await logs.deleteTopic(logs.topic('own.a')!);
    store.release();
    expect(await client.shown()).toEqual(['puback 2 0x83']);
    client.publish('own/a', 1, 2, { dup: true });
    expect(await client.shown()).toEqual(['puback 2']);
    expect(await kept(logs, 'own.a')).toEqual(['2']);
    await close();
  });

  it('a QoS 2 message that comes again while the log still has it in hand waits for the same commit', async () => {
    const { store, logs, connected, close } = await mqttDoor();
    store.hold();
    const first = await connected(4, lasting(4, 'device'));
    first.publish('own/a', 2, 1);
    await first.packets();
    const second = await connected(4, lasting(4, 'device'));
    second.publish('own/a', 2, 1, { dup: true });
    expect(await second.shown()).toEqual([]);
    store.release();
    expect(await second.shown()).toEqual(['pubrec 1']);
    expect(await kept(logs, 'own.a')).toEqual(['1']);
    await close();
  });

  // The broker was killed after it had written the packet id, and before the log had the message.
  it('a QoS 2 message that comes again after a restart goes to the log only, unless it is known to be there', async () => {
    const before = await mqttDoor();
    const sleeper = await before.connected(5, lasting(5, 'sleeper'));
    sleeper.send(subscribe('own/#', 2));
    await sleeper.packets();
    sleeper.drop();
    const device = await before.connected(5, lasting(5, 'device'));
    device.publish('own/a', 2, 1);
    expect(await device.shown()).toEqual(['pubrec 1']);
    before.store.hold();
    device.publish('own/a', 2, 2);
    expect(await device.shown()).toEqual([]);

    const after = await mqttDoor({ entries: before.entries });
    const again = await after.connected(5, lasting(5, 'device'));
    after.store.hold();
    again.publish('own/a', 2, 1, { dup: true });
    expect(await again.shown()).toEqual(['pubrec 1']);
    again.publish('own/a', 2, 2, { dup: true });
    expect(await again.shown()).toEqual([]);
    after.store.release();
    expect(await again.shown()).toEqual(['pubrec 2']);
    expect(await kept(after.logs, 'own.a')).toEqual(['2']);
    expect(after.sessions.get('sleeper')!.outbox.waiting).toBe(2);
    before.store.release();
    for (const { close } of [before, after]) await close();
  });
});
