/**
 * How long a broker that was killed under load takes until it answers by each door, with much in its logs:
 * `node bench/large-start.ts [-gib 100] [-partitions 64] [-rounds 3] [-cold]`. The closed segments of one partition are hard links
 * in all others, so that the disk needs room for a small part of it; those that are appended to are files of their own.
 * `-cold` has the system forget what it has read before each start, which takes root. docs/reliability.md has what came of it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildBatch } from '../internal/batch/build.ts';
import { BatchHeader, parseBatchHeader } from '../internal/batch/record-batch.ts';
import { SmqClient } from '../internal/clients/smq/client.ts';
import { produce } from '../internal/protocol/kafka/apis/00-produce.ts';
import { listOffsets } from '../internal/protocol/kafka/apis/02-list-offsets.ts';
import { decodeResponse } from '../internal/protocol/kafka/exchange.ts';
import { ProduceRequest, ProduceResponse } from '../internal/protocol/smq/smq.ts';
import { DataFolderStore } from '../internal/store/data-folder/data-folder-store.ts';
import { KafkaJournal } from '../internal/store/kafka-directory/journal.ts';
import { freePort } from '../test/support/free-port.ts';
import { KafkaWire } from '../test/support/kafka-wire.ts';
import { Connection } from './load/connection.ts';
import { mqtt } from './peers/mqtt.ts';
import { frames } from './peers/tinymq.ts';

const BROKER = fileURLToPath(new URL('../bin/broker', import.meta.url));
const TOPIC = 'large';
const GiB = 1024 ** 3;
const SEGMENT_BYTES = 64 * 1024 ** 2;
const RECORD_BYTES = 1_000;
const RECORDS_PER_BATCH = 16;
/** What is written to each partition between two kills: many batches, and then lone records. */
const LOADED_BATCHES = 1_500;
const LOADED_RECORDS = 1_000;
const IN_FLIGHT = 5;

/** A broker that is not tied to a core, as it starts for its users. */
interface Started {
  readonly pid: number;
  kill(): Promise<void>;
  end(): Promise<void>;
}

interface Ports {
  kafka: number;
  http: number;
  grpc: number;
  live: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: process.argv.slice(2).map((each) => each.replace(/^-(?=\w)/, '--')),
    options: {
      gib: { type: 'string', default: '100' },
      partitions: { type: 'string', default: '64' },
      rounds: { type: 'string', default: '3' },
      cold: { type: 'boolean', default: false },
    },
  });
  const partitions = Number(values.partitions);
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-large-'));
  try {
    const segments = Math.ceil((Number(values.gib) * GiB) / SEGMENT_BYTES / partitions);
    await makeFolder(folder, partitions, segments);
    const ports = {
      kafka: await freePort(),
      http: await freePort(),
      grpc: await freePort(),
      live: await freePort(),
    };
    let broker = startBroker(folder, ports);
    await firstAnswers(ports);
    console.log('| round | doors answer after ms | bytes read | calls that read | from the disk | memory |');
    console.log('|---|---|---|---|---|---|');
    for (let round = 1; round <= Number(values.rounds); round++) {
      const acknowledged = await load(ports.kafka, partitions, () => broker.kill());
      tear(folder, partitions);
      if (values.cold) writeFileSync('/proc/sys/vm/drop_caches', '3');
      broker = startBroker(folder, ports);
      const times = await firstAnswers(ports);
      console.log(`| ${round} | ${times} | ${readsOf(broker.pid)} |`);
      await expectEnds(ports.kafka, acknowledged);
    }
    await broker.end();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  process.exit();
}

/** Fills one partition, and gives all others the same segments. */
async function makeFolder(folder: string, partitionCount: number, segments: number): Promise<void> {
  const store = new DataFolderStore({ directory: folder, fsync: 'os', segmentBytes: SEGMENT_BYTES });
  await store.open();
  for (const name of [TOPIC, 'smq.x']) {
    const topic = {
      name,
      topicId: Buffer.alloc(16, name),
      configs: {},
      createdAtMs: Date.now(),
    };
    const made = await store.createTopic({ ...topic, partitionCount: name === TOPIC ? partitionCount : 1 });
    if (name === TOPIC) await fill(store, made.partitions[0]!.id, segments * SEGMENT_BYTES);
  }
  await store.close();
  const logs = join(folder, 'logs');
  const from = join(logs, `${TOPIC}-0`);
  const names = readdirSync(from).sort();
  const last = names.findLast((name) => name.endsWith('.log'))!.replace('.log', '');
  for (let number = 1; number < partitionCount; number++) {
    const to = join(logs, `${TOPIC}-${number}`);
    mkdirSync(to);
    for (const name of names) {
      const isClosed = /^\d/.test(name) && !name.startsWith(last);
      (isClosed ? linkSync : copyFileSync)(join(from, name), join(to, name));
    }
  }
  await noteEnds(logs);
}

async function fill(store: DataFolderStore, id: number, bytes: number): Promise<void> {
  let baseOffset = 0;
  for (let done = 0; done < bytes; ) {
    const appends: Promise<void>[] = [];
    for (let count = 0; count < 64; count++) {
      const batch = batchOf(RECORDS_PER_BATCH, baseOffset);
      const { lastOffset, maxTimestamp } = parseBatchHeader(batch, 0, new BatchHeader());
      appends.push(
        store.append(id, { baseOffset, lastOffset, count: RECORDS_PER_BATCH, maxTimestamp, bytes: batch }),
      );
      baseOffset += RECORDS_PER_BATCH;
      done += batch.length;
    }
    await Promise.all(appends);
  }
}

/** Has the journal say of all partitions what it says of the first one: what is known of their ends. */
async function noteEnds(logs: string): Promise<void> {
  const journal = KafkaJournal.open(logs);
  const [[first, { topicId }]] = [...journal.state.partitions];
  const offset = journal.state.producers.until(first)!;
  const ids = [...journal.state.partitions].filter(([, other]) => other.topicId === topicId);
  const entries = ids.flatMap(([id]) => [
    { kind: 'transactions', id, offset, open: [] } as const,
    { kind: 'producers-until', id, offset } as const,
  ]);
  const { path, buffers } = await journal.prepare(entries);
  for (const bytes of buffers) appendFileSync(path, bytes);
}

function batchOf(count: number, baseOffset = 0): Uint8Array {
  const records = Array.from({ length: count }, () => {
    return { timestamp: Date.now(), key: null, value: new Uint8Array(RECORD_BYTES).fill(97) };
  });
  return buildBatch(records, { baseOffset });
}

function startBroker(folder: string, { kafka, http, grpc, live }: Ports): Started {
  const local = (port: number) => `127.0.0.1:${port}`;
  const doors = ['-kafka', local(kafka), '-http', local(http), '-grpc', local(grpc)];
  const args = ['-listen', `tcp://${local(live)}`, ...doors, '-data-dir', folder];
  const child = spawn(BROKER, args, { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await ended;
  };
  return { pid: child.pid!, kill: () => end('SIGKILL'), end: () => end('SIGTERM') };
}

/** Asks by each door again and again from now on. @returns after how many milliseconds each has answered */
async function firstAnswers({ kafka, http, grpc, live }: Ports): Promise<string> {
  const startMs = performance.now();
  const asked: Record<string, () => Promise<unknown>> = {
    frames: async () => (await Connection.open({ transport: 'tcp', port: live }, frames, 'first')).close(),
    MQTT: async () => (await Connection.open({ transport: 'tcp', port: live }, mqtt, 'first')).close(),
    Kafka: () => endsOf(kafka, [0]),
    HTTP: async () => {
      const { status } = await fetch(`http://127.0.0.1:${http}/readyz`);
      if (status !== 200) throw new Error(`/readyz says ${status}`);
    },
    gRPC: () => produceSmq(grpc),
  };
  const times = await Promise.all(
    Object.entries(asked).map(async ([door, ask]) => {
      for (;;) {
        try {
          await ask();
          return `${door} ${Math.round(performance.now() - startMs)}`;
        } catch {
          await sleep(5);
        }
      }
    }),
  );
  return times.join(', ');
}

async function produceSmq(port: number): Promise<void> {
  const client = await SmqClient.connect(
    { host: '127.0.0.1', port },
    { tls: undefined, stop: new AbortController().signal, connectTimeoutMs: 1_000, requestTimeoutMs: 60_000 },
  );
  const types = { request: ProduceRequest, response: ProduceResponse };
  await client.unary('Produce', types, { topic: 'smq.x', message: Buffer.from('first') });
  client.close();
}

/** Produces to all partitions, and ends the broker in the middle of it. @returns the ends that were acknowledged */
async function load(
  port: number,
  partitions: number,
  kill: () => Promise<void>,
): Promise<Map<number, number>> {
  const ends = new Map<number, number>();
  const batches = { many: batchOf(RECORDS_PER_BATCH), lone: batchOf(1) };
  let isKilled = false;
  const each = Array.from({ length: partitions }, async (_, index) => {
    const wire = await KafkaWire.open(`tcp://127.0.0.1:${port}`);
    const send = (records: Uint8Array) =>
      wire.send(produce, 9, {
        ...{ acks: -1, timeoutMs: 60_000 },
        topicData: [{ name: TOPIC, partitionData: [{ index, records }] }],
      });
    for (let sent = 0, answered = 0; ; answered++) {
      while (sent < answered + IN_FLIGHT) {
        send(sent < LOADED_BATCHES ? batches.many : batches.lone);
        sent++;
      }
      const answer = await wire.next();
      if (answer === undefined) return;
      const { body } = decodeResponse(produce, 9, answer);
      const { errorCode, baseOffset } = body.responses[0].partitionResponses[0];
      if (errorCode !== 0) throw new Error(`a batch was refused with the error ${errorCode}`);
      ends.set(index, baseOffset + (answered < LOADED_BATCHES ? RECORDS_PER_BATCH : 1));
      if (answered === LOADED_BATCHES + LOADED_RECORDS && !isKilled) {
        isKilled = true;
        void kill();
      }
    }
  });
  await Promise.all(each);
  return ends;
}

/** Leaves the beginning of a batch behind the last one of each other partition, as a crash of the machine may. */
function tear(folder: string, partitions: number): void {
  const torn = batchOf(RECORDS_PER_BATCH).subarray(0, 5_000);
  for (let number = 0; number < partitions; number += 2) {
    const place = join(folder, 'logs', `${TOPIC}-${number}`);
    const last = readdirSync(place)
      .sort()
      .findLast((name) => name.endsWith('.log'))!;
    appendFileSync(join(place, last), torn);
  }
}

async function endsOf(port: number, partitions: number[]): Promise<number[]> {
  const wire = await KafkaWire.open(`tcp://127.0.0.1:${port}`);
  const asked = partitions.map((partitionIndex) => ({
    partitionIndex,
    currentLeaderEpoch: -1,
    timestamp: -1,
  }));
  const { topics } = await wire.ask(listOffsets, 5, {
    ...{ replicaId: -1, isolationLevel: 0 },
    topics: [{ name: TOPIC, partitions: asked }],
  });
  wire.close();
  return topics[0]!.partitions.map(({ offset }) => offset);
}

/** @throws Error where less is there than was acknowledged. */
async function expectEnds(port: number, acknowledged: ReadonlyMap<number, number>): Promise<void> {
  const partitions = [...acknowledged.keys()];
  const ends = await endsOf(port, partitions);
  const lost = partitions.filter((partition, at) => ends[at]! < acknowledged.get(partition)!);
  if (lost.length > 0) throw new Error(`partitions ${lost.join(', ')} end before what was acknowledged`);
}

/** What a process has read since it began. */
function readsOf(pid: number): string {
  const text = readFileSync(`/proc/${pid}/io`, 'latin1');
  const of = (name: string) => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(text)?.[1] ?? 0);
  const inMiB = (bytes: number) => `${Math.round(bytes / 1024 ** 2)} MiB`;
  const resident =
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) * 1024;
  return [inMiB(of('rchar')), of('syscr'), inMiB(of('read_bytes')), inMiB(resident)].join(' | ');
}

await main();
