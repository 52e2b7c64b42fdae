import { mkdtempSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { buildBatch } from '../../internal/batch/build.ts';
import { Spans } from '../../internal/observe/spans.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { type BrokerOptions, MovableClock, startBroker } from '../../pkg/embed/index.ts';
import { TestClient } from '../grpc/grpc-client.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { eventually } from '../support/eventually.ts';
import { post } from '../support/http-door.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';
import { type ShownSpan, startCollector } from '../support/otlp-collector.ts';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT_ID = '00f067aa0ba902b7';
const traceparent = (flags = '01') => `00-${TRACE_ID}-${PARENT_ID}-${flags}`;
const pairs = (flags?: string): [string, string][] => [
  ['traceparent', traceparent(flags)],
  ['tracestate', 'congo=t61'],
];

async function start(
  variables: Record<string, string> = {},
  options: BrokerOptions = {},
  answer?: (response: ServerResponse) => void,
) {
  const collector = await startCollector(answer);
  const clock = new MovableClock();
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-spans-'));
  const broker = await startBroker({
    ...{
      listen: ['tcp://127.0.0.1:0'],
      dataDir: folder,
      sysIntervalMs: 0,
      clock,
      keep: [{ filter: 'kept/#' }],
    },
    ...{ kafka: { listen: ['tcp://127.0.0.1:0'] }, grpc: { listen: ['grpc://127.0.0.1:0'] } },
    http: { listen: ['http://127.0.0.1:0'] },
    openTelemetry: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_METRICS_EXPORTER: 'none',
      ...variables,
    },
    ...options,
  });
  onTestFinished(async () => {
    await broker.close();
    rmSync(folder, { recursive: true });
  });
  /** All spans, once so many are there. */
  const spans = async (count: number) => {
    await eventually(async () => {
      await clock.advance(5_000);
      return collector.spans.length >= count;
    }, `${count} spans`);
    return collector.spans.toSorted((one, other) => one.name.localeCompare(other.name));
  };
  return { broker, collector, clock, spans, url: (door: string) => urlOf(broker, door) };
}

function shown({ attributes, status, kind, name }: ShownSpan) {
  const values = attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]);
  return { name, kind, ...(status && { status }), ...Object.fromEntries(values) };
}

const SERVER = 2;
const INTERNAL = 1;

describe('a message that belongs to a trace', () => {
  it('by MQTT has a span from its arrival until it is safe, and one for its log', async () => {
    const { spans, url } = await start();
    const client = await connectMqtt(url('frames'), 5, { clientId: 'meter-1' });
    await client.publishSafely('kept/a', 'hello', { qos: 1, properties: { userProperties: pairs() } });
    const [append, publish] = await spans(2);
    expect(shown(publish!)).toEqual({
      ...{ name: 'publish kept/a', kind: SERVER },
      'messaging.system': 'tinymq',
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'kept/a',
      'messaging.client.id': 'meter-1',
      'messaging.message.body.size': 5,
      'network.protocol.name': 'mqtt',
      'tinymq.qos': 1,
    });
    expect(shown(append!)).toMatchObject({ name: 'append kept.a', kind: INTERNAL });
    for (const span of [publish!, append!]) {
      expect(span).toMatchObject({ traceId: TRACE_ID, parentSpanId: PARENT_ID, traceState: 'congo=t61' });
      expect(span.spanId).toMatch(/^[0-9a-f]{16}$/);
      expect(span.flags & 0xff).toBe(1);
      expect(BigInt(span.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(span.startTimeUnixNano));
    }
    expect(publish!.spanId).not.toBe(append!.spanId);
    expect(BigInt(publish!.endTimeUnixNano) - BigInt(publish!.startTimeUnixNano)).toBeGreaterThan(0n);
    client.drop();
  });

  it('by HTTP, gRPC and Kafka has one too; a batch has one for each trace in it', async () => {
    const { spans, url } = await start();
    await post(url('http'), 't/http', 'x', { headers: { traceparent: traceparent() } });
    const client = new TestClient(url('grpc'));
    await client.unary('CreateTopic', { topic: 'orders' });
    await client.unary(
      'Produce',
      { topic: 'orders', message: Buffer.from('x') },
      { traceparent: traceparent() },
    );
    client.close();
    const other = `00-${TRACE_ID.replace('4', '5')}-${PARENT_ID}-01`;
    const headersOf = (value: string) => [{ key: 'traceparent', value: Buffer.from(value) }];
    const records = buildBatch(
      [traceparent(), other, traceparent(), 'nonsense'].map((value) => ({
        ...{ timestamp: Date.now(), key: null, value: Buffer.from('x'), headers: headersOf(value) },
      })),
    );
    const kafka = await KafkaWire.open(url('kafka'));
    await kafka.ask(
      produce,
      8,
      {
        ...{ acks: 1, timeoutMs: 1_000, transactionalId: null },
        topicData: [{ name: 'orders', partitionData: [{ index: 0, records }] }],
      },
      'k-1',
    );
    kafka.close();
    const all = await spans(4);
    expect(all).toHaveLength(4);
    const byDoor = (door: string) => all.map(shown).filter((span) => span['network.protocol.name'] === door);
    expect(byDoor('http')).toMatchObject([{ name: 'publish t/http', kind: SERVER }]);
    expect(byDoor('grpc')).toMatchObject([{ name: 'publish orders', 'tinymq.log': 'orders' }]);
    const ofBatch = { name: 'publish orders', 'messaging.client.id': 'k-1', 'tinymq.log.offset': 1 };
    expect(byDoor('kafka')).toMatchObject([ofBatch, ofBatch]);
    expect(new Set(all.map(({ traceId }) => traceId)).size).toBe(2);
  });

  it('and does not become safe has a span that says so', async () => {
    const { spans, url } = await start();
    const kafka = await KafkaWire.open(url('kafka'));
    const client = new TestClient(url('grpc'));
    await client.unary('CreateTopic', { topic: 'orders' });
    client.close();
    const headers = [{ key: 'traceparent', value: Buffer.from(traceparent()) }];
    const batch = (baseSequence: number) =>
      buildBatch([{ timestamp: Date.now(), key: null, value: Buffer.from('x'), headers }], {
        ...{ producerId: 7, producerEpoch: 0, baseSequence },
      });
    for (const sequence of [0, 9]) {
      await kafka.ask(produce, 8, {
        ...{ acks: 1, timeoutMs: 1_000, transactionalId: null },
        topicData: [{ name: 'orders', partitionData: [{ index: 0, records: batch(sequence) }] }],
      });
    }
    kafka.close();
    const problem = (await spans(2)).map(shown).find(({ status }) => status !== undefined);
    expect(problem).toMatchObject({
      status: { code: 2, message: 'out-of-sequence' },
      'error.type': 'out-of-sequence',
    });
  });
});

it('a message without a trace, and one of a trace that nobody records, has none', async () => {
  const { collector, clock, broker, url } = await start();
  const client = await connectMqtt(url('frames'), 5);
  await client.publishSafely('kept/a', 'x', { qos: 1 });
  for (const flags of ['00', '02'])
    await client.publishSafely('kept/a', 'x', { qos: 1, properties: { userProperties: pairs(flags) } });
  await clock.advance(10_000);
  await broker.close();
  expect(collector.spans).toEqual([]);
  client.drop();
});

it.each([
  [{ OTEL_TRACES_SAMPLER: 'always_on' }, 2],
  [{ OTEL_TRACES_SAMPLER: 'always_off' }, 0],
  [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }, 0],
  [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '1' }, 2],
  [{ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }, 1],
])('the sampler decides: %j', async (variables, count) => {
  const { collector, broker, url } = await start(variables);
  for (const flags of ['00', '01'])
    await post(url('http'), 't?qos=1', 'x', { headers: { traceparent: traceparent(flags) } });
  await broker.close();
  expect(collector.spans).toHaveLength(count);
});

it('spans that wait are bounded: more are dropped and counted, and no message waits for a collector', async () => {
  const { broker, collector, url } = await start(
    { OTEL_BSP_MAX_QUEUE_SIZE: '10', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '5', OTEL_EXPORTER_OTLP_TIMEOUT: '500' },
    {},
    () => {},
  );
  const publish = () => post(url('http'), 't?qos=1', 'x', { headers: { traceparent: traceparent() } });
  for (let n = 0; n < 40; n++) expect((await publish()).status).toBe(204);
  const stats = () => broker.stats();
  expect(stats().spans_dropped_total).toBeGreaterThanOrEqual(20);
  expect(collector.got.length).toBeGreaterThanOrEqual(1);
  await broker.close();
  expect(stats().spans_dropped_total).toBe(40);
  expect(stats().spans_exported_total).toBe(0);
});

it('while nobody takes them nothing is looked at', () => {
  const spans = new Spans(new MovableClock());
  expect(spans.isOn).toBe(false);
  const stop = spans.to({ wants: () => true, take() {} });
  expect(spans.isOn).toBe(true);
  stop();
  expect(spans.isOn).toBe(false);
});
