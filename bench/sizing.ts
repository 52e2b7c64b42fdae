/**
 * What one more of each thing takes of a broker: `node bench/sizing.ts [-only WORD]`. It starts `bin/broker` anew for each
 * line, makes many of the thing, and divides what the resident memory and the data folder grew by. docs/sizing.md has what
 * came of it.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createTopics } from '../internal/protocol/kafka/apis/19-create-topics.ts';
import { freePort } from '../test/support/free-port.ts';
import { makeCertificates } from './certificates.ts';
import { openInWaves } from './load/connect-all.ts';
import { Connection } from './load/connection.ts';
import { KafkaConnection } from './load/kafka/connection.ts';
import { fillTopic } from './load/kafka/topic.ts';
import { mqtt, mqttPacket, mqttPersistent, mqttString, subackPacket, subscribePacket } from './peers/mqtt.ts';
import type { Address, Wire } from './peers/peer.ts';
import { frames } from './peers/tinymq.ts';
import { LOAD_CORE, residentBytes, type Started, start, untilListening } from './processes.ts';

const BROKER = fileURLToPath(new URL('../bin/broker', import.meta.url));
const CONNECTIONS = 5_000;
const MANY = 100_000;
const SESSIONS = 10_000;
const LOGS = 2_000;
const PAYLOAD = Buffer.alloc(100, 'x');
/** Until memory that was needed only meanwhile has been given back. */
const SETTLE_MS = 5_000;
/** What one connection asks before it waits for the answer. */
const BLOCK = 1_000;
const CREATE_TOPICS_VERSION = 5;
/** The first byte of PUBLISH, without DUP and RETAIN. */
const PUBLISH_QOS_1 = 0x32;

/** A broker that is measured. */
interface Measured {
  readonly broker: Started;
  readonly folder: string;
  readonly live: Address & { transport: 'tcp' };
  readonly tls: Address & { transport: 'tls' };
  readonly http: number;
  readonly grpc: number;
  readonly kafka: number;
}

/** One line of the table. */
interface Line {
  readonly what: string;
  readonly count: number;
  readonly flags?: readonly string[];
  /** Before the first look. */
  readonly prepare?: (measured: Measured) => Promise<unknown>;
  /** Makes the things; what it returns is kept until the second look. */
  readonly make: (measured: Measured, count: number) => Promise<unknown>;
}

const LINES: readonly Line[] = [
  { what: 'idle connection, frames', count: CONNECTIONS, make: (at, count) => idle(at.live, frames, count) },
  { what: 'idle connection, MQTT', count: CONNECTIONS, make: (at, count) => idle(at.live, mqtt, count) },
  {
    what: 'idle connection, MQTT over TLS',
    count: CONNECTIONS,
    make: (at, count) => idle(at.tls, mqtt, count),
  },
  {
    what: 'idle connection, Kafka',
    count: CONNECTIONS,
    make: (at, count) => inWaves(count, () => KafkaConnection.open(at.kafka)),
  },
  {
    what: 'idle connection, HTTP',
    count: CONNECTIONS,
    make: ({ http }, count) =>
      inWaves(count, () => asking(http, 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n')),
  },
  {
    what: 'idle connection, gRPC',
    count: CONNECTIONS,
    make: ({ grpc }, count) => inWaves(count, () => asking(grpc, HTTP2_HELLO)),
  },
  { what: 'subscription of a connected client', count: MANY, make: (at, count) => subscriptions(at, count) },
  {
    what: 'retained message of 100 B',
    count: MANY,
    make: (at, count) => publishing(at, count, (index) => retained(index)),
  },
  {
    what: 'live topic that is published to',
    count: MANY,
    prepare: (at) => subscriber(at.live),
    make: (at, count) => publishing(at, count, (index) => mqtt.publish(`site/${index}/temp`, PAYLOAD, '')),
  },
  {
    what: 'durable session, its client away, one filter',
    count: SESSIONS,
    make: (at, count) => sessions(at, count),
  },
  {
    what: 'message of 100 B that waits in a session',
    count: MANY,
    flags: ['-session-queue', String(MANY)],
    prepare: (at) => sessions(at, 1),
    make: (at, count) => publishing(at, count, (index) => acknowledged('site/0/temp', index)),
  },
  {
    what: 'log with one message of 100 B',
    count: LOGS,
    flags: ['-keep', 'site/#'],
    make: (at, count) => publishing(at, count, (index) => acknowledged(`site/${index}/temp`, index)),
  },
  { what: 'partition without messages', count: MANY / 10, make: (at, count) => partitions(at, count) },
  {
    what: 'kept message of 100 B, published one by one',
    count: MANY,
    flags: ['-keep', 'site/#'],
    make: (at, count) => publishing(at, count, (index) => acknowledged('site/0/temp', index), 1),
  },
  {
    what: 'kept message of 100 B, published in a stream',
    count: MANY,
    flags: ['-keep', 'site/#'],
    make: (at, count) => publishing(at, count, (index) => acknowledged('site/0/temp', index)),
  },
  {
    what: 'record of 100 B, produced in batches of 16 KiB',
    count: MANY,
    make: ({ kafka }, count) =>
      fillTopic(
        kafka,
        'produced',
        { recordBytes: PAYLOAD.length, batchBytes: 16_384 },
        count * PAYLOAD.length,
      ),
  },
];

/** Preface, SETTINGS, and a PING whose answer shows that it was taken. */
const HTTP2_HELLO = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Uint8Array.of(0, 0, 0, 4, 0, 0, 0, 0, 0),
  Uint8Array.of(0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8),
]);

async function main(): Promise<void> {
  const at = process.argv.indexOf('-only');
  const only = at === -1 ? '' : process.argv[at + 1]!;
  const wanted = LINES.filter(({ what }) => what.includes(only));
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-sizing-'));
  try {
    const base = await startMeasured(folder, []);
    await sleep(SETTLE_MS);
    console.log(`broker at rest, all doors open: ${inMiB(residentBytes(base.broker.pid))} MiB`);
    await base.broker.end();
    console.log('| one more | memory | disk | measured with |\n|---|---|---|---|');
    for (const line of wanted) console.log(await measure(folder, line));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  process.exit();
}

async function measure(folder: string, { what, count, flags = [], prepare, make }: Line): Promise<string> {
  const measured = await startMeasured(folder, flags);
  await prepare?.(measured);
  await sleep(SETTLE_MS);
  const before = { memory: residentBytes(measured.broker.pid), disk: sizeOf(measured.folder) };
  const kept = await make(measured, count).catch((error: Error) => {
    throw new Error(`${what}: ${error.message}; the broker said: ${measured.broker.output()}`);
  });
  await sleep(SETTLE_MS);
  const memory = (residentBytes(measured.broker.pid) - before.memory) / count;
  if (kept === undefined) throw new Error(`nothing was made for ${what}`);
  // An orderly end writes everything into the file itself.
  await measured.broker.end();
  const disk = (sizeOf(measured.folder) - before.disk) / count;
  return `| ${what} | ${inBytes(memory)} | ${inBytes(disk)} | ${count.toLocaleString('en')} |`;
}

async function startMeasured(parent: string, flags: readonly string[]): Promise<Measured> {
  const folder = mkdtempSync(join(parent, 'broker-'));
  const { certFile, keyFile, caFile } = makeCertificates(parent);
  const [live, tls, http, grpc, kafka] = await Promise.all([0, 1, 2, 3, 4].map(freePort));
  const doors = [
    '-kafka',
    `tcp://127.0.0.1:${kafka}`,
    '-grpc',
    `tcp://127.0.0.1:${grpc}`,
    '-http',
    `http://127.0.0.1:${http}`,
  ];
  const listen = `tcp://127.0.0.1:${live},tls://127.0.0.1:${tls}`;
  const certificates = ['-tls-cert', certFile, '-tls-key', keyFile];
  const args = ['-listen', listen, ...doors, '-data-dir', folder, ...certificates, ...flags];
  const broker = start({ program: BROKER, args }, 1 - LOAD_CORE);
  const addresses = {
    live: { transport: 'tcp', port: live! } as const,
    tls: { transport: 'tls', port: tls!, caFile } as const,
  };
  await untilListening(broker, addresses.live);
  return { broker, folder, ...addresses, http: http!, grpc: grpc!, kafka: kafka! };
}

function idle(address: Address, wire: Wire, count: number): Promise<Connection[]> {
  return openInWaves(count, (index) => Connection.open(address, wire, `idle-${index}`));
}

async function inWaves<T>(count: number, open: () => Promise<T>): Promise<T[]> {
  const opened: T[] = [];
  while (opened.length < count) opened.push(...(await Promise.all(Array.from({ length: 100 }, open))));
  return opened;
}

/** A connection that has had an answer. */
function asking(port: number, request: string | Uint8Array): Promise<object> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(port, '127.0.0.1', () => socket.write(request));
    socket.once('data', () => resolve(socket)).once('error', reject);
  });
}

async function subscriber(address: Address): Promise<Connection> {
  const connection = await Connection.open(address, mqtt, 'subscriber');
  await connection.ask(subscribePacket('#', 0));
  return connection;
}

async function subscriptions({ live }: Measured, count: number): Promise<Connection[]> {
  const clients = await openInWaves(10, (index) => Connection.open(live, mqtt, `client-${index}`));
  for (const [client, connection] of clients.entries()) {
    await inBlocks(connection, count / clients.length, (index) =>
      subscribePacket(`site/${client}/${index}/temp`, 0),
    );
  }
  return clients;
}

/** Sessions whose clients subscribed to a topic of their own, and left. */
async function sessions({ live }: Measured, count: number): Promise<object> {
  for (let first = 0; first < count; first += 100) {
    const wave = Array.from({ length: Math.min(100, count - first) }, async (_, offset) => {
      const client = await Connection.open(live, mqttPersistent, `session-${first + offset}`);
      // The answer comes when the session is safe, later than one to PINGREQ.
      await client.askFor(subackPacket(1), subscribePacket(`site/${first + offset}/temp`, 1));
      client.close();
    });
    await Promise.all(wave);
  }
  return {};
}

function retained(index: number): Uint8Array {
  return mqttPacket(0x33, mqttString(`site/${index}/temp`), packetId(index), PAYLOAD);
}

function acknowledged(topic: string, index: number): Uint8Array {
  return mqttPacket(0x32, mqttString(topic), packetId(index), PAYLOAD);
}

function packetId(index: number): Uint8Array {
  const id = (index % 0xffff) + 1;
  return Uint8Array.of(id >>> 8, id);
}

async function publishing(
  { live }: Measured,
  count: number,
  packet: (index: number) => Uint8Array,
  blockSize = BLOCK,
): Promise<Connection> {
  const publisher = await Connection.open(live, mqtt, 'publisher');
  await inBlocks(publisher, count, packet, blockSize);
  return publisher;
}

/** Writes packets, and waits for the answer to the last one of each block. */
async function inBlocks(
  connection: Connection,
  count: number,
  packet: (index: number) => Uint8Array,
  blockSize = BLOCK,
): Promise<void> {
  for (let first = 0; first < count; first += blockSize) {
    const size = Math.min(blockSize, count - first);
    const block = Buffer.concat(Array.from({ length: size }, (_, offset) => packet(first + offset)));
    const asksForPuback = (block[0]! & 0xf6) === PUBLISH_QOS_1;
    if (asksForPuback) await connection.askFor(puback(first + size - 1), block);
    else await connection.ask(block);
  }
}

function puback(index: number): Uint8Array {
  return Uint8Array.of(0x40, 2, ...packetId(index));
}

/** A topic with so many partitions. */
async function partitions({ kafka }: Measured, count: number): Promise<KafkaConnection> {
  const connection = await KafkaConnection.open(kafka);
  const topic = {
    name: 'partitioned',
    numPartitions: count,
    replicationFactor: 1,
    assignments: [],
    configs: [],
  };
  const { topics } = await connection.ask(createTopics, CREATE_TOPICS_VERSION, { topics: [topic] });
  if (topics[0]!.errorCode !== 0) throw new Error(`the topic was not created: ${topics[0]!.errorMessage}`);
  return connection;
}

/** Bytes of the files in a folder. */
function sizeOf(folder: string): number {
  const sizes = readdirSync(folder).map((name) => statSync(join(folder, name)).size);
  return sizes.reduce((sum, size) => sum + size, 0);
}

function inMiB(bytes: number): string {
  return (bytes / 1024 ** 2).toFixed(0);
}

function inBytes(bytes: number): string {
  if (bytes < 1) return '–';
  return bytes < 10_000 ? `${Math.round(bytes).toLocaleString('en')} B` : `${(bytes / 1024).toFixed(1)} KiB`;
}

await main();
