import { afterEach, describe, expect, it } from 'vitest';
import { buildBatch } from '../../internal/batch/build.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { metadata } from '../../internal/protocol/kafka/apis/03-metadata.ts';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { connect } from '../../pkg/client/index.ts';
import {
  type BrokerOptions,
  Faults,
  MovableClock,
  type RunningBroker,
  startBroker,
} from '../../pkg/embed/index.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { KafkaWire } from '../support/kafka-wire.ts';

let faults: Faults;
let clock: MovableClock;
let broker: RunningBroker;

afterEach(async () => {
  await broker.close();
});

async function started(options: BrokerOptions = {}): Promise<string> {
  faults = new Faults();
  clock = new MovableClock();
  const common = { listen: ['tcp://localhost:0'], memory: true, sysIntervalMs: 0, record: true };
  broker = await startBroker({ ...common, clock, faults, ...options });
  return broker.url;
}

const topics = () => broker.received('#').map(({ topic }) => topic);

describe('a client that is refused', () => {
  it('hears the reason, by each door, and others are let in', async () => {
    const url = await started();
    faults.refuseClients(({ clientId }) => (clientId === 'kitchen' ? 'not today' : undefined));
    await expect(connect(url, { clientId: 'kitchen' })).rejects.toMatchObject({
      code: 'not-authorized',
      message: expect.stringContaining('not today'),
    });
    await expect(connectMqtt(url, 5, { clientId: 'kitchen' })).rejects.toThrow();
    await (await connect(url, { clientId: 'hall' })).close();
    faults.clear();
    await (await connect(url, { clientId: 'kitchen' })).close();
  });

  it('may be refused for a while, so that it tries again', async () => {
    const url = await started();
    let attempts = 0;
    faults.refuseClients(() => (++attempts < 3 ? { code: 'too-many-clients', reason: 'full' } : undefined));
    const client = await connect(url, { connectRetry: true, reconnect: { minDelayMs: 1, maxDelayMs: 2 } });
    expect(attempts).toBe(3);
    await client.close();
  });
});

describe('a connection that breaks off after some messages', () => {
  it('does so exactly then, also for messages that come in one write, and as often as was said', async () => {
    const url = await started();
    const client = await connect(url, { clientId: 'kitchen', reconnect: { minDelayMs: 1, maxDelayMs: 2 } });
    const other = await connect(url, { clientId: 'hall' });
    faults.cutAfter(3, { client: 'kitchen', times: 2 });
    const lost = async () => new Promise((resolve) => client.on('disconnect', resolve));
    for (const taken of [3, 6]) {
      const isLost = lost();
      for (let index = 1; index <= 5; index++) client.publish('a', String(index));
      other.publish('b', 'other');
      await isLost;
      await other.ping();
      expect(broker.received('a').map((message) => message.text())).toEqual(
        ['1', '2', '3', '1', '2', '3'].slice(0, taken),
      );
      while (!client.connected) await new Promise((resolve) => client.on('connect', resolve));
    }
    for (let index = 1; index <= 5; index++) client.publish('c', String(index));
    await client.ping();
    expect(broker.received('c')).toHaveLength(5);
    expect(other.connected).toBe(true);
    await Promise.all([client.close(), other.close()]);
  });

  it('may be broken off by the test itself', async () => {
    const url = await started();
    const client = await connect(url, { clientId: 'kitchen', reconnect: { minDelayMs: 1, maxDelayMs: 2 } });
    const reconnected = new Promise((resolve) => client.on('reconnecting', resolve));
    expect([faults.cut('hall'), faults.cut('kitchen')]).toEqual([0, 1]);
    await reconnected;
    await client.close();
  });
});

describe.each([1, 2] as const)('an acknowledgement of MQTT with QoS %i', (qos) => {
  it('that is delayed comes when the clock has moved on, behind it all that came later', async () => {
    const url = await started();
    const client = await connectMqtt(url, 5, { clientId: 'kitchen' });
    faults.delayAcknowledgements(60_000, { client: 'kitchen' });
    const packetId = client.publish('a', 'x', { qos });
    await broker.untilReceived('a');
    await client.expectSilence();
    await clock.advance(60_000);
    const answer = qos === 1 ? PacketType.puback : PacketType.pubrec;
    expect(await client.next(answer)).toMatchObject({ packetId, reasonCode: 0x10 });
  });

  it('that is lost costs the connection, and the message is there', async () => {
    const url = await started();
    const client = await connectMqtt(url, 5, { clientId: 'kitchen' });
    faults.loseAcknowledgements({ client: 'kitchen' });
    client.publish('a', 'x', { qos });
    await client.ended();
    expect(client.waiting).toEqual([]);
    expect(topics()).toEqual(['a']);
    const again = await connectMqtt(url, 5, { clientId: 'kitchen' });
    await again.publishSafely('b', 'y', { qos });
  });
});

describe('what was received', () => {
  it('is what clients of all doors and the app published, with all that they said', async () => {
    const url = await started();
    const mqtt = await connectMqtt(url, 5, { clientId: 'kitchen' });
    await mqtt.publishSafely('sensors/a', '{"t":1}', {
      qos: 1,
      retain: true,
      properties: {
        userProperties: [
          ['unit', 'C'],
          ['tag', '1'],
          ['tag', '2'],
        ],
        contentType: 'application/json',
        responseTopic: 'answers',
        correlationData: Uint8Array.of(7),
        messageExpiryIntervalS: 60,
      },
    });
    const client = await connect(url, { clientId: 'hall' });
    client.publish('sensors/b', 'plain');
    await client.ping();
    await broker.publish('sensors/c', new Uint8Array([1]), {
      headers: { __proto__name: 'x', tag: ['1', '2'] },
    });
    const [one, two, three] = broker.received('sensors/#');
    expect(one).toMatchObject({
      ...{ topic: 'sensors/a', clientId: 'kitchen', qos: 1, retain: true },
      headers: { unit: 'C', tag: ['1', '2'] },
      ...{ contentType: 'application/json', replyTo: 'answers', correlation: Uint8Array.of(7) },
    });
    expect(one.json()).toEqual({ t: 1 });
    expect(one.expiresAt!.getTime() - one.takenAt.getTime()).toBeGreaterThan(59_000);
    expect([two.text(), two.clientId, two.qos]).toEqual(['plain', 'hall', 0]);
    expect([three.payload, three.clientId, three.headers]).toEqual([
      Uint8Array.of(1),
      '',
      { __proto__name: 'x', tag: ['1', '2'] },
    ]);
    broker.clearReceived();
    expect(broker.received('#')).toEqual([]);
    await client.close();
  });

  it('is waited for by the clock, and says what came instead', async () => {
    const url = await started();
    const client = await connect(url);
    const both = broker.untilReceived('a', 2);
    client.publish('a', '1');
    client.publish('b', 'x');
    client.publish('a', '2');
    expect((await both).map((message) => message.text())).toEqual(['1', '2']);
    const more = broker.untilReceived('a', 3, { timeoutMs: 600_000 });
    more.catch(() => {});
    await clock.advance(600_001);
    await expect(more).rejects.toThrow(
      "2 of 3 messages of 'a' came within 600000 ms; published were 'a', 'b'",
    );
    expect(() => broker.received('a/#/b')).toThrow("filter 'a/#/b': # must be the whole last level");
    await client.close();
  });

  it('also has what is produced to a log, though nobody subscribes to it', async () => {
    const kafka = { listen: ['tcp://localhost:0'], autoCreate: true };
    await started({ kafka });
    const wire = await KafkaWire.open(broker.listeners.find(({ door }) => door === 'kafka')!.url);
    await wire.ask(metadata, 9, { topics: [{ name: 'produced' }], allowAutoTopicCreation: true } as never);
    const records = buildBatch([{ timestamp: Date.now(), key: null, value: Buffer.from('x'), headers: [] }]);
    const topicData = [{ name: 'produced', partitionData: [{ index: 0, records }] }];
    await wire.ask(produce, 9, { transactionalId: null, acks: -1, timeoutMs: 1_000, topicData } as never);
    expect((await broker.untilReceived('produced'))[0]!.text()).toBe('x');
  });

  it('needs the option record', async () => {
    await started({ record: false });
    expect(() => broker.received('#')).toThrow('without the option record: true');
  });
});

describe('a message of the app', () => {
  it('reaches subscribers, is retained, expires, and is refused where it is wrong', async () => {
    const url = await started();
    const client = await connectMqtt(url, 5, { clientId: 'kitchen' });
    await client.subscribe('a', 1);
    await broker.publish('a', 'x', { qos: 1, retain: true, expiresIn: 60_000, replyTo: 'r' });
    expect(await client.message()).toMatchObject({ topic: 'a', qos: 1, properties: { responseTopic: 'r' } });
    await clock.advance(61_000);
    expect(broker.stats().retained_messages).toBe(0);
    await expect(broker.publish('a/+', 'x')).rejects.toMatchObject({ code: 'invalid-topic' });
    await expect(broker.publish('a', 'x', { qos: 3 as 2 })).rejects.toThrow('qos is 0, 1 or 2, not 3');
    await expect(broker.publish('a', 'x', { expiresIn: 0 })).rejects.toThrow(RangeError);
  });
});
