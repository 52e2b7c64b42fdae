import { afterAll, beforeAll, expect, test } from 'vitest';
import { ENVELOPE_BYTES } from '../../../internal/protocol/grpc/envelope.ts';
import { readMessage } from '../../../internal/protocol/grpc/read-message.ts';
import { encodeEnveloped } from '../../../internal/protocol/grpc/write-message.ts';
import {
  BulkRetrieveRequest,
  BulkRetrieveResponse,
  ProduceRequest,
} from '../../../internal/protocol/smq/smq.ts';
import { type RunningBroker, startBroker } from '../../../pkg/embed/index.ts';
import { grpcCases } from '../../grpc-cases.ts';
import { scenarioOf } from '../scenarios.ts';
import { GrpcClient } from './client.ts';
import { StreamProducer } from './stream-producer.ts';
import { createTopic, fillTopic, latestOffset, TOPIC } from './topic.ts';

let broker: RunningBroker;
let port: number;
beforeAll(async () => {
  broker = await startBroker({ grpc: { listen: ['tcp://127.0.0.1:0'] }, memory: true });
  port = Number(new URL(broker.listeners[0].url).port);
});
afterAll(() => broker.close());

test.each(['each', 'full'] as const)('StreamProduce, frames: %s: all that was sent lasts', async (frames) => {
  const client = new GrpcClient(port);
  await createTopic(client);
  const producer = await StreamProducer.open(port, { topic: TOPIC, messageBytes: 100, frames });
  await producer.produce(100);
  const first = await latestOffset(client);
  // More than the windows of a stream and of a connection.
  await producer.produce(50_000);
  expect(await latestOffset(client)).toBe(first + 50_000);
  expect(producer.sentMessages).toBe(50_000);

  const request = encodeEnveloped(BulkRetrieveRequest, { topic: TOPIC, startOffset: first, limit: 3 });
  const answer = Buffer.concat(await client.callRaw('BulkRetrieve', request));
  const { messages } = readMessage(BulkRetrieveResponse, answer.subarray(ENVELOPE_BYTES));
  expect(messages.map(({ message }) => message.length)).toEqual([100, 100, 100]);
  producer.close();
  client.close();
});

test('a topic that is to be filled must be empty', async () => {
  const client = new GrpcClient(port);
  await createTopic(client);
  const producer = await StreamProducer.open(port, { topic: TOPIC, messageBytes: 1, frames: 'each' });
  await producer.produce(1);
  producer.close();
  await expect(fillTopic(port, client, { messages: 100, messageBytes: 100 })).rejects.toThrow(
    'the topic ends at',
  );
  client.close();
});

test('what is refused is a failure, and not a result', async () => {
  const client = new GrpcClient(port);
  const request = encodeEnveloped(ProduceRequest, { topic: 'nowhere', message: new Uint8Array(1) });
  await expect(client.callRaw('Produce', request)).rejects.toThrow(/status 2: .*nowhere/);
  const producer = await StreamProducer.open(port, { topic: 'nowhere', messageBytes: 1, frames: 'each' });
  await expect(producer.produce(1)).rejects.toThrow();
  producer.close();
  client.close();
});

test.each(grpcCases.map((chosen) => [chosen.name, chosen] as const))('%s measures', async (_, chosen) => {
  const own = await startBroker({ grpc: { listen: ['tcp://127.0.0.1:0'] }, memory: true });
  const grpc = { grpcPort: Number(new URL(own.listeners[0].url).port), brokerPid: process.pid };
  const few = 'messages' in chosen ? { ...chosen, messages: 20_000 } : chosen;
  const scenario = await scenarioOf(few, { live: undefined, kafka: undefined, grpc });
  const figures = await scenario.round(0.05);
  expect(figures.messagesPerSecond).toBeGreaterThan(0);
  expect(figures.lost ?? 0).toBe(0);
  await own.close();
});
