/** What is measured through a Kafka listener. */
import type { RecordShape } from './load/kafka/requests.ts';
import type { Workload } from './workload.ts';

interface CaseBase {
  name: string;
  title: string;
  peers?: readonly string[];
  /** In which of their ways peers take part, by their labels. Default: all. */
  variants?: readonly string[];
}

/** Kafka's own ProducerPerformance. */
export interface KafkaPerfProduceCase extends CaseBase {
  kind: 'kafka-perf-produce';
  recordBytes: number;
  /** Records of a round. */
  records: number;
  /** Settings of the Java producer. */
  properties: readonly string[];
}

/** Kafka's own ConsumerPerformance, from the beginning of a log. */
export interface KafkaPerfConsumeCase extends CaseBase {
  kind: 'kafka-perf-consume';
  shape: RecordShape;
  logBytes: number;
  /** Records of a round. */
  records: number;
}

/** Prebuilt requests over one connection. */
export interface KafkaProduceCase extends CaseBase {
  kind: 'kafka-produce';
  shape: RecordShape;
  /** Requests that wait for their answer at once. */
  inFlight: number;
}

/** Readers of one log, each from its beginning to its end, over and over. */
export interface KafkaFetchCase extends CaseBase {
  kind: 'kafka-fetch';
  shape: RecordShape;
  logBytes: number;
  readers: number;
}

/** One record at a time, with a consumer that waits for it. */
export interface KafkaLatencyCase extends CaseBase {
  kind: 'kafka-latency';
  recordBytes: number;
}

/** One record a second for each of many partitions. */
export interface KafkaManyPartitionsCase extends CaseBase {
  kind: 'kafka-many-partitions';
  recordBytes: number;
  partitions: number;
  /** Connections, each with its share of the partitions. */
  producers: number;
}

/** From the start of the process to the first answer to Metadata, and its memory then. */
export interface KafkaStartupCase extends CaseBase {
  kind: 'kafka-startup';
  rounds: number;
  /** What lies in its log; with more than 0 the broker before was killed. */
  logBytes: number;
  shape: RecordShape;
}

/** Memory at rest, and after writing and reading records of each shape. */
export interface KafkaMemoryCase extends CaseBase {
  kind: 'kafka-memory';
  shapes: readonly RecordShape[];
  logBytes: number;
}

/** The latency of live messages beside a producer. */
export interface LiveUnderProduceCase extends CaseBase {
  kind: 'live-under-produce';
  workload: Workload;
  messagesPerSecond: number;
  shape: RecordShape;
  inFlight: number;
}

/** Those with a load generator. */
export type KafkaLoadCase =
  | KafkaProduceCase
  | KafkaFetchCase
  | KafkaLatencyCase
  | KafkaManyPartitionsCase
  | KafkaMemoryCase
  | LiveUnderProduceCase;

export type KafkaCase = KafkaLoadCase | KafkaPerfProduceCase | KafkaPerfConsumeCase | KafkaStartupCase;

const MiB = 1024 * 1024;
const small: RecordShape = { recordBytes: 100, batchBytes: 64 * 1024 };
const large: RecordShape = { recordBytes: 1024, batchBytes: 64 * 1024 };
/** Java producers, like these, have five requests under way. */
const inFlight = 5;
/** Fits what a broker keeps of a log in memory. */
const tailBytes = 48 * MiB;
/** Does not. */
const diskBytes = 256 * MiB;

export const kafkaCases: readonly KafkaCase[] = [
  ...[small, large].map(
    (shape): KafkaProduceCase => ({
      kind: 'kafka-produce',
      name: `kafka-raw-produce-${labelOf(shape)}`,
      title: `produce, batches of 64 KiB, ${inFlight} under way, records of ${textOf(shape)}`,
      shape,
      inFlight,
    }),
  ),
  {
    kind: 'kafka-produce',
    name: 'kafka-raw-single',
    title: 'produce, one record of 100 B in each request, 64 under way',
    shape: { recordBytes: 100, batchBytes: 0 },
    inFlight: 64,
  },
  ...[small, large].flatMap((shape) =>
    [tailBytes, diskBytes].map(
      (logBytes): KafkaFetchCase => ({
        kind: 'kafka-fetch',
        name: `kafka-raw-fetch-${logBytes === tailBytes ? 'tail' : 'disk'}-${labelOf(shape)}`,
        title: `fetch, two readers of a log of ${logBytes / MiB} MiB, records of ${textOf(shape)}`,
        shape,
        logBytes,
        readers: 2,
      }),
    ),
  ),
  {
    kind: 'kafka-latency',
    name: 'kafka-latency',
    title: 'latency of a lone record of 100 B, acks=all',
    recordBytes: 100,
  },
  {
    kind: 'kafka-many-partitions',
    name: 'kafka-many-partitions',
    title: '1,000 partitions, a record of 100 B a second for each, 100 producers, acks=all',
    recordBytes: 100,
    partitions: 1_000,
    producers: 100,
  },
  {
    kind: 'live-under-produce',
    name: 'live-under-produce',
    peers: ['tinymq', 'base'],
    title:
      'latency at 10,000 live messages a second, 16 B, alone and beside a Kafka producer, 64 KiB batches',
    workload: {
      transport: 'tcp',
      payloadBytes: 16,
      topics: { kind: 'one' },
      publishers: 1,
      subscribers: { kind: 'topic', count: 1 },
    },
    messagesPerSecond: 10_000,
    shape: large,
    inFlight,
  },
  {
    kind: 'kafka-startup',
    name: 'kafka-startup',
    title: 'start to first Metadata answer',
    rounds: 3,
    logBytes: 0,
    shape: large,
  },
  {
    kind: 'kafka-startup',
    name: 'kafka-startup-log',
    title: 'the same after SIGKILL, with 1 GiB of log',
    rounds: 3,
    logBytes: 1024 * MiB,
    shape: large,
  },
  {
    kind: 'kafka-memory',
    name: 'kafka-memory',
    title: 'memory at rest and after producing and fetching',
    shapes: [small, large],
    logBytes: 256 * MiB,
  },
  ...[small, large].flatMap((shape) => [
    perfProduce(shape, 'acks1', 'acks=1', ['acks=1', 'enable.idempotence=false']),
    perfProduce(shape, 'all', 'acks=all, idempotent', ['acks=all']),
  ]),
  ...[small, large].flatMap((shape) =>
    [tailBytes, diskBytes].map(
      (logBytes): KafkaPerfConsumeCase => ({
        kind: 'kafka-perf-consume',
        name: `kafka-perf-consume-${logBytes === tailBytes ? 'tail' : 'disk'}-${labelOf(shape)}`,
        title: `ConsumerPerformance, a log of ${logBytes / MiB} MiB, records of ${textOf(shape)}`,
        shape,
        logBytes,
        records: Math.floor((0.9 * logBytes) / (shape.recordBytes + 10)),
      }),
    ),
  ),
];

function perfProduce(
  shape: RecordShape,
  label: string,
  text: string,
  properties: readonly string[],
): KafkaPerfProduceCase {
  return {
    kind: 'kafka-perf-produce',
    name: `kafka-perf-produce-${label}-${labelOf(shape)}`,
    title: `ProducerPerformance, ${text}, records of ${textOf(shape)}`,
    recordBytes: shape.recordBytes,
    records: shape === small ? 750_000 : 200_000,
    properties,
  };
}

function labelOf({ recordBytes }: RecordShape): string {
  return recordBytes === 1024 ? '1k' : String(recordBytes);
}

function textOf({ recordBytes }: RecordShape): string {
  return recordBytes === 1024 ? '1 KiB' : `${recordBytes} B`;
}
