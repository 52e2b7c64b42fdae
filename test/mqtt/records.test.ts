import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildBatch } from '../../internal/batch/build.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import type { BrokerProcess } from '../support/broker-process.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';
import { connectRaw } from '../support/raw-client.ts';
import { useBroker } from './broker.ts';
import { connectLasting, useLastingBrokers } from './lasting-broker.ts';

/*
 * Records that a Kafka client produces, as MQTT clients get them: they last, and count as QoS 1.
 */

const broker = useBroker({
  memory: true,
  logs: [{ filter: 'kept/#' }],
  kafka: { listen: ['tcp://localhost:0'] },
});
const startBroker = useLastingBrokers();
let wire: KafkaWire;

beforeAll(async () => {
  wire = await KafkaWire.open(urlOf(broker.broker, 'kafka'));
});
afterAll(() => wire.close());

let lastTopic = 0;

/** A topic of its own for each test, by its names live and in Kafka. */
async function newTopic(on: KafkaWire = wire): Promise<{ live: string; log: string }> {
  const name = `kept.${++lastTopic}`;
  await on.ask(createTopics, 7, {
    topics: [{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
  });
  return { live: name.replace('.', '/'), log: name };
}

async function produceTo(
  name: string,
  texts: readonly string[],
  headers: Record<string, string> = {},
  to: KafkaWire = wire,
) {
  const all = Object.entries(headers).map(([key, value]) => ({ key, value: Buffer.from(value) }));
  const records = buildBatch(
    texts.map((text) => ({ timestamp: Date.now(), key: null, value: Buffer.from(text), headers: all })),
  );
  const { responses } = await to.ask(produce, 9, {
    acks: -1,
    timeoutMs: 1_000,
    topicData: [{ name, partitionData: [{ index: 0, records }] }],
  });
  expect(responses[0].partitionResponses[0].errorCode).toBe(0);
}

/** A connection to the Kafka door of a broker in a process of its own. */
function openKafka(process: BrokerProcess): Promise<KafkaWire> {
  const { kafka } = JSON.parse(process.stdout()) as { kafka: string[] };
  return KafkaWire.open(kafka[0]);
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => String(from + index));
}

describe('records', () => {
  it.each([4, 5] as const)(
    'come with the lesser of QoS 1 and that of the subscription, version %i',
    async (version) => {
      const { live, log } = await newTopic();
      const readers = await Promise.all(
        ([0, 1, 2] as const).map(async (qos) => {
          const reader = await broker.connect(version);
          await reader.subscribe(live, qos);
          return reader;
        }),
      );
      const frames = await connectRaw(broker.url, `frames-${version}`);
      await frames.subscribe(live);
      await produceTo(log, ['a', 'b'], { 'content-type': 'x' });
      for (const [qos, reader] of readers.entries()) {
        for (const text of ['a', 'b']) {
          const message = await reader.message();
          expect(message).toMatchObject({ topic: live, qos: Math.min(qos, 1), retain: false });
          expect(String(message.payload)).toBe(text);
          const properties = version === 5 ? { userProperties: [['content-type', 'x']] } : {};
          expect(message.properties).toEqual(properties);
        }
        await reader.expectSilence();
      }
      expect((await frames.messages(2)).map(({ payload }) => String(Buffer.from(payload)))).toEqual([
        'a',
        'b',
      ]);
      frames.stream.destroy();
    },
  );

  it('wait for sessions whose clients are away, in order, if they asked for more than QoS 0', async () => {
    const { live, log } = await newTopic();
    const options = { properties: { sessionExpiryIntervalS: 100 }, cleanStart: false };
    const away = { ...options, clientId: 'away' };
    const careless = { ...options, clientId: 'careless' };
    for (const [qos, each] of [
      [1, away],
      [0, careless],
    ] as const) {
      const client = await broker.connect(5, each);
      await client.subscribe(live, qos);
      client.disconnect();
      await client.ended();
    }
    await produceTo(log, numbers(0, 50));
    await produceTo(log, numbers(50, 100));
    const back = await broker.connect(5, away);
    const messages = await back.messages(100);
    expect(messages.map(({ payload }) => String(payload))).toEqual(numbers(0, 100));
    expect(messages.every(({ qos, dup }) => qos === 1 && !dup)).toBe(true);
    await back.expectSilence();
    await (await broker.connect(5, careless)).expectSilence();
    // None of them was taken into their log once more.
    const reader = await broker.connect(5);
    await reader.subscribe(`$replay/earliest/${live}`, 1);
    expect(await reader.messages(100)).toHaveLength(100);
    await reader.expectSilence();
  });

  it('are shared among the members of a group', async () => {
    const { live, log } = await newTopic();
    const members = [await broker.connect(5), await broker.connect(4)];
    for (const member of members) await member.subscribe(`$share/g/${live}`, 1);
    await produceTo(log, numbers(0, 10));
    for (const member of members) {
      const messages = await member.messages(5);
      expect(messages.map(({ qos }) => qos)).toEqual([1, 1, 1, 1, 1]);
      await member.expectSilence();
    }
  });

  it('are wanted until their time is over', async () => {
    const { live, log } = await newTopic();
    const reader = await broker.connect(5);
    await reader.subscribe(live, 1);
    await produceTo(log, ['over'], { 'mqtt.expires-at': String(Date.now() - 1) });
    await produceTo(log, ['wanted'], { 'mqtt.expires-at': String(Date.now() + 60_000) });
    await produceTo(log, ['for ever'], { 'mqtt.expires-at': 'tomorrow' });
    const [wanted, forEver] = await reader.messages(2);
    expect(String(wanted.payload)).toBe('wanted');
    expect(wanted.properties.messageExpiryIntervalS).toBeGreaterThan(50);
    expect(wanted.properties.messageExpiryIntervalS).toBeLessThanOrEqual(60);
    expect(forEver.properties).toEqual({});
  });

  it('are with the sessions that wait for them when their producer is answered, also at kill -9', async () => {
    const flags = ['-kafka', 'tcp://localhost:0'];
    let running = await startBroker('records', flags);
    let kafka = await openKafka(running);
    const { live, log } = await newTopic(kafka);
    const first = await connectLasting(running, 5, 'away');
    await first.client.subscribe(live, 1);
    first.client.disconnect();
    await first.client.ended();
    for (const text of numbers(0, 2)) {
      await produceTo(log, [text], {}, kafka);
      await running.stop('SIGKILL');
      kafka.close();
      running = await startBroker('records', flags);
      kafka = await openKafka(running);
    }
    const { client } = await connectLasting(running, 5, 'away', {}, true);
    expect((await client.messages(2)).map(({ payload }) => String(payload))).toEqual(numbers(0, 2));
    client.drop();
    kafka.close();
    await running.stop();
  });
});
