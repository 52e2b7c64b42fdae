import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildBatch } from '../../internal/batch/build.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { fetch as fetchApi } from '../../internal/protocol/kafka/apis/01-fetch.ts';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { TestClient } from '../grpc/grpc-client.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { post } from '../support/http-door.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';

const TRACE = {
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  tracestate: 'congo=t61rcWkgMzE',
};
const PAIRS = Object.entries(TRACE);

let broker: RunningBroker;
beforeAll(async () => {
  broker = await startBroker({
    ...{ listen: ['tcp://127.0.0.1:0'], memory: true, sysIntervalMs: 0 },
    ...{ kafka: { listen: ['tcp://127.0.0.1:0'] }, grpc: { listen: ['grpc://127.0.0.1:0'] } },
    http: { listen: ['http://127.0.0.1:0'] },
  });
});
afterAll(() => broker.close());
const url = (door: string) => urlOf(broker, door);

/** Publishes a message that belongs to a trace, by each door that has a place for it. */
const INS: Record<string, (topic: string) => Promise<void>> = {
  async 'MQTT 5'(topic) {
    const client = await connectMqtt(url('frames'), 5);
    await client.publishSafely(topic, 'x', { properties: { userProperties: PAIRS as [string, string][] } });
    client.drop();
  },
  async Kafka(topic) {
    const headers = PAIRS.map(([key, value]) => ({ key, value: Buffer.from(value) }));
    const records = buildBatch([{ timestamp: Date.now(), key: null, value: Buffer.from('x'), headers }]);
    const kafka = await KafkaWire.open(url('kafka'));
    const { responses } = await kafka.ask(produce, 8, {
      ...{ acks: 1, timeoutMs: 1_000, transactionalId: null },
      topicData: [{ name: topic, partitionData: [{ index: 0, records }] }],
    });
    expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(0);
    kafka.close();
  },
  async HTTP(topic) {
    expect((await post(url('http'), `${topic}?qos=1`, 'x', { headers: TRACE })).status).toBe(204);
  },
  async gRPC(topic) {
    const client = new TestClient(url('grpc'));
    await client.unary('Produce', { topic, message: Buffer.from('x') }, TRACE);
    client.close();
  },
};

/** Finds the trace of the one message of a topic, by each door that has a place for it. */
const OUTS: Record<string, (topic: string) => Promise<unknown>> = {
  async Kafka(topic) {
    const kafka = await KafkaWire.open(url('kafka'));
    const { responses } = await kafka.ask(fetchApi, 4, {
      ...{ replicaId: -1, maxWaitMs: 1_000, minBytes: 1, maxBytes: 100_000, isolationLevel: 0 },
      topics: [{ topic, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 100_000 }] }],
    } as never);
    kafka.close();
    const text = Buffer.from(responses[0]!.partitions[0]!.records!).toString('latin1');
    return Object.fromEntries(PAIRS.filter(([name, value]) => text.includes(name) && text.includes(value)));
  },
  async gRPC(topic) {
    const client = new TestClient(url('grpc'));
    const { headers } = await client.call('Consume', [{ topic, offset: 1n }]).ended;
    client.close();
    return Object.fromEntries(PAIRS.map(([name]) => [name, headers[name]]));
  },
  async 'HTTP, headers'(topic) {
    const { headers } = await fetch(`${url('http')}/topics/${topic}`);
    return Object.fromEntries(PAIRS.map(([name]) => [name, headers.get(name)]));
  },
  async 'HTTP, JSON'(topic) {
    const answer = await fetch(`${url('http')}/topics/${topic}?from=earliest&limit=1`);
    const { userProperties } = JSON.parse(await answer.text()) as {
      userProperties: { name: string; value: string }[];
    };
    return Object.fromEntries(userProperties.map(({ name, value }) => [name, value]));
  },
};

describe.each(Object.entries(INS))('the trace of a message that came by %s', (way, publish) => {
  const topic = `traced-${way.replace(/\W/g, '')}`;
  let live: Record<string, string>;
  beforeAll(async () => {
    const kafka = await KafkaWire.open(url('kafka'));
    await kafka.ask(createTopics, 2, {
      ...{ timeoutMs: 1_000, validateOnly: false },
      topics: [{ name: topic, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
    } as never);
    kafka.close();
    const subscriber = await connectMqtt(url('frames'), 5);
    await subscriber.subscribe(topic, 0);
    await publish(topic);
    live = Object.fromEntries((await subscriber.message()).properties.userProperties ?? []);
    subscriber.drop();
  });

  it('goes to MQTT 5', () => expect(live).toEqual(TRACE));

  it.each(Object.entries(OUTS))('goes to %s', async (_, read) => expect(await read(topic)).toEqual(TRACE));
});

it('what is no trace is left out, and a trace that the message has itself stays', async () => {
  await post(url('http'), 'retained?retain', 'x', { headers: { traceparent: 'nonsense' } });
  const read = async () => (await fetch(`${url('http')}/topics/retained`)).headers;
  expect((await read()).get('user-property')).toBeNull();
  const own = TRACE.traceparent.replace('4bf', 'abc');
  const headers = { ...TRACE, 'user-property': `traceparent=${own}` };
  await post(url('http'), 'retained?retain', 'x', { headers });
  expect((await read()).get('traceparent')).toBe(own);
});
