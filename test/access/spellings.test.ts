import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseRules } from '../../internal/access/rules/parse-rules.ts';
import { RulePolicy } from '../../internal/access/rules/rule-policy.ts';
import { buildBatch, type NewRecord } from '../../internal/batch/build.ts';
import type { Codec } from '../../internal/batch/compression/compression.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { fetch } from '../../internal/protocol/kafka/apis/01-fetch.ts';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import { KafkaErrorCode } from '../../internal/protocol/kafka/error-codes.ts';
import { ZERO_UUID } from '../../internal/protocol/kafka/schema.ts';
import { sharedLogOf } from '../../internal/server/access.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';
import { connectRaw } from '../support/raw-client.ts';

const DENIED = KafkaErrorCode.topicAuthorizationFailed;
const NOT_AUTHORIZED = 0x87;

/** Everybody may everything but what is below `secret` and `sensors`. */
const RULES = parseRules(
  [
    { deny: ['publish', 'subscribe'], users: ['*'], topics: ['secret/#', 'sensors/#'] },
    { allow: ['connect', 'publish', 'subscribe', 'create', 'describe'], users: ['*'], topics: ['#'] },
    { allow: ['alter'], users: ['*'], sessions: ['mirrored-*'] },
  ],
  'file',
);

let broker: RunningBroker;
let wire: KafkaWire;

beforeEach(async () => {
  const policy = new RulePolicy({ sharedLogOf });
  policy.replace(RULES, true);
  broker = await startBroker({
    listen: ['tcp://localhost:0'],
    kafka: { listen: ['tcp://127.0.0.1:0'] },
    keep: [{ filter: 'all/#', name: 'all' }, { filter: '+' }],
    memory: true,
    sysIntervalMs: 0,
    policy,
  });
  wire = await KafkaWire.open(urlOf(broker, 'kafka'));
});
afterEach(async () => {
  wire.close();
  await broker.close();
});

async function produced(
  name: string,
  record: Partial<NewRecord> = {},
  compression: Codec = 'none',
): Promise<number> {
  const input = { timestamp: Date.now(), key: null, value: Buffer.from('x'), headers: [], ...record };
  const partitionData = [{ index: 0, records: buildBatch([input], { compression }) }];
  const answer = await wire.ask(produce, 9, {
    transactionalId: null,
    acks: -1,
    timeoutMs: 1_000,
    topicData: [{ name, partitionData }],
  });
  return answer.responses[0]!.partitionResponses[0]!.errorCode;
}

async function created(name: string): Promise<void> {
  const topic = { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };
  await wire.ask(createTopics, 7, { topics: [topic], timeoutMs: 1_000, validateOnly: false });
}

async function fetched(name: string) {
  const partition = { partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000_000 };
  const answer = await wire.ask(fetch, 11, {
    maxWaitMs: 0,
    minBytes: 0,
    topics: [{ topic: name, topicId: ZERO_UUID, partitions: [partition] }],
  });
  const { errorCode, records } = answer.responses[0]!.partitions[0]!;
  return { errorCode, bytes: records?.length ?? 0 };
}

describe('a rule on sensors/# holds', () => {
  it('for the log sensors.temp, and not for sensors_temp, which is another one', async () => {
    for (const name of ['sensors.temp', 'sensors_temp', 'sensors']) await created(name);
    expect(await produced('sensors.temp')).toBe(DENIED);
    expect(await produced('sensors')).toBe(DENIED);
    expect((await fetched('sensors.temp')).errorCode).toBe(DENIED);
    expect(await produced('sensors_temp')).toBe(0);
    expect((await fetched('sensors_temp')).bytes).toBeGreaterThan(0);
  });

  it('for a live topic that is kept in the same log', async () => {
    const client = await connectMqtt(broker.url, 5);
    expect(await client.publishSafely('sensors/temp', 'x')).toBe(NOT_AUTHORIZED);
    expect(await client.publishSafely('sensors.temp', 'x')).toBe(NOT_AUTHORIZED);
    expect(await client.publishSafely('other.temp', 'x')).toBeLessThan(0x80);
    expect((await fetched('other.temp')).bytes).toBeGreaterThan(0);
    client.drop();
  });

  it('for names that only look like it', async () => {
    for (const name of ['sensors/temp', 'SENSORS.temp', 'sensors..temp', '.sensors.temp'])
      await created(name);
    // No log has a slash; what the other names lead to are other topics, or below sensors.
    expect(await produced('sensors/temp')).not.toBe(0);
    expect(await produced('sensors..temp')).toBe(DENIED);
    expect(await produced('SENSORS.temp')).toBe(0);
    expect(await produced('.sensors.temp')).toBe(0);
  });
});

// A record of a log that several topics share says in a header which it was published to. A producer of Kafka can write
// such a header too: its record was then delivered to subscribers of any topic, whatever the rules said.
describe('a record that says of itself that it was published to another topic', () => {
  const header = (topic: string) => ({ headers: [{ key: 'tinymq.topic', value: Buffer.from(topic) }] });

  it.each<[string, Codec]>([
    ['all', 'none'],
    ['all', 'gzip'],
    ['open', 'none'],
  ])('is refused by the rules on that topic: log %s, %s', async (log, codec) => {
    const publisher = await connectMqtt(broker.url, 5);
    // So the log is one of several topics.
    await publisher.publishSafely('all/a', 'x');
    await created(log);
    expect(await produced(log, header('secret/a'), codec)).toBe(DENIED);
    expect(await produced(log, header('secret.a'), codec)).toBe(DENIED);
    expect(await produced(log, header('all/b'), codec)).toBe(0);
    expect(await produced(log, { headers: [{ key: 'a', value: Buffer.from('secret/a') }] }, codec)).toBe(0);
    publisher.drop();
  });
});

// Live subscribers are told who published a message. For a record that is what its header says, which any producer of Kafka
// could write: mallory appeared as sensor-7.
describe('a record that says of itself that a client published it', () => {
  const by = (...clients: (string | null)[]) => ({
    headers: clients.map((name) => ({
      key: 'tinymq.client',
      value: name === null ? null : Buffer.from(name),
    })),
  });

  it.each<Codec>(['none', 'gzip'])(
    'is refused unless its user may publish as that client (%s)',
    async (codec) => {
      await created('open');
      const subscriber = await connectRaw(broker.url, 'subscriber');
      const seen: string[] = [];
      await subscriber.subscribe('open');
      subscriber.consume(({ clientId }) => void seen.push(clientId));
      expect(await produced('open', by('sensor-7'), codec)).toBe(DENIED);
      // The last one counts.
      expect(await produced('open', by('mirrored-1', 'sensor-7'), codec)).toBe(DENIED);
      expect(await produced('open', by('mirrored-1'), codec)).toBe(0);
      expect(await produced('open', by('', null), codec)).toBe(0);
      expect(await produced('open', {}, codec)).toBe(0);
      await expect.poll(() => seen).toEqual(['mirrored-1', '', '']);
      subscriber.stream.destroy();
    },
  );

  it('is what a live client published, whatever properties it adds', async () => {
    await created('open');
    const subscriber = await connectRaw(broker.url, 'subscriber');
    const seen: string[] = [];
    await subscriber.subscribe('$replay/earliest/open');
    subscriber.consume(({ clientId }) => void seen.push(clientId));
    const client = await connectMqtt(broker.url, 5, { clientId: 'mallory' });
    const userProperties: [string, string][] = [['tinymq.client', 'sensor-7']];
    client.publish('open', 'x', { qos: 1, properties: { userProperties } });
    await client.any();
    await expect.poll(() => seen).toEqual(['mallory']);
    for (const each of [client, subscriber]) each.stream.destroy();
  });
});
