import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildBatch } from '../../internal/batch/build.ts';
import { records } from '../../internal/batch/read.ts';
import { parseBatchHeader } from '../../internal/batch/record-batch.ts';
import { MovableClock } from '../../internal/lib/clock.ts';
import { FrameBit, FrameType } from '../../internal/protocol/frame/frame.ts';
import { payloadWith, readProperties } from '../../internal/protocol/frame/properties.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { fetch as fetchApi } from '../../internal/protocol/kafka/apis/01-fetch.ts';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { fetchOf, topicOf } from '../access/kafka-requests.ts';
import { TestClient } from '../grpc/grpc-client.ts';
import { connectMqtt, type RawMqtt } from '../mqtt/client.ts';
import { TestEventSource } from '../support/event-source.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';
import { openStream, RawClient } from '../support/raw-client.ts';

/* What comes in by any door goes out by every door: live, by offset, retained. */

/** A message as far as doors have it in common: Latin-1 for the payload, and user properties, or headers. */
interface Crossing {
  text: string;
  headers?: [name: string, value: string][];
}

interface Sending extends Crossing {
  retain?: boolean;
  expiryS?: number;
}

interface Sender {
  name: string;
  /** What it can say beside topic and payload. */
  says: readonly ('headers' | 'retain' | 'expiry')[];
  send(topic: string, message: Sending): Promise<unknown>;
}

interface Reader {
  name: string;
  /** Whether it shows user properties or headers. */
  hasHeaders: boolean;
  /** What comes to a topic from now on, and what is retained there; undefined where it reads logs only. */
  live?: (topic: string) => Promise<() => Promise<Crossing>>;
  /** What its log has. */
  byOffset?: (topic: string) => Promise<Crossing>;
}

const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, value) => value)).toString('latin1');
const HEADERS: [string, string][] = [
  ['unit', '°C'],
  ['list', 'one, two'],
  ['unit', 'again'],
];

const clock = new MovableClock(Date.now());
let broker: RunningBroker;
let http = '';
let kafka: KafkaWire;
let grpc: TestClient;
let frames: RawClient;
const mqtt = {} as Record<4 | 5, RawMqtt>;
let used = 0;

beforeAll(async () => {
  const listen = ['tcp://127.0.0.1:0'];
  const doors = { listen, kafka: { listen }, grpc: { listen }, http: { listen: ['http://127.0.0.1:0'] } };
  broker = await startBroker({ ...doors, memory: true, sysIntervalMs: 0, clock });
  http = urlOf(broker, 'http');
  kafka = await KafkaWire.open(urlOf(broker, 'kafka'));
  grpc = new TestClient(urlOf(broker, 'grpc'));
  frames = await openFrames('sender of frames');
  for (const version of [4, 5] as const) mqtt[version] = await connectMqtt(broker.url, version);
});
afterAll(async () => {
  kafka.close();
  grpc.close();
  frames.stream.destroy();
  for (const client of Object.values(mqtt)) client.drop();
  await broker.close();
});

const logOf = (topic: string) => topic.replace('/', '.');
const bytesOf = (text: string) => Buffer.from(text, 'latin1');
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

const byHttp: Sender = {
  name: 'HTTP',
  says: ['headers', 'retain', 'expiry'],
  async send(topic, { text, headers = [], retain = false, expiryS }) {
    // `fetch` joins headers of one name.
    const query = new URLSearchParams({ qos: '1' });
    for (const [name, value] of headers) query.append('property', `${name}=${value}`);
    if (retain) query.append('retain', '');
    if (expiryS !== undefined) query.append('expiry', String(expiryS));
    const init = { method: 'POST', body: bytesOf(text) };
    expect((await fetch(`${http}/topics/${topic}?${query}`, init)).status).toBe(204);
  },
};

const OTHER_SENDERS: readonly Sender[] = [
  {
    ...{ name: 'frames', says: ['headers', 'retain', 'expiry'] },
    async send(topic, { text, headers, retain, expiryS }) {
      const said = {
        ...(headers && { headers }),
        ...(retain && { retain }),
        ...(expiryS !== undefined && { expiresInMs: expiryS * 1_000 }),
      };
      const payload = payloadWith(said, bytesOf(text));
      frames.send(FrameType.publish | FrameBit.acknowledged | FrameBit.properties, topic, payload);
      await frames.expect(FrameType.acknowledge | FrameBit.acknowledged);
    },
  },
  {
    ...{ name: 'MQTT 3.1.1', says: ['retain'] },
    send: (topic, { text, retain = false }) => publishSafely(4, topic, text, { retain }),
  },
  {
    ...{ name: 'MQTT 5', says: ['headers', 'retain', 'expiry'] },
    send: (topic, { text, headers, retain = false, expiryS }) =>
      publishSafely(5, topic, text, {
        retain,
        properties: {
          ...(headers && { userProperties: headers }),
          ...(expiryS !== undefined && { messageExpiryIntervalS: expiryS }),
        },
      }),
  },
  {
    ...{ name: 'Kafka', says: ['headers'] },
    async send(topic, { text, headers = [] }) {
      const all = headers.map(([key, value]) => ({ key, value: Buffer.from(value) }));
      const record = { timestamp: clock.now(), key: null, value: bytesOf(text), headers: all };
      const partitionData = [{ index: 0, records: buildBatch([record]) }];
      const topicData = [{ name: logOf(topic), partitionData }];
      await kafka.ask(produce, 9, { transactionalId: null, acks: -1, timeoutMs: 1_000, topicData });
    },
  },
  {
    ...{ name: 'gRPC', says: [] },
    send: (topic, { text }) => grpc.unary('Produce', { topic, message: bytesOf(text) }),
  },
];

const publishSafely = (version: 4 | 5, topic: string, text: string, options: object) => {
  mqtt[version].publish(topic, bytesOf(text), { qos: 1, ...options });
  return mqtt[version].any();
};

const READERS: readonly Reader[] = [
  {
    ...{ name: 'frames', hasHeaders: true },
    live: (topic) => framesReader(topic),
    byOffset: async (topic) => (await framesReader(`$replay/earliest/${topic}`))(),
  },
  ...([4, 5] as const).map(
    (version): Reader => ({
      ...{ name: version === 4 ? 'MQTT 3.1.1' : 'MQTT 5', hasHeaders: version === 5 },
      live: (topic) => mqttReader(version, topic),
      byOffset: async (topic) => (await mqttReader(version, `$replay/earliest/${topic}`))(),
    }),
  ),
  {
    ...{ name: 'Kafka', hasHeaders: true },
    async byOffset(topic) {
      const { responses } = await kafka.ask(fetchApi, 12, fetchOf(logOf(topic), 0, 0));
      const bytes = responses[0]!.partitions[0]!.records!;
      const [record] = records(bytes, parseBatchHeader(bytes, 0), 1_000_000);
      const headers = record!.headers.filter(({ key }) => !key.startsWith('tinymq.'));
      return {
        text: textOf(record!.value!),
        headers: headers.map(({ key, value }) => [key, Buffer.from(value!).toString()]),
      };
    },
  },
  {
    ...{ name: 'gRPC', hasHeaders: false },
    byOffset: async (topic) => ({
      text: textOf((await grpc.unary('Consume', { topic, offset: 1n })).message),
    }),
  },
];

const fromHttp: Reader = {
  ...{ name: 'HTTP', hasHeaders: true },
  async live(topic) {
    const source = await TestEventSource.open(`${http}/topics/${topic}?follow`);
    return async () => {
      await source.has(1);
      source.close();
      return crossingOf(source.events[0]!.data);
    };
  },
  async byOffset(topic) {
    const answer = await (await fetch(`${http}/topics/${topic}?from=earliest`)).text();
    return crossingOf(JSON.parse(answer.split('\n')[0]!));
  },
};

async function framesReader(filter: string) {
  const client = await openFrames(`reader ${++used}`);
  await client.subscribe(filter);
  return async () => {
    const { type, payload } = await client.next();
    client.stream.destroy();
    if ((type & FrameBit.properties) === 0) return { text: textOf(payload) };
    const { properties, messageStart } = readProperties(payload, 0, payload.length);
    return { text: textOf(payload.subarray(messageStart)), headers: properties.headers };
  };
}

async function openFrames(id: string): Promise<RawClient> {
  const client = new RawClient(await openStream(broker.url), id);
  client.send(FrameType.connect, '', 'acks retain headers expiry');
  await client.expect(FrameType.connack);
  return client;
}

async function mqttReader(version: 4 | 5, filter: string) {
  const client = await connectMqtt(broker.url, version);
  await client.subscribe(filter, 1);
  return async () => {
    const { payload, properties } = await client.message();
    client.drop();
    // What a replay says of the place in the log is no property of the message.
    const own = properties.userProperties?.filter(([name]) => !name.startsWith('tinymq.'));
    return { text: textOf(payload), headers: own as [string, string][] };
  };
}

interface MessageJson {
  payload: string;
  encoding?: 'base64';
  userProperties?: { name: string; value: string }[];
}

function crossingOf({ payload, encoding = undefined, userProperties = [] }: MessageJson): Crossing {
  return {
    text: textOf(Buffer.from(payload, encoding ?? 'utf8')),
    headers: userProperties.map(({ name, value }) => [name, value]),
  };
}

/** A topic with a log, so that every door can have its messages. */
async function newTopic(): Promise<string> {
  const topic = `crossing/${++used}`;
  await kafka.ask(createTopics, 7, {
    topics: [topicOf(logOf(topic))],
    ...{ timeoutMs: 1_000, validateOnly: false },
  });
  return topic;
}

const PAIRS: [string, string, Sender, Reader][] = [
  ...[...OTHER_SENDERS, byHttp].flatMap((sender) =>
    [...READERS, fromHttp].map((reader): [string, string, Sender, Reader] => [
      sender.name,
      reader.name,
      sender,
      reader,
    ]),
  ),
];

describe.each(PAIRS)('in by %s, out by %s', (_in, _out, sender, reader) => {
  const says = (what: Sender['says'][number]) => sender.says.includes(what);
  const headers = says('headers') && reader.hasHeaders ? HEADERS : undefined;
  const sent = { text: EVERY_BYTE, ...(says('headers') && { headers: HEADERS }) };

  function expectSame(found: Crossing): void {
    expect(found.text).toBe(EVERY_BYTE);
    if (headers !== undefined) expect(found.headers).toEqual(headers);
  }

  it.runIf(reader.live !== undefined)('live', async () => {
    const topic = await newTopic();
    const next = await reader.live!(topic);
    await sender.send(topic, sent);
    expectSame(await next());
  });

  it('by offset', async () => {
    const topic = await newTopic();
    await sender.send(topic, sent);
    await expect.poll(async () => (await fetch(`${http}/topics/${topic}?from=earliest`)).text()).not.toBe('');
    expectSame(await reader.byOffset!(topic));
  });

  it.runIf(says('retain') && reader.live !== undefined)('retained', async () => {
    const topic = `retained/${++used}`;
    await sender.send(topic, { ...sent, retain: true });
    expectSame(await (await reader.live!(topic))());
  });

  it.runIf(says('retain') && says('expiry') && reader.live !== undefined)('until it expires', async () => {
    const topic = `expiring/${++used}`;
    await sender.send(topic, { ...sent, retain: true, expiryS: 60 });
    await clock.advance(59_000);
    expectSame(await (await reader.live!(topic))());
    await clock.advance(2_000);
    const next = await reader.live!(topic);
    await sender.send(topic, { text: EVERY_BYTE, ...(headers && { headers }) });
    expectSame(await next());
    expect((await fetch(`${http}/topics/${topic}`)).status).toBe(404);
  });
});
