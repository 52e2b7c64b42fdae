import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type BatchOptions, buildBatch } from '../../internal/batch/build.ts';
import { ALL_HANDLERS } from '../../internal/doors/kafka/handlers/all.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { fetch } from '../../internal/protocol/kafka/apis/01-fetch.ts';
import { listOffsets } from '../../internal/protocol/kafka/apis/02-list-offsets.ts';
import { metadata } from '../../internal/protocol/kafka/apis/03-metadata.ts';
import { apiVersions } from '../../internal/protocol/kafka/apis/18-api-versions.ts';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import { deleteTopics } from '../../internal/protocol/kafka/apis/20-delete-topics.ts';
import { deleteRecords } from '../../internal/protocol/kafka/apis/21-delete-records.ts';
import { initProducerId } from '../../internal/protocol/kafka/apis/22-init-producer-id.ts';
import { offsetForLeaderEpoch } from '../../internal/protocol/kafka/apis/23-offset-for-leader-epoch.ts';
import { describeConfigs } from '../../internal/protocol/kafka/apis/32-describe-configs.ts';
import { describeLogDirs } from '../../internal/protocol/kafka/apis/35-describe-log-dirs.ts';
import { createPartitions } from '../../internal/protocol/kafka/apis/37-create-partitions.ts';
import { incrementalAlterConfigs } from '../../internal/protocol/kafka/apis/44-incremental-alter-configs.ts';
import { describeCluster } from '../../internal/protocol/kafka/apis/60-describe-cluster.ts';
import { describeTopicPartitions } from '../../internal/protocol/kafka/apis/75-describe-topic-partitions.ts';
import { KafkaErrorCode } from '../../internal/protocol/kafka/error-codes.ts';
import { decodeResponse } from '../../internal/protocol/kafka/exchange.ts';
import { ZERO_UUID } from '../../internal/protocol/kafka/schema.ts';
import { connect } from '../../pkg/client/index.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';

let broker: RunningBroker;
let wire: KafkaWire;
let url: string;

beforeAll(async () => {
  broker = await startBroker({
    listen: ['tcp://127.0.0.1:0'],
    kafka: { listen: ['tcp://127.0.0.1:0'] },
    memory: true,
  });
  url = urlOf(broker, 'kafka');
  wire = await KafkaWire.open(url);
});

afterAll(async () => {
  wire.close();
  await broker.close();
});

let lastTopic = 0;

/** A topic of its own for each test. */
async function newTopic(numPartitions = 1, configs: Record<string, string> = {}): Promise<string> {
  const name = `topic-${++lastTopic}`;
  const { topics } = await wire.ask(createTopics, 7, {
    topics: [
      {
        name,
        numPartitions,
        replicationFactor: 1,
        assignments: [],
        configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
      },
    ],
  });
  expect(topics[0]).toMatchObject({ errorCode: KafkaErrorCode.none });
  return name;
}

function batch(texts: string[], options: BatchOptions & { timestamp?: number } = {}): Uint8Array {
  const timestamp = options.timestamp ?? Date.now();
  return buildBatch(
    texts.map((text) => ({ timestamp, key: null, value: Buffer.from(text), headers: [] })),
    options,
  );
}

async function produceTo(
  name: string,
  records: Uint8Array | null,
  { version = 9, acks = -1, index = 0 } = {},
) {
  const { responses } = await wire.ask(produce, version, {
    acks,
    timeoutMs: 1_000,
    topicData: [{ name, partitionData: [{ index, records }] }],
  });
  return responses[0].partitionResponses[0];
}

function fetchOf(name: string, fetchOffset: number, { partitionMaxBytes = 1e6, partition = 0 } = {}) {
  return { topic: name, partitions: [{ partition, fetchOffset, partitionMaxBytes }] };
}

async function fetchFrom(name: string, fetchOffset: number, { maxWaitMs = 0, minBytes = 1 } = {}) {
  const body = { maxWaitMs, minBytes, isolationLevel: 0, topics: [fetchOf(name, fetchOffset)] };
  const { responses } = await wire.ask(fetch, 12, body);
  return responses[0].partitions[0];
}

describe('ApiVersions', () => {
  it.each([0, 1, 2, 3, 4])('version %i names every API with the versions that it has', async (version) => {
    const answer = await wire.ask(apiVersions, version, {
      clientSoftwareName: 'wire',
      clientSoftwareVersion: '1.0',
    });
    expect(answer.errorCode).toBe(KafkaErrorCode.none);
    expect(answer.apiKeys.map(({ apiKey }) => apiKey)).toEqual(ALL_HANDLERS.map(({ api }) => api.key));
    expect(answer.apiKeys).toContainEqual({ apiKey: 0, minVersion: 0, maxVersion: 13 });
    expect(answer.apiKeys).toContainEqual({ apiKey: 1, minVersion: 4, maxVersion: 18 });
  });

  it.each([5, 99, -1])('version %i is answered by error 35 in version 0', async (version) => {
    const request = Buffer.from('000000000012000000000007ffff', 'hex');
    request.writeInt32BE(request.length - 4, 0);
    request.writeInt16BE(18, 4);
    request.writeInt16BE(version, 6);
    request.writeInt32BE(7, 8);
    wire.socket.write(request);
    expect((await wire.next())!.toString('hex')).toBe('00000007' + '0023' + '00000001' + '001200000004');
  });

  it('refuses a client whose software has no name', async () => {
    const answer = await wire.ask(apiVersions, 3, { clientSoftwareName: '', clientSoftwareVersion: '-' });
    expect(answer).toMatchObject({ errorCode: KafkaErrorCode.invalidRequest, apiKeys: [] });
  });
});

describe('a request that cannot be answered', () => {
  it.each<[string, string]>([
    ['an API that is not served', '0000000a' + '03e70000' + '00000001' + '0000'],
    ['a version that is not served', '0000000a' + '00000002' + '00000001' + '0000'],
    ['a size below zero', 'ffffffff'],
    ['a size beyond the bound', '7fffffff'],
    ['a body that is cut off', '0000000a' + '00030001' + '00000001' + 'ffff'],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n').toString('hex')],
  ])('closes the connection, and no other: %s', async (_, hex) => {
    const other = await KafkaWire.open(url);
    other.socket.write(Buffer.from(hex, 'hex'));
    expect(await other.next()).toBeUndefined();
    other.close();
    await expect(wire.ask(apiVersions, 0, {})).resolves.toMatchObject({ errorCode: 0 });
  });
});

describe('pipelined requests', () => {
  it('are answered in their order, however long each takes', async () => {
    const name = await newTopic();
    const ids = [
      wire.send(fetch, 12, {
        maxWaitMs: 50,
        minBytes: 1,
        isolationLevel: 0,
        topics: [fetchOf(name, 0)],
      }),
      wire.send(apiVersions, 0, {}),
      ...Array.from({ length: 20 }, (_, index) =>
        wire.send(produce, 9, {
          acks: 1,
          timeoutMs: 1_000,
          topicData: [{ name, partitionData: [{ index: 0, records: batch([`${index}`]) }] }],
        }),
      ),
      wire.send(listOffsets, 6, {
        replicaId: -1,
        isolationLevel: 0,
        topics: [{ name, partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
      }),
    ];
    const answered: number[] = [];
    let last: Buffer | undefined;
    for (const _ of ids) {
      last = await wire.next();
      answered.push(last!.readInt32BE(0));
    }
    expect(answered).toEqual(ids);
    // The one after the produces has seen all of them.
    const { body } = decodeResponse(listOffsets, 6, last!);
    expect(body.topics[0].partitions[0].offset).toBe(20);
  });

  it('may come in bytes of any cut', async () => {
    const { socket } = wire;
    const bytes = Buffer.from('0000000c' + '00120000' + '00000063' + '0002' + '6869', 'hex');
    for (const byte of bytes) {
      socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await wire.next())!.readInt32BE(0)).toBe(0x63);
  });
});

describe('Metadata', () => {
  it('tells the address that the client dialled', async () => {
    const { brokers, controllerId, clusterId } = await wire.ask(metadata, 12, { topics: [] });
    const port = Number(new URL(url.replace('tcp', 'http')).port);
    expect(brokers).toEqual([{ nodeId: 1, host: '127.0.0.1', port, rack: null }]);
    expect(controllerId).toBe(1);
    expect(clusterId).toHaveLength(22);
  });

  it.each([0, 1, 4, 8, 9, 13])('version %i creates a topic that is asked for', async (version) => {
    const name = `wanted-${version}`;
    const { topics } = await wire.ask(metadata, version, { topics: [{ name }] });
    expect(topics).toMatchObject([
      {
        errorCode: 0,
        name,
        partitions: [{ partitionIndex: 0, leaderId: 1, replicaNodes: [1], isrNodes: [1] }],
      },
    ]);
  });

  it('creates none where the client does not want that', async () => {
    const request = { topics: [{ name: 'unwanted' }], allowAutoTopicCreation: false };
    const { topics } = await wire.ask(metadata, 9, request);
    expect(topics).toMatchObject([{ errorCode: KafkaErrorCode.unknownTopicOrPartition, name: 'unwanted' }]);
  });

  it.each(['', 'a b', '..', 'x'.repeat(250)])('refuses the name %j', async (name) => {
    const { topics } = await wire.ask(metadata, 9, { topics: [{ name }] });
    expect(topics).toMatchObject([{ errorCode: KafkaErrorCode.invalidTopicException, name }]);
  });

  it('finds topics by their ids, and tells all in the order of their names', async () => {
    const name = await newTopic(2);
    const all = await wire.ask(metadata, 12, { topics: null });
    const names = all.topics.map((topic) => topic.name!);
    expect(names).toEqual([...names].sort());
    const { topicId } = all.topics.find((topic) => topic.name === name)!;
    const byId = await wire.ask(metadata, 12, {
      topics: [
        { topicId, name: null },
        { topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', name: null },
      ],
    });
    expect(byId.topics).toMatchObject([
      { errorCode: KafkaErrorCode.unknownTopicId, name: null, topicId: 'AAAAAAAAAAAAAAAAAAAAAQ' },
      { errorCode: 0, name, topicId, partitions: [{}, {}] },
    ]);
  });
});

describe('Produce', () => {
  it.each([3, 4, 5, 6, 7, 8, 9, 10, 11, 12])(
    'version %i appends, and Fetch gives the same bytes',
    async (version) => {
      const name = await newTopic();
      const records = batch(['one', 'two']);
      expect(await produceTo(name, records, { version })).toMatchObject({ errorCode: 0, baseOffset: 0 });
      expect(await produceTo(name, records, { version })).toMatchObject({ errorCode: 0, baseOffset: 2 });
      const fetched = await fetchFrom(name, 0);
      expect(fetched).toMatchObject({
        errorCode: 0,
        highWatermark: 4,
        lastStableOffset: 4,
        logStartOffset: 0,
      });
      const first = Buffer.from(fetched.records!).subarray(0, records.length);
      // Kafka writes the leader's epoch, 0, into what it takes.
      expect(first.subarray(16)).toEqual(Buffer.from(records).subarray(16));
      expect(fetched.records!.length).toBe(2 * records.length);
    },
  );

  it('by topic id, in version 13', async () => {
    const name = await newTopic();
    const { topics } = await wire.ask(metadata, 12, { topics: [{ name }] });
    const ask = (topicId: string) =>
      wire.ask(produce, 13, {
        acks: -1,
        timeoutMs: 1_000,
        topicData: [{ topicId, partitionData: [{ index: 0, records: batch(['one']) }] }],
      });
    expect((await ask(topics[0].topicId)).responses[0].partitionResponses[0].errorCode).toBe(0);
    const unknown = await ask('AAAAAAAAAAAAAAAAAAAAAQ');
    expect(unknown.responses[0].partitionResponses[0].errorCode).toBe(KafkaErrorCode.unknownTopicId);
  });

  it.each([3, 5, 8, 9])('version %i says 3 and -1 of what is not there', async (version) => {
    const name = await newTopic();
    const nothing = { errorCode: 3, baseOffset: -1, logAppendTimeMs: -1, logStartOffset: -1 };
    expect(await produceTo('no-such-topic', batch(['x']), { version })).toMatchObject(nothing);
    expect(await produceTo(name, batch(['x']), { version, index: 1 })).toMatchObject(nothing);
  });

  it.each<[string, Uint8Array | null, object, number]>([
    ['no records', null, {}, KafkaErrorCode.invalidRecord],
    ['two batches', Buffer.concat([batch(['1']), batch(['2'])]), {}, KafkaErrorCode.invalidRecord],
    ['a flipped bit', flipped(batch(['x'])), {}, KafkaErrorCode.corruptMessage],
    ['a batch that is cut off', batch(['x']).subarray(0, -1), {}, KafkaErrorCode.invalidRecord],
    ['a batch that is too large', batch(['x'.repeat(1_100_000)]), {}, KafkaErrorCode.messageTooLarge],
    [
      'a time of next week',
      batch(['x'], { timestamp: Date.now() + 7 * 86_400_000 }),
      {},
      KafkaErrorCode.invalidTimestamp,
    ],
    [
      'zstd in a version before it',
      batch(['x'], { compression: 'zstd' }),
      { version: 6 },
      KafkaErrorCode.unsupportedCompressionType,
    ],
    ['an unknown number of acks', batch(['x']), { acks: 2 }, KafkaErrorCode.invalidRequiredAcks],
    [
      'a mark of a transaction',
      batch(['x'], { isControl: true, producerId: 1 }),
      {},
      KafkaErrorCode.invalidRecord,
    ],
  ])('refuses %s', async (_, records, options, errorCode) => {
    const name = await newTopic();
    expect(await produceTo(name, records, options)).toMatchObject({ errorCode, baseOffset: -1 });
    expect((await fetchFrom(name, 0)).highWatermark).toBe(0);
  });

  it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('stores %s as it was sent', async (compression) => {
    const name = await newTopic();
    const records = batch(['one'.repeat(100), 'two'.repeat(100)], { compression });
    expect(await produceTo(name, records)).toMatchObject({ errorCode: 0 });
    const fetched = Buffer.from((await fetchFrom(name, 0)).records!);
    expect(fetched.subarray(16)).toEqual(Buffer.from(records).subarray(16));
  });

  it('with acks=0 is not answered, and what goes wrong closes the connection', async () => {
    const name = await newTopic();
    const other = await KafkaWire.open(url);
    const body = (topic: string) => ({
      acks: 0,
      timeoutMs: 1_000,
      topicData: [{ name: topic, partitionData: [{ index: 0, records: batch(['x']) }] }],
    });
    other.send(produce, 9, body(name));
    await expect(other.ask(apiVersions, 0, {})).resolves.toMatchObject({ errorCode: 0 });
    expect((await fetchFrom(name, 0)).highWatermark).toBe(1);
    other.send(produce, 9, body('no-such-topic'));
    expect(await other.next()).toBeUndefined();
  });

  it('gives log append time where the topic wants it', async () => {
    const name = await newTopic(1, { 'message.timestamp.type': 'LogAppendTime' });
    const before = Date.now();
    const { logAppendTimeMs } = await produceTo(name, batch(['x'], { timestamp: 5 }));
    expect(logAppendTimeMs).toBeGreaterThanOrEqual(before);
    expect(Buffer.from((await fetchFrom(name, 0)).records!).readBigInt64BE(35)).toBe(BigInt(logAppendTimeMs));
  });

  it('refuses records without a key where a topic is compacted', async () => {
    const name = await newTopic(1, { 'cleanup.policy': 'compact' });
    const refused = await produceTo(name, batch(['x']));
    expect(refused).toMatchObject({ errorCode: KafkaErrorCode.invalidRecord });
    expect(refused.recordErrors).toMatchObject([{ batchIndex: 0 }]);
  });

  it('reaches live subscribers', async () => {
    const name = await newTopic();
    const client = await connect(broker.url);
    const messages = await client.subscribe(name);
    await produceTo(name, batch(['22.5']));
    for await (const message of messages) {
      expect([message.topic, message.text()]).toEqual([name, '22.5']);
      break;
    }
    await client.close();
  });
});

describe('a live topic whose log there is', () => {
  it('is kept there, in order, until the log is deleted', async () => {
    const name = `live.${await newTopic()}`;
    await wire.ask(metadata, 9, { topics: [{ name }] });
    const topic = name.replace('.', '/');
    const client = await connect(broker.url);
    for (const text of ['1', '2', '3']) await client.publish(topic, text);
    await vi.waitUntil(async () => (await fetchFrom(name, 0)).highWatermark === 3);
    expect(Buffer.from((await fetchFrom(name, 0)).records!).toString('latin1')).toMatch(/1.*2.*3/s);
    await produceTo(name, batch(['4']));
    expect((await fetchFrom(name, 0)).highWatermark).toBe(4);
    await wire.ask(deleteTopics, 5, { topicNames: [name], timeoutMs: 1_000 });
    await client.publish(topic, '5');
    await client.close();
    expect((await fetchFrom(name, 0)).errorCode).toBe(KafkaErrorCode.unknownTopicOrPartition);
  });

  it('is keyed by its topic where the log is compacted', async () => {
    const name = await newTopic(1, { 'cleanup.policy': 'compact' });
    const client = await connect(broker.url);
    await client.publish(name, 'value');
    await vi.waitUntil(async () => (await fetchFrom(name, 0)).highWatermark === 1);
    expect(Buffer.from((await fetchFrom(name, 0)).records!).includes(`${name}\nvalue`)).toBe(true);
    await client.close();
  });
});

function flipped(records: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(records);
  bytes[bytes.length - 1] ^= 1;
  return bytes;
}

describe('idempotent producers', () => {
  async function producing() {
    const name = await newTopic();
    const { producerId, producerEpoch } = await wire.ask(initProducerId, 4, {
      transactionalId: null,
      transactionTimeoutMs: 1_000,
    });
    const send = (baseSequence: number, texts: string[], epoch = producerEpoch) =>
      produceTo(name, batch(texts, { producerId, producerEpoch: epoch, baseSequence }));
    return { name, send };
  }

  it('write once what they send twice', async () => {
    const { name, send } = await producing();
    expect(await send(0, ['a', 'b'])).toMatchObject({ errorCode: 0, baseOffset: 0 });
    expect(await send(2, ['c'])).toMatchObject({ errorCode: 0, baseOffset: 2 });
    expect(await send(0, ['a', 'b'])).toMatchObject({ errorCode: 0, baseOffset: 0 });
    expect((await fetchFrom(name, 0)).highWatermark).toBe(3);
  });

  it('are refused a gap and an old epoch', async () => {
    const { send } = await producing();
    await send(0, ['a']);
    expect(await send(2, ['c'])).toMatchObject({ errorCode: KafkaErrorCode.outOfOrderSequenceNumber });
    expect(await send(0, ['a'], 1)).toMatchObject({ errorCode: 0 });
    expect(await send(1, ['b'], 0)).toMatchObject({ errorCode: KafkaErrorCode.invalidProducerEpoch });
  });

  it('may begin anywhere where nobody knows them', async () => {
    const name = await newTopic();
    const records = batch(['x'], { producerId: 123_456_789, producerEpoch: 3, baseSequence: 42 });
    expect(await produceTo(name, records)).toMatchObject({ errorCode: 0 });
  });
});

describe('Fetch', () => {
  it.each([4, 5, 6, 7, 8, 9, 10, 11, 12])('version %i gives what is there', async (version) => {
    const name = await newTopic();
    await produceTo(name, batch(['one']));
    const { responses } = await wire.ask(fetch, version, {
      replicaId: -1,
      maxWaitMs: 0,
      minBytes: 1,
      isolationLevel: 1,
      topics: [fetchOf(name, 0)],
    });
    expect(responses).toMatchObject([
      { topic: name, partitions: [{ errorCode: 0, highWatermark: 1, abortedTransactions: [] }] },
    ]);
    expect(Buffer.from(responses[0].partitions[0].records!).includes('one')).toBe(true);
  });

  it.each([13, 16, 18])('version %i names topics by their ids', async (version) => {
    const name = await newTopic();
    await produceTo(name, batch(['one']));
    const { topics } = await wire.ask(metadata, 12, { topics: [{ name }] });
    const { topicId } = topics[0];
    const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000 }];
    const unknownId = 'AAAAAAAAAAAAAAAAAAAAAQ';
    const { responses } = await wire.ask(fetch, version, {
      maxWaitMs: 0,
      minBytes: 1,
      isolationLevel: 0,
      topics: [
        { topicId, partitions },
        { topicId: unknownId, partitions },
      ],
    });
    expect(responses).toMatchObject([
      { topicId, partitions: [{ errorCode: 0, highWatermark: 1 }] },
      { topicId: unknownId, partitions: [{ errorCode: 100, partitionIndex: 0 }] },
    ]);
  });

  it('without topics answers an empty list', async () => {
    const answer = await wire.ask(fetch, 16, {
      maxWaitMs: 1_000,
      minBytes: 1,
      isolationLevel: 0,
      topics: [],
    });
    expect(answer).toMatchObject({ errorCode: 0, sessionId: 0, responses: [] });
  });

  it('says what is wrong with an offset, a partition and an epoch', async () => {
    const name = await newTopic();
    await produceTo(name, batch(['one']));
    expect(await fetchFrom(name, 1)).toMatchObject({ errorCode: 0, highWatermark: 1 });
    expect(await fetchFrom(name, 2)).toMatchObject({ errorCode: KafkaErrorCode.offsetOutOfRange });
    expect(await fetchFrom(name, -1)).toMatchObject({ errorCode: KafkaErrorCode.offsetOutOfRange });
    expect(await fetchFrom('no-such', 0)).toMatchObject({
      errorCode: KafkaErrorCode.unknownTopicOrPartition,
    });
    const { responses } = await wire.ask(fetch, 12, {
      maxWaitMs: 0,
      minBytes: 1,
      isolationLevel: 0,
      topics: [
        {
          topic: name,
          partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 100, currentLeaderEpoch: 7 }],
        },
      ],
    });
    expect(responses[0].partitions[0].errorCode).toBe(KafkaErrorCode.unknownLeaderEpoch);
  });

  it('gives the first batch whole, however little is asked for', async () => {
    const name = await newTopic();
    const records = batch(['x'.repeat(5_000)]);
    await produceTo(name, records);
    await produceTo(name, records);
    const { responses } = await wire.ask(fetch, 12, {
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: 1,
      isolationLevel: 0,
      topics: [fetchOf(name, 0, { partitionMaxBytes: 1 })],
    });
    expect(responses[0].partitions[0].records).toHaveLength(records.length);
  });

  it('waits for what is produced', async () => {
    const name = await newTopic();
    const other = await KafkaWire.open(url);
    const waiting = other.ask(fetch, 12, {
      maxWaitMs: 30_000,
      minBytes: 1,
      isolationLevel: 0,
      topics: [fetchOf(name, 0)],
    });
    await produceTo(name, batch(['late']));
    const { responses } = await waiting;
    expect(responses[0].partitions[0]).toMatchObject({ errorCode: 0, highWatermark: 1 });
    expect(Buffer.from(responses[0].partitions[0].records!).includes('late')).toBe(true);
    other.close();
  });

  it('waits for as many bytes as were asked for', async () => {
    const name = await newTopic();
    const other = await KafkaWire.open(url);
    const records = batch(['x'.repeat(1_000)]);
    const waiting = other.ask(fetch, 12, {
      maxWaitMs: 30_000,
      minBytes: 2.5 * records.length,
      isolationLevel: 0,
      topics: [fetchOf(name, 0)],
    });
    for (let count = 0; count < 3; count++) await produceTo(name, records);
    const { responses } = await waiting;
    expect(responses[0].partitions[0].records).toHaveLength(3 * records.length);
    other.close();
  });

  it('of a topic that is deleted meanwhile ends', async () => {
    const name = await newTopic();
    const other = await KafkaWire.open(url);
    const waiting = other.ask(fetch, 12, {
      maxWaitMs: 30_000,
      minBytes: 1,
      isolationLevel: 0,
      topics: [fetchOf(name, 0)],
    });
    await wire.ask(deleteTopics, 5, { topicNames: [name], timeoutMs: 1_000 });
    expect((await waiting).responses[0].partitions[0].errorCode).toBe(KafkaErrorCode.unknownTopicOrPartition);
    other.close();
  });
});

describe('a fetch session', () => {
  const ask = (
    sessionId: number,
    sessionEpoch: number,
    topics: ReturnType<typeof fetchOf>[],
    forgotten: object[] = [],
  ) =>
    wire.ask(fetch, 12, {
      maxWaitMs: 0,
      minBytes: 1,
      isolationLevel: 0,
      sessionId,
      sessionEpoch,
      topics,
      forgottenTopicsData: forgotten as { topic: string; partitions: number[] }[],
    });

  it('tells only what is new', async () => {
    const [one, other] = [await newTopic(), await newTopic()];
    const first = await ask(0, 0, [fetchOf(one, 0), fetchOf(other, 0)]);
    expect(first.sessionId).toBeGreaterThan(0);
    expect(first.responses).toHaveLength(2);
    expect(await ask(first.sessionId, 1, [])).toMatchObject({ sessionId: first.sessionId, responses: [] });
    await produceTo(other, batch(['x']));
    const second = await ask(first.sessionId, 2, []);
    expect(second.responses).toMatchObject([{ topic: other, partitions: [{ highWatermark: 1 }] }]);
    const third = await ask(first.sessionId, 3, [fetchOf(other, 1)]);
    expect(third.responses).toEqual([]);
    await produceTo(one, batch(['x']));
    const fourth = await ask(first.sessionId, 4, [], [{ topic: one, partitions: [0] }]);
    expect(fourth.responses).toEqual([]);
  });

  it('is refused where it is not known, or out of step', async () => {
    const name = await newTopic();
    expect(await ask(4711, 1, [])).toMatchObject({ errorCode: KafkaErrorCode.fetchSessionIdNotFound });
    const { sessionId } = await ask(0, 0, [fetchOf(name, 0)]);
    expect(await ask(sessionId, 3, [])).toMatchObject({ errorCode: KafkaErrorCode.invalidFetchSessionEpoch });
    expect(await ask(sessionId, -1, [fetchOf(name, 0)])).toMatchObject({ errorCode: 0, sessionId: 0 });
    expect(await ask(sessionId, 1, [])).toMatchObject({ errorCode: KafkaErrorCode.fetchSessionIdNotFound });
  });
});

describe('ListOffsets', () => {
  async function list(name: string, timestamp: number, version = 11) {
    const { topics } = await wire.ask(listOffsets, version, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name, partitions: [{ partitionIndex: 0, timestamp }] }],
    });
    const { errorCode, offset, timestamp: found } = topics[0].partitions[0];
    return [errorCode, offset, found];
  }

  it('finds ends, times and the latest time', async () => {
    const name = await newTopic();
    const now = Date.now();
    expect(await list(name, -1)).toEqual([0, 0, -1]);
    expect(await list(name, -3)).toEqual([0, -1, -1]);
    for (const timestamp of [now - 3_000, now - 1_000, now - 2_000]) {
      await produceTo(name, batch(['a', 'b'], { timestamp }));
    }
    expect(await list(name, -1)).toEqual([0, 6, -1]);
    expect(await list(name, -2)).toEqual([0, 0, -1]);
    expect(await list(name, -4)).toEqual([0, 0, -1]);
    expect(await list(name, 0)).toEqual([0, 0, now - 3_000]);
    expect(await list(name, now - 2_500)).toEqual([0, 2, now - 1_000]);
    expect(await list(name, now - 999)).toEqual([0, -1, -1]);
    expect(await list(name, -3)).toEqual([0, 2, now - 1_000]);
  });

  it('refuses what a version does not have, and what is not there', async () => {
    const name = await newTopic();
    expect((await list(name, -3, 6))[0]).toBe(KafkaErrorCode.unsupportedVersion);
    expect((await list(name, -9))[0]).toBe(KafkaErrorCode.unsupportedVersion);
    expect((await list('no-such', -1))[0]).toBe(KafkaErrorCode.unknownTopicOrPartition);
  });
});

describe('topics', () => {
  const create = async (topic: object, validateOnly = false) => {
    const defaults = { name: 'x', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };
    const { topics } = await wire.ask(createTopics, 7, { topics: [{ ...defaults, ...topic }], validateOnly });
    return topics[0];
  };

  it.each<[string, object, number]>([
    ['a name that is none', { name: 'a b' }, KafkaErrorCode.invalidTopicException],
    ['no partitions', { numPartitions: 0 }, KafkaErrorCode.invalidPartitions],
    ['two billion partitions', { numPartitions: 2 ** 31 - 1 }, KafkaErrorCode.policyViolation],
    ['three replicas', { replicationFactor: 3 }, KafkaErrorCode.invalidReplicationFactor],
    ['an unknown config', { configs: [{ name: 'no.such', value: '1' }] }, KafkaErrorCode.invalidConfig],
    [
      'a config that is none',
      { configs: [{ name: 'retention.ms', value: 'x' }] },
      KafkaErrorCode.invalidConfig,
    ],
    [
      'another broker',
      { numPartitions: -1, replicationFactor: -1, assignments: [{ partitionIndex: 0, brokerIds: [2] }] },
      KafkaErrorCode.invalidReplicaAssignment,
    ],
  ])('cannot be created with %s', async (_, topic, errorCode) => {
    expect(await create(topic)).toMatchObject({ errorCode });
  });

  it('are created once, or only tried', async () => {
    expect(await create({ name: 'tried' }, true)).toMatchObject({ errorCode: 0, numPartitions: 1 });
    const created = await create({
      name: 'tried',
      numPartitions: -1,
      configs: [{ name: 'retention.ms', value: '5' }],
    });
    expect(created).toMatchObject({ errorCode: 0, numPartitions: 1, replicationFactor: 1 });
    expect(created.topicId).not.toBe(ZERO_UUID);
    expect(created.configs).toContainEqual(
      expect.objectContaining({ name: 'retention.ms', value: '5', configSource: 1 }),
    );
    expect(await create({ name: 'tried' })).toMatchObject({ errorCode: KafkaErrorCode.topicAlreadyExists });
  });

  it('grow, and do not shrink', async () => {
    const name = await newTopic(2);
    const grow = async (count: number) => {
      const { results } = await wire.ask(createPartitions, 3, {
        topics: [{ name, count, assignments: null }],
        timeoutMs: 1_000,
        validateOnly: false,
      });
      return results[0].errorCode;
    };
    expect(await grow(4)).toBe(0);
    expect(await grow(4)).toBe(KafkaErrorCode.invalidPartitions);
    expect(await grow(1)).toBe(KafkaErrorCode.invalidPartitions);
    expect(await produceTo(name, batch(['x']), { index: 3 })).toMatchObject({ errorCode: 0 });
  });

  it('are deleted by name and by id, and may come again', async () => {
    const name = await newTopic();
    await produceTo(name, batch(['x']));
    const { topics } = await wire.ask(metadata, 12, { topics: [{ name }] });
    const byId = { topics: [{ name: null, topicId: topics[0].topicId }], timeoutMs: 1_000 };
    const deleted = await wire.ask(deleteTopics, 6, byId);
    expect(deleted.responses).toMatchObject([{ errorCode: 0, name }]);
    expect((await wire.ask(deleteTopics, 6, byId)).responses).toMatchObject([{ errorCode: 100 }]);
    expect((await wire.ask(deleteTopics, 1, { topicNames: [name], timeoutMs: 1 })).responses).toMatchObject([
      { errorCode: 3 },
    ]);
    expect(await create({ name })).toMatchObject({ errorCode: 0 });
    expect(await fetchFrom(name, 0)).toMatchObject({ errorCode: 0, highWatermark: 0 });
  });

  it('lose their first records when they are asked to', async () => {
    const name = await newTopic();
    await produceTo(name, batch(['a', 'b', 'c']));
    const remove = async (offset: number) => {
      const { topics } = await wire.ask(deleteRecords, 2, {
        topics: [{ name, partitions: [{ partitionIndex: 0, offset }] }],
        timeoutMs: 1_000,
      });
      const { errorCode, lowWatermark } = topics[0].partitions[0];
      return [errorCode, lowWatermark];
    };
    expect(await remove(4)).toEqual([KafkaErrorCode.offsetOutOfRange, -1]);
    expect(await remove(2)).toEqual([0, 2]);
    expect(await fetchFrom(name, 1)).toMatchObject({ errorCode: KafkaErrorCode.offsetOutOfRange });
    expect(await remove(-1)).toEqual([0, 3]);
    expect(await produceTo(name, batch(['d']))).toMatchObject({ baseOffset: 3, logStartOffset: 3 });
  });
});

describe('configs', () => {
  const alter = async (resourceName: string, name: string, configOperation: number, value: string | null) => {
    const { responses } = await wire.ask(incrementalAlterConfigs, 1, {
      resources: [{ resourceType: 2, resourceName, configs: [{ name, configOperation, value }] }],
      validateOnly: false,
    });
    return responses[0].errorCode;
  };
  const describeOne = async (resourceName: string, key: string) => {
    const { results } = await wire.ask(describeConfigs, 4, {
      resources: [{ resourceType: 2, resourceName, configurationKeys: [key] }],
      includeSynonyms: true,
    });
    return results[0].configs[0];
  };

  it('are set, taken away, and told with where they come from', async () => {
    const name = await newTopic();
    expect(await alter(name, 'retention.ms', 0, '1000')).toBe(0);
    expect(await describeOne(name, 'retention.ms')).toMatchObject({
      value: '1000',
      configSource: 1,
      synonyms: [{ value: '1000', source: 1 }],
    });
    expect(await alter(name, 'retention.ms', 1, null)).toBe(0);
    expect(await describeOne(name, 'retention.ms')).toMatchObject({ value: '604800000', configSource: 5 });
    expect(await alter(name, 'cleanup.policy', 2, 'compact')).toBe(0);
    expect(await describeOne(name, 'cleanup.policy')).toMatchObject({ value: 'delete,compact' });
    expect(await alter(name, 'cleanup.policy', 3, 'delete')).toBe(0);
    expect(await describeOne(name, 'cleanup.policy')).toMatchObject({ value: 'compact' });
  });

  it.each<[string, number, string | null, number]>([
    ['no.such', 0, '1', KafkaErrorCode.invalidConfig],
    ['retention.ms', 0, 'soon', KafkaErrorCode.invalidConfig],
    ['retention.ms', 0, null, KafkaErrorCode.invalidRequest],
    ['retention.ms', 2, '1', KafkaErrorCode.invalidConfig],
    ['retention.ms', 9, '1', KafkaErrorCode.invalidRequest],
  ])('%s cannot be changed by operation %i with %j', async (config, operation, value, errorCode) => {
    expect(await alter(await newTopic(), config, operation, value)).toBe(errorCode);
  });

  it('of the broker can be read', async () => {
    const { results } = await wire.ask(describeConfigs, 4, {
      resources: [
        { resourceType: 4, resourceName: '1', configurationKeys: null },
        { resourceType: 4, resourceName: '2', configurationKeys: null },
        { resourceType: 2, resourceName: 'no-such', configurationKeys: null },
      ],
    });
    expect(results.map(({ errorCode }) => errorCode)).toEqual([
      0,
      KafkaErrorCode.invalidRequest,
      KafkaErrorCode.unknownTopicOrPartition,
    ]);
    expect(results[0].configs).toContainEqual(
      expect.objectContaining({ name: 'num.partitions', value: '1', readOnly: true }),
    );
  });
});

describe('the cluster', () => {
  it('is one broker', async () => {
    const answer = await wire.ask(describeCluster, 2, { includeClusterAuthorizedOperations: true });
    expect(answer).toMatchObject({
      errorCode: 0,
      controllerId: 1,
      brokers: [{ brokerId: 1, host: '127.0.0.1' }],
    });
    expect(answer.clusterAuthorizedOperations).toBe(8096);
    const controllers = { includeClusterAuthorizedOperations: false, endpointType: 2 };
    expect(await wire.ask(describeCluster, 1, controllers)).toMatchObject({
      errorCode: KafkaErrorCode.mismatchedEndpointType,
    });
  });

  it('tells the sizes of its partitions', async () => {
    const name = await newTopic();
    const records = batch(['x']);
    await produceTo(name, records);
    const { results } = await wire.ask(describeLogDirs, 4, { topics: [{ topic: name, partitions: [0, 7] }] });
    expect(results[0].topics).toEqual([
      {
        name,
        partitions: [{ partitionIndex: 0, partitionSize: records.length, offsetLag: 0, isFutureKey: false }],
      },
    ]);
  });

  it('knows where an epoch ended', async () => {
    const name = await newTopic();
    await produceTo(name, batch(['a', 'b']));
    const { topics } = await wire.ask(offsetForLeaderEpoch, 4, {
      replicaId: -1,
      topics: [
        {
          topic: name,
          partitions: [
            { partition: 0, leaderEpoch: 0 },
            { partition: 0, leaderEpoch: 1 },
            { partition: 9, leaderEpoch: 0 },
          ],
        },
      ],
    });
    expect(topics[0].partitions).toEqual([
      { errorCode: 0, partition: 0, leaderEpoch: 0, endOffset: 2 },
      { errorCode: 0, partition: 0, leaderEpoch: -1, endOffset: -1 },
      { errorCode: 3, partition: 9, leaderEpoch: -1, endOffset: -1 },
    ]);
  });
});

describe('DescribeTopicPartitions', () => {
  const ask = (
    names: string[],
    limit: number,
    cursor: { topicName: string; partitionIndex: number } | null = null,
  ) =>
    wire.ask(describeTopicPartitions, 0, {
      topics: names.map((name) => ({ name })),
      responsePartitionLimit: limit,
      cursor,
    });

  it('tells topics in the order of their names, and what is not there', async () => {
    const [b, a] = [await newTopic(2), await newTopic(1)];
    const { topics, nextCursor } = await ask([b, 'zzz', a], 100);
    const names = [a, b].sort();
    expect(topics.map(({ name }) => name)).toEqual([...names, 'zzz']);
    expect(topics.map(({ errorCode }) => errorCode)).toEqual([0, 0, 3]);
    expect(topics[2]).toMatchObject({ topicId: ZERO_UUID, partitions: [] });
    expect(nextCursor).toBeNull();
  });

  it('goes on page by page', async () => {
    const [one, other] = [await newTopic(3), await newTopic(2)].sort();
    const seen: string[] = [];
    let cursor: { topicName: string; partitionIndex: number } | null = null;
    do {
      const page: Awaited<ReturnType<typeof ask>> = await ask([one, other], 2, cursor);
      for (const { name, partitions } of page.topics) {
        for (const { partitionIndex } of partitions) seen.push(`${name} ${partitionIndex}`);
      }
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toHaveLength(5);
    expect(new Set(seen).size).toBe(5);
  });

  it('refuses a cursor that points nowhere', async () => {
    const name = await newTopic();
    const { topics } = await ask([name], 2, { topicName: 'other', partitionIndex: 0 });
    expect(topics).toMatchObject([{ errorCode: KafkaErrorCode.invalidRequest, name }]);
  });
});
