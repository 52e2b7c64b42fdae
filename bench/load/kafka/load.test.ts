import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { parseBatchHeader, setBaseOffset } from '../../../internal/batch/record-batch.ts';
import { validateBatches } from '../../../internal/batch/validate.ts';
import { produce } from '../../../internal/protocol/kafka/apis/00-produce.ts';
import { fetch } from '../../../internal/protocol/kafka/apis/01-fetch.ts';
import { metadata } from '../../../internal/protocol/kafka/apis/03-metadata.ts';
import { apiVersions } from '../../../internal/protocol/kafka/apis/18-api-versions.ts';
import { createTopics } from '../../../internal/protocol/kafka/apis/19-create-topics.ts';
import { decodeRequest, encodeResponse, peekRequest } from '../../../internal/protocol/kafka/exchange.ts';
import { RequestFrames } from '../../../internal/protocol/kafka/request-frame.ts';
import type { ResponseOf } from '../../../internal/protocol/kafka/schema.ts';
import { Producer } from './producer.ts';
import { Reader } from './reader.ts';
import { fillTopic } from './topic.ts';

const shape = { recordBytes: 100, batchBytes: 4096 };
const topic = 'loaded';

let broker: Broker | undefined;
afterEach(() => broker?.server.close());

test('a topic is filled, read from its beginning to its end, and from its beginning again', async () => {
  broker = await startBroker();
  const filled = await fillTopic(broker.port, topic, shape, 40_000);
  expect(broker.batches).toHaveLength(Math.ceil(40_000 / filled.batchBytes));
  expect(filled.endOffset).toBe(broker.nextOffset);
  expect(filled.batchBytes).toBeLessThanOrEqual(4096);

  const reader = await Reader.open(broker.port, topic, filled);
  reader.start();
  await expect.poll(() => reader.receivedRecords).toBeGreaterThan(3 * filled.endOffset);
  await reader.stop();
  reader.close();
});

test('a producer never has more requests under way than it may', async () => {
  broker = await startBroker({ answersAt: 5 });
  const producer = await Producer.open(broker.port, topic, shape, 5);
  await producer.produce(50);
  expect(producer.acknowledgedRequests).toBe(50);
  expect(broker.mostUnanswered).toBe(5);
  producer.close();
});

test('one record in a request is one record in a batch', async () => {
  broker = await startBroker();
  const producer = await Producer.open(broker.port, topic, { recordBytes: 100, batchBytes: 0 }, 64);
  await producer.produce(100);
  expect(broker.nextOffset).toBe(100);
  producer.close();
});

test('a refused record is a failure, and so is a connection that ends', async () => {
  broker = await startBroker({ errorCode: 7 });
  const refused = await Producer.open(broker.port, topic, shape, 1);
  await expect(refused.produce(1)).rejects.toThrow('refused with error 7');
  refused.close();

  const cut = await Producer.open(broker.port, topic, shape, 1);
  const producing = cut.produce(1_000_000);
  broker.cut();
  await expect(producing).rejects.toThrow();
});

interface Broker {
  port: number;
  server: Server;
  batches: Buffer[];
  nextOffset: number;
  mostUnanswered: number;
  cut(): void;
}

/**
 * A broker of one topic, which answers by the schemas, in chunks that end anywhere.
 *
 * @param answersAt it answers as soon as so many requests wait.
 */
async function startBroker({ answersAt = 1, errorCode = 0 } = {}): Promise<Broker> {
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    const frames = new RequestFrames(16 * 1024 * 1024);
    let unanswered: Uint8Array[] = [];
    socket.on('data', (chunk: Buffer) => {
      frames.push(chunk);
      for (let request = frames.next(); request; request = frames.next()) {
        unanswered.push(answer(Buffer.from(request)));
        started.mostUnanswered = Math.max(started.mostUnanswered, unanswered.length);
        if (unanswered.length < answersAt && peekRequest(request).apiKey === produce.key) continue;
        const bytes = Buffer.concat(unanswered);
        unanswered = [];
        for (let at = 0; at < bytes.length; at += 1000) socket.write(bytes.subarray(at, at + 1000));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const started: Broker = {
    port: (server.address() as { port: number }).port,
    server,
    batches: [],
    nextOffset: 0,
    mostUnanswered: 0,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
  };

  function answer(request: Buffer): Uint8Array {
    const { apiKey, apiVersion, correlationId } = peekRequest(request);
    switch (apiKey) {
      case apiVersions.key: {
        const body = { errorCode: 0, apiKeys: [] };
        return Buffer.concat(encodeResponse(apiVersions, apiVersion, correlationId, body));
      }
      case createTopics.key: {
        const created = { name: topic, errorCode: 0, errorMessage: null, configs: [] };
        const body = { topics: [created] } as unknown as ResponseOf<typeof createTopics>;
        return Buffer.concat(encodeResponse(createTopics, apiVersion, correlationId, body));
      }
      case metadata.key: {
        const partition = { errorCode: 0, partitionIndex: 0, leaderId: 1, replicaNodes: [1], isrNodes: [1] };
        const body = {
          brokers: [{ nodeId: 1, host: '127.0.0.1', port: started.port }],
          topics: [{ errorCode: 0, name: topic, partitions: [{ ...partition, offlineReplicas: [] }] }],
        } as unknown as ResponseOf<typeof metadata>;
        return Buffer.concat(encodeResponse(metadata, apiVersion, correlationId, body));
      }
      case produce.key: {
        const { body } = decodeRequest(produce, request);
        const baseOffset = append(body.topicData[0].partitionData[0].records!);
        const partition = { index: 0, errorCode, baseOffset, recordErrors: [] };
        const responses = [{ name: body.topicData[0].name, partitionResponses: [partition] }];
        const answered = { responses } as unknown as ResponseOf<typeof produce>;
        return Buffer.concat(encodeResponse(produce, apiVersion, correlationId, answered));
      }
      default: {
        const { body } = decodeRequest(fetch, request);
        const { fetchOffset } = body.topics[0].partitions[0];
        const from = started.batches.findIndex(
          (batch) => parseBatchHeader(batch, 0).lastOffset >= fetchOffset,
        );
        // The third batch is cut off, as Kafka does at the end of an answer.
        const records = Buffer.concat(started.batches.slice(from, from + 3)).subarray(0, -100);
        const partition = {
          partitionIndex: 0,
          errorCode: 0,
          highWatermark: started.nextOffset,
          abortedTransactions: null,
          records: from + 1 === started.batches.length ? started.batches[from] : records,
        };
        const answered = {
          errorCode: 0,
          responses: [{ topic: body.topics[0].topic, partitions: [partition] }],
        } as unknown as ResponseOf<typeof fetch>;
        return Buffer.concat(encodeResponse(fetch, apiVersion, correlationId, answered));
      }
    }
  }

  function append(records: Uint8Array): number {
    const batch = Buffer.from(records);
    const count = validateBatches(batch, { maxBatchBytes: 1e6, maxExpandedBytes: 1e6 });
    const baseOffset = started.nextOffset;
    setBaseOffset(batch, 0, baseOffset, 0);
    started.batches.push(batch);
    started.nextOffset += count;
    return baseOffset;
  }

  return started;
}
