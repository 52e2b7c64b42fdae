import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SmqClient } from '../../internal/clients/smq/client.ts';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import { ProduceRequest, ProduceResponse } from '../../internal/protocol/smq/smq.ts';
import { LastingPublisher } from '../mqtt/lasting-publisher.ts';
import { LastingSubscriber } from '../mqtt/lasting-subscriber.ts';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { writeKafkaDirectory } from '../support/kafka-directory.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { kafkaUrl, LastingProducer, recordsOf } from '../support/lasting-producer.ts';
import { rounds, torturePatienceMs } from '../support/torture.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-doors-killed-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The log of each door, and its partitions. */
const LOGS = { kafka: 3, 'mqtt.x': 1, 'http.x': 1, 'smq.x': 1 };
/** Acknowledgements that each door has to give before the broker is killed. */
const AT_LEAST = 20;

/** A writer by one door, which goes on with each new broker until that is killed. */
interface Writer {
  readonly log: keyof typeof LOGS;
  /** Texts that were acknowledged. */
  acknowledged(): string[];
  run(broker: BrokerProcess): Promise<void>;
}

function byKafka(partition: number): Writer {
  const producer = new LastingProducer(100 + partition, 'kafka', partition);
  return {
    log: 'kafka',
    acknowledged: () => [...producer.acknowledged.values()],
    run: (broker) => producer.run(kafkaUrl(broker)),
  };
}

function byMqtt(): Writer & { publisher: LastingPublisher } {
  const publisher = new LastingPublisher(5, 'publisher', (index) => ({
    topic: 'mqtt/x',
    text: `mqtt ${index}`,
    qos: index % 2 === 0 ? 1 : 2,
    retain: index % 10 === 0,
  }));
  return {
    log: 'mqtt.x',
    publisher,
    acknowledged: () => publisher.acknowledged.map(({ text }) => text),
    async run(broker) {
      await publisher.connect(broker);
      await publisher.publish(Number.POSITIVE_INFINITY).catch(() => {});
    },
  };
}

/** One that asks again and again, until a request fails. */
function byRequests(
  log: keyof typeof LOGS,
  open: (broker: BrokerProcess) => Promise<(text: string) => Promise<void>>,
): Writer {
  const acknowledged: string[] = [];
  let made = 0;
  return {
    log,
    acknowledged: () => acknowledged,
    async run(broker) {
      const ask = await open(broker);
      try {
        for (;;) {
          const text = `${log} ${made++}`;
          await ask(text);
          acknowledged.push(text);
        }
      } catch {
        // What was under way may have happened or not.
      }
    },
  };
}

function byHttp(): Writer {
  return byRequests('http.x', async (broker) => {
    const [url] = listening(broker).http;
    return async (text) => {
      const { status } = await fetch(`${url}/topics/http/x?qos=1`, { method: 'POST', body: text });
      expect(status).toBe(204);
    };
  });
}

function bySmq(): Writer {
  return byRequests('smq.x', async (broker) => {
    const { hostname, port } = new URL(listening(broker).grpc[0]!.replace(/^\w+:/, 'http:'));
    const address = { host: hostname, port: Number(port) };
    const client = await SmqClient.connect(address, {
      ...{ tls: undefined, stop: new AbortController().signal },
      ...{ connectTimeoutMs: 10_000, requestTimeoutMs: 60_000 },
    });
    const types = { request: ProduceRequest, response: ProduceResponse };
    return async (text) => {
      await client.unary('Produce', types, { topic: 'smq.x', message: Buffer.from(text) });
    };
  });
}

/** Those that no live topic makes. */
async function makeTopics(broker: BrokerProcess): Promise<void> {
  const wire = await KafkaWire.open(kafkaUrl(broker));
  const assigned = { replicationFactor: 1, assignments: [], configs: [] };
  const topics = (['kafka', 'smq.x'] as const).map((name) => ({
    name,
    numPartitions: LOGS[name],
    ...assigned,
  }));
  await wire.ask(createTopics, 5, { topics, timeoutMs: 10_000, validateOnly: false });
  wire.close();
}

/**
 * A door on a machine with other work takes seconds for twenty requests, one after the other, each of which waits for the
 * disk: one that hangs is one that does not answer the next.
 */
async function untilWritten(writer: Writer, before: number): Promise<void> {
  for (let count = 1; count <= AT_LEAST; count++) {
    await eventually(
      () => writer.acknowledged().length >= before + count,
      `acknowledgement ${count} of ${AT_LEAST} for ${writer.log}`,
    );
  }
}

function listening(broker: BrokerProcess): { http: string[]; grpc: string[] } {
  return JSON.parse(broker.stdout()) as { http: string[]; grpc: string[] };
}

const STORES = [
  {
    name: 'a data folder',
    place: (path: string) => ['-data-dir', path, '-keep', 'mqtt/#', '-keep', 'http/#'],
  },
  { name: "a Kafka's directory", place: kafkaDirectory },
];

function kafkaDirectory(path: string): string[] {
  const topics = Object.entries(LOGS).map(([name, partitionCount], index) => ({
    name,
    topicId: Buffer.alloc(16, index + 1).toString('base64url'),
    partitionCount,
  }));
  writeKafkaDirectory(path, topics);
  return ['-kafka-log-dir', path, '-data-dir', `${path} sessions`];
}

describe.each(STORES)('kill -9 while every door writes, with $name', ({ name, place }) => {
  it.each(['commit', 'os'])(
    'leaves all that any of them acknowledged (-fsync %s)',
    async (fsync) => {
      const flags = [
        ...[
          '-listen',
          'tcp://localhost:0',
          '-kafka',
          'localhost:0',
          '-http',
          'localhost:0',
          '-grpc',
          'localhost:0',
        ],
        ...['-fsync', fsync],
        ...place(join(folder, `${name} ${fsync}`)),
      ];
      const mqtt = byMqtt();
      const writers: Writer[] = [byKafka(0), byKafka(1), byKafka(2), mqtt, byHttp(), bySmq()];
      const subscriber = new LastingSubscriber(5, 'subscriber');
      const start = () => startBrokerProcess(flags);
      let broker = await start();
      try {
        if (name === 'a data folder') await makeTopics(broker);
        await subscriber.connect(broker);
        await subscriber.subscribe('mqtt/x', 2);
        for (let round = 0; round < rounds(2); round++) {
          if (round > 0) await subscriber.connect(broker);
          const before = writers.map((writer) => writer.acknowledged().length);
          const running = writers.map((writer) => writer.run(broker));
          for (const [at, writer] of writers.entries()) await untilWritten(writer, before[at]!);
          await broker.stop('SIGKILL');
          await Promise.all(running);
          broker = await start();
        }
        for (const log of Object.keys(LOGS) as (keyof typeof LOGS)[]) {
          const found = new Set<string>();
          for (let partition = 0; partition < LOGS[log]; partition++) {
            for (const [, text] of await recordsOf(kafkaUrl(broker), log, partition)) found.add(text);
          }
          const acknowledged = writers
            .filter((writer) => writer.log === log)
            .flatMap((writer) => writer.acknowledged());
          expect([log, acknowledged.filter((text) => !found.has(text))]).toEqual([log, []]);
        }
        await mqtt.publisher.connect(broker);
        await mqtt.publisher.settle();
        await subscriber.connect(broker);
        const all = mqtt.publisher.acknowledged.map(({ text }) => text);
        await eventually(
          () => new Set(subscriber.delivered.map(({ text }) => text)).size === all.length,
          'the session has all',
        );
        await subscriber.drop();
        mqtt.publisher.drop();
      } finally {
        // Whatever ended it: nobody else would end the broker.
        await broker.stop('SIGKILL');
      }
    },
    torturePatienceMs(240_000),
  );
});
