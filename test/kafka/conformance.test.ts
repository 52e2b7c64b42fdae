import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BatchOptions, buildBatch } from '../../internal/batch/build.ts';
import { sealBatch } from '../../internal/batch/record-batch.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { fetch } from '../../internal/protocol/kafka/apis/01-fetch.ts';
import { listOffsets } from '../../internal/protocol/kafka/apis/02-list-offsets.ts';
import { metadata } from '../../internal/protocol/kafka/apis/03-metadata.ts';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import { deleteTopics } from '../../internal/protocol/kafka/apis/20-delete-topics.ts';
import { initProducerId } from '../../internal/protocol/kafka/apis/22-init-producer-id.ts';
import { offsetForLeaderEpoch } from '../../internal/protocol/kafka/apis/23-offset-for-leader-epoch.ts';
import { describeConfigs } from '../../internal/protocol/kafka/apis/32-describe-configs.ts';
import { alterConfigs } from '../../internal/protocol/kafka/apis/33-alter-configs.ts';
import { describeLogDirs } from '../../internal/protocol/kafka/apis/35-describe-log-dirs.ts';
import { createPartitions } from '../../internal/protocol/kafka/apis/37-create-partitions.ts';
import { incrementalAlterConfigs } from '../../internal/protocol/kafka/apis/44-incremental-alter-configs.ts';
import { describeCluster } from '../../internal/protocol/kafka/apis/60-describe-cluster.ts';
import { type InputOf, ZERO_UUID } from '../../internal/protocol/kafka/schema.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';

/** What Apache Kafka 4.3 answers to the same requests, where that is not obvious; numbers of errors as it sends them. */

let broker: RunningBroker;
let wire: KafkaWire;

beforeAll(async () => {
  broker = await startBroker({ listen: [], kafka: { listen: ['tcp://127.0.0.1:0'] }, memory: true });
  wire = await KafkaWire.open(urlOf(broker, 'kafka'));
});

afterAll(async () => {
  wire.close();
  await broker.close();
});

let lastTopic = 0;

/** A topic of its own for each test. */
async function newTopic(configs: Record<string, string> = {}, numPartitions = 1): Promise<string> {
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
  expect(topics[0]).toMatchObject({ errorCode: 0 });
  return name;
}

async function idOf(name: string): Promise<string> {
  const { topics } = await wire.ask(metadata, 12, { topics: [{ name }] });
  return topics[0].topicId;
}

/** An id that no topic has. */
const UNKNOWN_ID = 'AAAAAAAAAAAAAAAAAAAAAQ';

async function append(name: string, ...values: string[]): Promise<void> {
  for (const value of values) {
    const partitionData = [{ index: 0, records: batch([value]) }];
    const { responses } = await wire.ask(produce, 9, {
      acks: -1,
      timeoutMs: 1_000,
      topicData: [{ name, partitionData }],
    });
    expect(responses[0].partitionResponses).toMatchObject([{ errorCode: 0 }]);
  }
}

function batch(values: string[], options: BatchOptions & { timestamp?: number } = {}): Buffer {
  const timestamp = options.timestamp ?? Date.now();
  return Buffer.from(
    buildBatch(
      values.map((value) => ({ timestamp, key: null, value: Buffer.from(value) })),
      options,
    ),
  );
}

function changed(bytes: Buffer, change: (bytes: Buffer) => void): Buffer {
  change(bytes);
  return bytes;
}

/** Changed, and summed up again. */
function resealed(bytes: Buffer, change: (bytes: Buffer) => void): Buffer {
  change(bytes);
  sealBatch(bytes, 0);
  return bytes;
}

describe('Produce', () => {
  type Request = InputOf<typeof produce.request>;
  interface Case {
    what: string;
    records?: Uint8Array;
    /** Of version 9; logStartOffset is that of the log only where the log itself has refused. */
    answer: { errorCode: number; baseOffset?: number; logStartOffset?: number };
    configs?: Record<string, string>;
    request?: Partial<Request>;
    version?: number;
  }

  const IS_TAKEN = { errorCode: 0, baseOffset: 0, logStartOffset: 0 };
  const refused = (errorCode: number, logStartOffset = -1) => ({ errorCode, baseOffset: -1, logStartOffset });
  const producer = { producerId: 7_000, producerEpoch: 0, baseSequence: 0 };
  const gzipped = () => batch(['a'.repeat(50), 'b'], { compression: 'gzip' });

  const CASES: Case[] = [
    { what: 'no bytes', records: Buffer.alloc(0), answer: refused(87) },
    { what: 'less than a size', records: Buffer.alloc(5), answer: refused(87) },
    { what: 'a size of 0', records: Buffer.alloc(16), answer: refused(2) },
    {
      what: 'a size below 0',
      records: changed(batch(['a']), (b) => b.writeInt32BE(-1, 8)),
      answer: refused(2),
    },
    {
      what: 'a size below that of a header',
      records: changed(batch(['a']), (b) => b.writeInt32BE(20, 8)),
      answer: refused(2),
    },
    {
      what: 'a size of more than is there',
      records: changed(batch(['a']), (b) => b.writeInt32BE(1_000, 8)),
      answer: refused(87),
    },
    { what: 'two batches', records: Buffer.concat([batch(['a']), batch(['b'])]), answer: refused(87) },
    {
      what: 'a batch with the beginning of another one behind it',
      records: Buffer.concat([batch(['a']), batch(['b']).subarray(0, -1)]),
      answer: IS_TAKEN,
    },
    { what: 'magic 0', records: changed(batch(['a']), (b) => b.writeInt8(0, 16)), answer: refused(87) },
    { what: 'magic 1', records: changed(batch(['a']), (b) => b.writeInt8(1, 16)), answer: refused(87) },
    { what: 'magic 3', records: changed(batch(['a']), (b) => b.writeInt8(3, 16)), answer: refused(2) },
    { what: 'magic -1', records: changed(batch(['a']), (b) => b.writeInt8(-1, 16)), answer: refused(2) },
    {
      what: 'a wrong checksum',
      records: changed(batch(['a']), (b) => b.writeInt32BE(0, 17)),
      answer: refused(2),
    },
    {
      what: 'a last offset beyond the records',
      records: resealed(batch(['a', 'b']), (b) => b.writeInt32BE(5, 23)),
      answer: refused(87, 0),
    },
    {
      what: 'more records than are there',
      records: resealed(batch(['a', 'b']), (b) => b.writeInt32BE(3, 57)),
      answer: refused(87, 0),
    },
    {
      what: 'fewer records than are there',
      records: resealed(batch(['a', 'b']), (b) => b.writeInt32BE(1, 57)),
      answer: refused(87, 0),
    },
    { what: 'a base offset', records: batch(['a'], { baseOffset: 7 }), answer: refused(87, 0) },
    { what: 'an epoch of a leader', records: batch(['a'], { partitionLeaderEpoch: 9 }), answer: IS_TAKEN },
    {
      what: 'a control batch',
      records: batch(['a'], { isControl: true, ...producer }),
      answer: refused(87, 0),
    },
    {
      what: 'a sequence below 0 of an idempotent producer',
      records: batch(['a'], { ...producer, baseSequence: -1 }),
      answer: refused(87, 0),
    },
    { what: 'a sequence of no producer', records: batch(['a'], { baseSequence: 3 }), answer: IS_TAKEN },
    {
      what: 'a transaction without a transactional id',
      records: batch(['a'], { isTransactional: true, ...producer }),
      answer: refused(53),
    },
    {
      what: 'a transactional id without a transaction',
      request: { transactionalId: 'some' },
      answer: IS_TAKEN,
    },
    {
      what: 'a batch that is too large',
      records: batch(['a'.repeat(200)]),
      configs: { 'max.message.bytes': '100' },
      answer: refused(10),
    },
    {
      what: 'a record without a key where records are compacted',
      configs: { 'cleanup.policy': 'compact' },
      answer: refused(87, 0),
    },
    {
      what: 'a time of next week',
      records: batch(['a'], { timestamp: Date.now() + 7 * 86_400_000 }),
      answer: refused(32, 0),
    },
    {
      what: 'a time long ago where that is bounded',
      records: batch(['a'], { timestamp: 5 }),
      configs: { 'message.timestamp.before.max.ms': '1000' },
      answer: refused(32, 0),
    },
    {
      what: 'no time, -1, all the same',
      records: batch(['a'], { timestamp: -1 }),
      configs: { 'message.timestamp.before.max.ms': '1000' },
      answer: IS_TAKEN,
    },
    {
      what: 'all acks where more replicas are wanted than there are',
      configs: { 'min.insync.replicas': '2' },
      answer: IS_TAKEN,
    },
    { what: 'acks 2', request: { acks: 2 }, answer: refused(21) },
    { what: 'acks -2', request: { acks: -2 }, answer: refused(21) },
    {
      what: 'compressed records that are none',
      records: resealed(gzipped(), (b) => b.fill(0x55, 61)),
      answer: refused(87, 0),
    },
    {
      what: 'zstd in a version before it, whatever else is wrong',
      records: changed(batch(['a'], { compression: 'zstd' }), (b) => b.writeInt32BE(0, 17)),
      version: 6,
      answer: refused(76),
    },
    {
      what: 'zstd in a version before it',
      records: batch(['a'], { compression: 'zstd' }),
      version: 6,
      answer: refused(76),
    },
  ];

  it.each(CASES)('$what: $answer.errorCode', async ({ records, answer, configs, request, version = 9 }) => {
    const name = await newTopic(configs);
    const { responses } = await wire.ask(produce, version, {
      acks: -1,
      timeoutMs: 1_000,
      topicData: [{ name, partitionData: [{ index: 0, records: records ?? batch(['a']) }] }],
      ...request,
    });
    expect(responses[0].partitionResponses).toMatchObject([{ index: 0, logAppendTimeMs: -1, ...answer }]);
  });

  it('of a topic without partitions is left out of the answer', async () => {
    const request = {
      acks: -1,
      timeoutMs: 1_000,
      topicData: [{ name: await newTopic(), partitionData: [] }],
    };
    expect((await wire.ask(produce, 9, request)).responses).toEqual([]);
  });

  it('into a transaction without its id writes nothing at all', async () => {
    const [name, other] = [await newTopic(), await newTopic()];
    const transactional = batch(['a'], { isTransactional: true, ...producer });
    const { responses } = await wire.ask(produce, 9, {
      acks: -1,
      timeoutMs: 1_000,
      topicData: [
        { name, partitionData: [{ index: 0, records: batch(['a']) }] },
        { name: other, partitionData: [{ index: 0, records: transactional }] },
      ],
    });
    expect(responses.map(({ partitionResponses }) => partitionResponses[0].errorCode)).toEqual([53, 53]);
  });
});

describe('Metadata', () => {
  const ask = (version: number, topics: InputOf<typeof metadata.request>['topics']) =>
    wire.ask(metadata, version, { topics, allowAutoTopicCreation: false });

  it('tells each topic once, those that are there first', async () => {
    const [one, other] = [await newTopic(), await newTopic()];
    const names = ['unknown', one, 'also-unknown', other, one, 'unknown'].map((name) => ({ name }));
    const { topics } = await ask(9, names);
    expect(topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([
      [one, 0],
      [other, 0],
      ['unknown', 3],
      ['also-unknown', 3],
    ]);
  });

  it('looks only at ids where there are any', async () => {
    const [one, other] = [await newTopic(), await newTopic()];
    const topicId = await idOf(one);
    const { topics } = await ask(12, [
      { name: null, topicId },
      { name: other },
      { name: other, topicId: UNKNOWN_ID },
      { name: null, topicId },
    ]);
    expect(topics).toMatchObject([
      { errorCode: 100, name: null, topicId: UNKNOWN_ID, partitions: [] },
      { errorCode: 0, name: one, topicId },
    ]);
  });

  it.each([10, 11])('version %i has ids only in its answers', async (version) => {
    const name = await newTopic();
    const topicId = await idOf(name);
    expect(await ask(version, [{ name: null, topicId }, { name }])).toMatchObject({
      brokers: [],
      clusterId: null,
      controllerId: -1,
      topics: [
        { errorCode: 42, name: '', topicId, partitions: [] },
        { errorCode: 42, name, topicId: ZERO_UUID, partitions: [] },
      ],
    });
  });
});

describe('Fetch', () => {
  type Request = InputOf<typeof fetch.request>;
  const ask = (
    version: number,
    partitions: Request['topics'][number]['partitions'],
    topic: Partial<Request['topics'][number]>,
    more: Partial<Request> = {},
  ) =>
    wire.ask(fetch, version, {
      maxWaitMs: 0,
      minBytes: 1,
      topics: partitions.length === 0 ? [] : [{ ...topic, partitions }],
      ...more,
    });
  const from = (fetchOffset: number, more = {}) => ({
    partition: 0,
    fetchOffset,
    partitionMaxBytes: 1_000_000,
    ...more,
  });

  it('tells where the epoch ended that a reader has seen last', async () => {
    const topic = await newTopic();
    await append(topic, 'a', 'b');
    const first = async (lastFetchedEpoch: number, fetchOffset: number) => {
      const { responses } = await ask(12, [from(fetchOffset, { lastFetchedEpoch })], { topic });
      return responses[0].partitions[0];
    };
    const none = { epoch: -1, endOffset: -1 };
    expect(await first(0, 1)).toMatchObject({ errorCode: 0, highWatermark: 2, divergingEpoch: none });
    expect(await first(0, 99)).toMatchObject({
      errorCode: 0,
      highWatermark: 2,
      divergingEpoch: { epoch: 0, endOffset: 2 },
      records: Buffer.alloc(0),
    });
    expect(await first(1, 1)).toMatchObject({ errorCode: 1, highWatermark: -1, divergingEpoch: none });
    expect(await first(-1, 99)).toMatchObject({ errorCode: 1, divergingEpoch: none });
  });

  it('is not for other brokers, of which there are none', async () => {
    const topic = await newTopic();
    await append(topic, 'a');
    const older = await ask(12, [from(0)], { topic }, { replicaId: 5 });
    expect(older.responses[0].partitions).toMatchObject([{ errorCode: 6, highWatermark: -1 }]);
    const replicaState = { replicaId: 5, replicaEpoch: 1 };
    const newer = await ask(15, [from(0)], { topicId: await idOf(topic) }, { replicaState });
    expect(newer.responses[0].partitions).toMatchObject([{ errorCode: 6, highWatermark: -1 }]);
  });

  it('has no list of transactions but an empty one where there is no partition', async () => {
    const topic = await newTopic();
    const { responses } = await ask(12, [from(0), from(9), from(0, { partition: 5 })], { topic });
    expect(
      responses[0].partitions.map(({ errorCode, abortedTransactions }) => [errorCode, abortedTransactions]),
    ).toEqual([
      [0, null],
      [1, null],
      [3, []],
    ]);
  });

  it('begins a session without partitions, and ends one whose partitions are all forgotten', async () => {
    const topic = await newTopic();
    const empty = await ask(12, [], {}, { sessionEpoch: 0 });
    expect(empty.sessionId).toBeGreaterThan(0);
    const { sessionId } = await ask(12, [from(0)], { topic }, { sessionEpoch: 0 });
    const forgottenTopicsData = [{ topic, partitions: [0] }];
    const forgotten = await ask(12, [], {}, { sessionId, sessionEpoch: 1, forgottenTopicsData });
    expect(forgotten).toMatchObject({ errorCode: 0, sessionId: 0, responses: [] });
    expect(await ask(12, [], {}, { sessionId, sessionEpoch: 2 })).toMatchObject({ errorCode: 70 });
  });
});

describe('epochs of the leader', () => {
  it.each<[number, number, object]>([
    [0, -1, { errorCode: 0, leaderEpoch: 0, endOffset: 2 }],
    [0, 0, { errorCode: 0, leaderEpoch: 0, endOffset: 2 }],
    [0, 1, { errorCode: 75, leaderEpoch: -1, endOffset: -1 }],
    [0, -2, { errorCode: 74, leaderEpoch: -1, endOffset: -1 }],
    [1, -1, { errorCode: 0, leaderEpoch: -1, endOffset: -1 }],
    [-1, -1, { errorCode: 0, leaderEpoch: -1, endOffset: -1 }],
    [-2, -1, { errorCode: 0, leaderEpoch: -2, endOffset: 0 }],
  ])('%i, asked by who takes %i for the current one', async (leaderEpoch, currentLeaderEpoch, answer) => {
    const topic = await newTopic();
    await append(topic, 'a', 'b');
    const { topics } = await wire.ask(offsetForLeaderEpoch, 4, {
      topics: [{ topic, partitions: [{ partition: 0, leaderEpoch, currentLeaderEpoch }] }],
    });
    expect(topics[0].partitions).toEqual([{ partition: 0, ...answer }]);
  });

  it('are compared by ListOffsets too', async () => {
    const name = await newTopic();
    const errors = [];
    for (const currentLeaderEpoch of [-2, -1, 0, 1]) {
      const { topics } = await wire.ask(listOffsets, 7, {
        replicaId: -1,
        topics: [{ name, partitions: [{ partitionIndex: 0, currentLeaderEpoch, timestamp: -1 }] }],
      });
      errors.push(topics[0].partitions[0].errorCode);
    }
    expect(errors).toEqual([74, 0, 0, 75]);
  });
});

describe('CreateTopics', () => {
  type Asked = InputOf<typeof createTopics.request>['topics'][number];

  const create = async (asked: Partial<Asked>) => {
    const plain = { name: `topic-${++lastTopic}`, numPartitions: 1, replicationFactor: 1 };
    const topic = { ...plain, assignments: [], configs: [], ...asked };
    return (await wire.ask(createTopics, 7, { topics: [topic] })).topics[0];
  };
  const configured = (...configs: [string, string | null][]) => ({
    configs: configs.map(([name, value]) => ({ name, value })),
  });

  it.each<[string, Partial<Asked>, number]>([
    ['no partitions of two replicas', { numPartitions: 0, replicationFactor: 2 }, 37],
    ['more partitions than anybody may have', { numPartitions: 10_001 }, 44],
    [
      'a wrong config, before the number of partitions',
      { numPartitions: 0, ...configured(['retention.ms', 'x']) },
      40,
    ],
    ['a config of null', configured(['retention.ms', null]), 40],
    [
      'lags that exclude one another',
      configured(['min.compaction.lag.ms', '5'], ['max.compaction.lag.ms', '2']),
      40,
    ],
    ['replicas that are none', configured(['leader.replication.throttled.replicas', 'x']), 40],
    ['no policy at all', configured(['cleanup.policy', '']), 0],
    ['a number with a sign and blanks', configured(['retention.ms', ' +5 ']), 0],
    ['no bound of bytes', configured(['retention.bytes', '-2']), 0],
    [
      'a compression of the broker',
      configured(['compression.type', 'gzip'], ['compression.gzip.level', '9']),
      0,
    ],
  ])('%s', async (_, asked, errorCode) => {
    const { topicId, numPartitions, configs, ...answer } = await create(asked);
    expect(answer.errorCode).toBe(errorCode);
    if (errorCode === 0) {
      expect(numPartitions).toBe(1);
    } else {
      expect({ topicId, numPartitions, configs }).toEqual({
        topicId: ZERO_UUID,
        numPartitions: -1,
        configs: [],
      });
    }
  });

  it('takes the last of configs that are set twice, and tells all that hold', async () => {
    const { configs } = await create(configured(['retention.ms', '1'], ['retention.ms', '2']));
    expect(configs).toHaveLength(33);
    expect(configs).toContainEqual({
      name: 'retention.ms',
      value: '2',
      readOnly: false,
      configSource: 1,
      isSensitive: false,
    });
  });
});

describe('DeleteTopics', () => {
  const ask = async (asked: { name?: string; topicId?: string }[]) => {
    const topics = asked.map((topic) => ({ name: null, topicId: ZERO_UUID, ...topic }));
    return (await wire.ask(deleteTopics, 6, { timeoutMs: 1_000, topics })).responses;
  };

  it('does not know names that no topic may have', async () => {
    expect(await ask([{ name: 'a b' }, { name: '' }])).toMatchObject([{ errorCode: 3 }, { errorCode: 3 }]);
  });

  it('refuses once what is said twice, after all others', async () => {
    const name = await newTopic();
    const topicId = await idOf(name);
    expect(await ask([{ name }, { name }, { name: 'unknown' }])).toMatchObject([
      { errorCode: 3, name: 'unknown' },
      { errorCode: 42, name, topicId: ZERO_UUID },
    ]);
    expect(await ask([{ topicId }, { topicId }])).toMatchObject([{ errorCode: 42, name: null, topicId }]);
    expect(await ask([{ topicId }, { name }])).toMatchObject([{ errorCode: 42 }]);
    expect(await ask([{ name }])).toMatchObject([{ errorCode: 0, name, topicId }]);
  });
});

describe('CreatePartitions', () => {
  it.each(['unknown', 'a b', ''])('does not know %j', async (name) => {
    const topics = [{ name, count: 2, assignments: null }];
    const { results } = await wire.ask(createPartitions, 3, { timeoutMs: 1_000, validateOnly: true, topics });
    expect(results).toEqual([{ name, errorCode: 3, errorMessage: null }]);
  });
});

describe('InitProducerId', () => {
  it.each([
    [{}, 0],
    [{ producerId: 5, producerEpoch: 1 }, 0],
    [{ producerId: 5 }, 42],
    [{ producerEpoch: 1 }, 42],
    [{ transactionalId: '' }, 42],
  ])('%o: %i', async (more, errorCode) => {
    const request = { transactionalId: null, transactionTimeoutMs: 0, ...more };
    expect((await wire.ask(initProducerId, 4, request)).errorCode).toBe(errorCode);
  });
});

describe('configs of a topic', () => {
  const described = async (resourceName: string) => {
    const resources = [{ resourceType: 2, resourceName, configurationKeys: null }];
    const { results } = await wire.ask(describeConfigs, 4, { resources, includeSynonyms: true });
    return new Map(results[0].configs.map((config) => [config.name, config]));
  };
  const change = async (resourceName: string, ...configs: [string, number, string | null][]) => {
    const { responses } = await wire.ask(incrementalAlterConfigs, 1, {
      resources: [
        {
          resourceType: 2,
          resourceName,
          configs: configs.map(([name, configOperation, value]) => ({ name, configOperation, value })),
        },
      ],
      validateOnly: false,
    });
    return responses[0].errorCode;
  };

  it('are told with the configs of the broker from which they come', async () => {
    const configs = await described(await newTopic({ 'segment.bytes': '1048576', 'segment.ms': '1000' }));
    expect(configs.size).toBe(33);
    const synonyms = (name: string) =>
      configs.get(name)!.synonyms.map((synonym) => [synonym.name, synonym.value, synonym.source]);
    expect(synonyms('cleanup.policy')).toEqual([['log.cleanup.policy', 'delete', 5]]);
    expect(synonyms('segment.bytes')).toEqual([
      ['segment.bytes', '1048576', 1],
      ['log.segment.bytes', '1073741824', 5],
    ]);
    expect(synonyms('segment.ms')).toEqual([['segment.ms', '1000', 1]]);
    expect(synonyms('retention.ms')).toEqual([]);
    expect(configs.get('leader.replication.throttled.replicas')).toMatchObject({ value: '', configType: 7 });
  });

  it.each<[string, [string, number, string | null][], number]>([
    ['an unknown one is taken away', [['no.such', 1, null]], 0],
    ['an unknown one is set', [['no.such', 0, '1']], 40],
    ['one is set to null', [['retention.ms', 0, null]], 42],
    ['null is added to a list', [['cleanup.policy', 2, null]], 42],
    ['nothing is added to a list', [['cleanup.policy', 2, '']], 40],
    ['the last item is taken from a list', [['cleanup.policy', 3, 'delete']], 0],
    ['an item is added to no list', [['retention.ms', 2, '1']], 40],
    ['an item is added to a list of replicas', [['leader.replication.throttled.replicas', 2, '0:1,0:2']], 0],
    [
      'one is changed twice',
      [
        ['retention.ms', 0, '1'],
        ['retention.ms', 1, null],
      ],
      42,
    ],
    [
      'lags exclude one another',
      [
        ['min.compaction.lag.ms', 0, '10'],
        ['max.compaction.lag.ms', 0, '5'],
      ],
      40,
    ],
  ])('change, or do not: %s', async (_, configs, errorCode) => {
    expect(await change(await newTopic(), ...configs)).toBe(errorCode);
  });

  it('are not set for all topics at once', async () => {
    expect(await change('', ['retention.ms', 0, '1'])).toBe(42);
    expect(await change('a b', ['retention.ms', 0, '1'])).toBe(17);
  });

  it.each<[string | null, number]>([
    ['1000', 0],
    [null, 42],
    ['x', 40],
  ])('are replaced by AlterConfigs with %j: %i', async (value, errorCode) => {
    const configs = [{ name: 'retention.ms', value }];
    const { responses } = await wire.ask(alterConfigs, 2, {
      resources: [{ resourceType: 2, resourceName: await newTopic(), configs }],
      validateOnly: false,
    });
    expect(responses[0].errorCode).toBe(errorCode);
  });
});

describe('the cluster', () => {
  it.each([
    [1, 0],
    [2, 114],
    [3, 115],
    [0, 115],
  ])('asked as endpoints of type %i answers %i, as one of brokers', async (endpointType, errorCode) => {
    const request = { includeClusterAuthorizedOperations: false, endpointType };
    const answer = await wire.ask(describeCluster, 2, request);
    expect(answer).toMatchObject({ errorCode, endpointType: 1, controllerId: errorCode === 0 ? 1 : -1 });
  });

  it('leaves topics without a known partition out of its folders', async () => {
    const topic = await newTopic({}, 3);
    const sizes = async (partitions: number[]) => {
      const { results } = await wire.ask(describeLogDirs, 4, { topics: [{ topic, partitions }] });
      return results[0].topics.map((found) => found.partitions.map(({ partitionIndex }) => partitionIndex));
    };
    expect(await sizes([0, 2, 7])).toEqual([[0, 2]]);
    expect(await sizes([9])).toEqual([]);
    expect(await sizes([])).toEqual([]);
  });
});
