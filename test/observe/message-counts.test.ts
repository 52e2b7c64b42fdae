import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { DoorFacts } from '../../internal/admin/door-totals.ts';
import { buildBatch } from '../../internal/batch/build.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { fetch as fetchApi } from '../../internal/protocol/kafka/apis/01-fetch.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { TestClient } from '../grpc/grpc-client.ts';
import { TestEventSource } from '../support/event-source.ts';
import { getJson, post } from '../support/http-door.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';

let broker: RunningBroker;
let http: string;
beforeAll(async () => {
  broker = await startBroker({
    ...{ listen: ['tcp://127.0.0.1:0'], memory: true, sysIntervalMs: 0, keep: [{ filter: 'kept' }] },
    ...{ kafka: { listen: ['tcp://127.0.0.1:0'] }, grpc: { listen: ['grpc://127.0.0.1:0'] } },
    http: { listen: ['http://127.0.0.1:0'] },
  });
  http = urlOf(broker, 'http');
  const client = new TestClient(urlOf(broker, 'grpc'));
  await client.unary('CreateTopic', { topic: 'orders' });
  client.close();
});
afterAll(() => broker.close());

async function countsOf(door: string): Promise<readonly [messagesIn: number, messagesOut: number]> {
  const { doors } = await getJson<{ doors: DoorFacts[] }>(`${http}/overview`);
  const { messagesIn, messagesOut } = doors.find(({ name }) => name === door)!;
  const stats = broker.stats();
  expect([messagesIn, messagesOut]).toEqual(
    ['received', 'sent'].map((way) => stats[`door_messages_${way}_total{door="${door}"}`]),
  );
  return [messagesIn, messagesOut];
}

const requestsOf = (door: string) => broker.stats()[`door_requests_total{door="${door}"}`];
const PATIENCE = { timeout: 20_000, interval: 20 };

// Requests were counted as messages: an idle consumer that polled looked busy, and a batch of a thousand was one.
it('records of Kafka are messages, those of a batch each, and requests are counted apart', async () => {
  const kafka = await KafkaWire.open(urlOf(broker, 'kafka'));
  const batch = () =>
    buildBatch(
      Array.from({ length: 7 }, () => ({ timestamp: 1, key: null, value: Buffer.alloc(99), headers: [] })),
      {},
    );
  const send = (name: string, records: Uint8Array) =>
    kafka.ask(produce, 9, {
      ...{ transactionalId: null, acks: -1, timeoutMs: 1_000 },
      topicData: [{ name, partitionData: [{ index: 0, records }] }],
    } as never);
  await send('orders', batch());
  expect(await countsOf('kafka')).toEqual([7, 0]);
  // What was refused is no message.
  await send('missing', batch());
  await send('orders', batch().subarray(0, -1));
  expect(await countsOf('kafka')).toEqual([7, 0]);
  const poll = (fetchOffset: number) =>
    kafka.ask(fetchApi, 4, {
      ...{ replicaId: -1, maxWaitMs: 0, minBytes: 0, maxBytes: 100_000, isolationLevel: 0 },
      topics: [{ topic: 'orders', partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 100_000 }] }],
    } as never);
  await poll(0);
  await poll(7);
  expect([await countsOf('kafka'), requestsOf('kafka')]).toEqual([[7, 7], 5]);
  kafka.close();
  // Those of a client that is gone stay counted.
  await vi.waitFor(() => expect(broker.stats()['connections{door="kafka"}']).toBe(0), PATIENCE);
  expect([await countsOf('kafka'), requestsOf('kafka')]).toEqual([[7, 7], 5]);
});

it('messages of gRPC are messages, and calls are counted apart', async () => {
  const client = new TestClient(urlOf(broker, 'grpc'));
  const calls = requestsOf('grpc')!;
  for (let n = 0; n < 3; n++) await client.unary('Produce', { topic: 'orders', message: Buffer.from('x') });
  expect(await countsOf('grpc')).toEqual([3, 0]);
  const call = client.call('StreamConsume', [{ topic: 'orders', offset: 0n }]);
  await call.received(10);
  expect([await countsOf('grpc'), requestsOf('grpc')]).toEqual([[3, 10], calls + 4]);
  await client.unary('Consume', { topic: 'orders', offset: 1n });
  expect([await countsOf('grpc'), requestsOf('grpc')]).toEqual([[3, 11], calls + 5]);
  client.close();
});

it('messages of HTTP are messages, in bodies, lines and events; a look at the overview is none', async () => {
  for (let n = 0; n < 4; n++) await post(http, 'kept?qos=1', `${n}`);
  expect(await countsOf('http')).toEqual([4, 0]);
  await (await fetch(`${http}/topics/kept?from=earliest`)).text();
  expect(await countsOf('http')).toEqual([4, 4]);
  await post(http, 'last?retain', 'x');
  await (await fetch(`${http}/topics/last`)).text();
  await (await fetch(`${http}/topics/%2B`)).text();
  expect(await countsOf('http')).toEqual([5, 6]);
  const stream = await TestEventSource.open(`${http}/topics/kept?follow&from=earliest`);
  await stream.has(4);
  await vi.waitFor(async () => expect(await countsOf('http')).toEqual([5, 10]), PATIENCE);
  stream.close();
  await vi.waitFor(() => expect(broker.stats().clients).toBe(0), PATIENCE);
  expect(await countsOf('http')).toEqual([5, 10]);
});
