import { SmqClient } from '../../internal/clients/smq/client.ts';
import type { Version } from '../../internal/protocol/mqtt/packet.ts';
import { ProduceRequest, ProduceResponse } from '../../internal/protocol/smq/smq.ts';
import { LastingPublisher } from '../mqtt/lasting-publisher.ts';
import type { BrokerProcess } from './broker-process.ts';
import { createTopicsAt } from './kafka-wire.ts';
import { kafkaUrl, LastingProducer } from './lasting-producer.ts';

/* Writers by every door of a broker, each into a log of its door. */

/** The log of each door, and its partitions. */
export const LOGS = { kafka: 3, 'mqtt.x': 1, 'http.x': 1, 'smq.x': 1 };
/** What a broker is told beside where its data is: to open the doors, and to keep what comes by those that are live. */
export const DOORS = [
  ...['-listen', 'tcp://localhost:0', '-kafka', 'localhost:0', '-http', 'localhost:0'],
  ...['-grpc', 'localhost:0'],
];
export const KEPT = ['-keep', 'mqtt/#', '-keep', 'http/#'];

/** A writer by one door, which goes on with each new broker until that is killed or refuses something. */
export interface Writer {
  readonly log: keyof typeof LOGS;
  /** Texts that were acknowledged. */
  acknowledged(): string[];
  /** Resolves with what ended it, once no more comes. @throws where it can never go on. */
  run(broker: BrokerProcess): Promise<string>;
}

export function byKafka(partition: number): Writer & { producer: LastingProducer } {
  const producer = new LastingProducer(100 + partition, 'kafka', partition);
  return {
    log: 'kafka',
    producer,
    acknowledged: () => [...producer.acknowledged.values()],
    run: (broker) => producer.run(kafkaUrl(broker)).then(() => 'the connection ended', messageOf),
  };
}

/** With QoS 1 and 2 in turn; one of ten is retained. */
export function byMqtt(version: Version = 5): Writer & { publisher: LastingPublisher } {
  const publisher = new LastingPublisher(version, `publisher ${version}`, (index) => ({
    topic: 'mqtt/x',
    text: `mqtt ${version} ${index}`,
    qos: index % 2 === 0 ? 1 : 2,
    retain: index % 10 === 0,
  }));
  return {
    log: 'mqtt.x',
    publisher,
    acknowledged: () => publisher.acknowledged.map(({ text }) => text),
    async run(broker) {
      await publisher.connect(broker);
      return publisher.publish(Number.POSITIVE_INFINITY).then(() => '', messageOf);
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
      } catch (error) {
        // What was under way may have happened or not.
        return messageOf(error);
      }
    },
  };
}

export function byHttp(): Writer {
  return byRequests('http.x', async (broker) => {
    const [url] = listening(broker).http;
    return async (text) => {
      const response = await fetch(`${url}/topics/http/x?qos=1`, { method: 'POST', body: text });
      if (response.status !== 204) throw new Error(`${response.status} ${await response.text()}`);
    };
  });
}

export function bySmq(): Writer {
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

/** Makes the logs that no live topic makes. */
export async function makeTopics(broker: BrokerProcess): Promise<void> {
  for (const name of ['kafka', 'smq.x'] as const) await makeTopic(broker, name, LOGS[name]);
}

/** Makes a log by the Kafka door; it does not say whether it is there then. */
export async function makeTopic(broker: BrokerProcess, name: string, numPartitions = 1): Promise<void> {
  await createTopicsAt(kafkaUrl(broker), { [name]: numPartitions });
}

/** Where the doors are that tell a list of places. */
export function listening(broker: BrokerProcess): { http: string[]; grpc: string[] } {
  return JSON.parse(broker.stdout()) as { http: string[]; grpc: string[] };
}

function messageOf(error: unknown): string {
  return (error as Error).message;
}
