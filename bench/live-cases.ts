/** What is measured with live messages. */
import type { AcknowledgedQos, Workload } from './workload.ts';

interface CaseBase {
  /** What `CASES` calls it. */
  name: string;
  title: string;
  /** Peers by name, where not every peer has what it takes. */
  peers?: readonly string[];
  /** Default: each peer's own. */
  protocol?: 'mqtt';
}

export interface ThroughputCase extends CaseBase {
  kind: 'throughput';
  workload: Workload;
}

/** Paced in a burst each millisecond; how long each message is on its way. */
export interface LatencyCase extends CaseBase {
  kind: 'latency';
  workload: Workload;
  messagesPerSecond: number;
}

/** Connections that say nothing after their CONNECT. */
export interface IdleCase extends CaseBase {
  kind: 'idle';
  connections: number;
}

/** From the start of the process to the answer to the first client. */
export interface StartupCase extends CaseBase {
  kind: 'startup';
  rounds: number;
}

/** A flow before and after a second subscriber joins that never reads. */
export interface StuckCase extends CaseBase {
  kind: 'stuck';
  workload: Workload;
}

/** A flow before and while another client subscribes to many filters and unsubscribes from them again. */
export interface ChurnCase extends CaseBase {
  kind: 'churn';
  workload: Workload;
  filters: number;
}

/** The SDK as publisher or as subscriber, and the load generator in the same place for comparison. */
export interface SdkCase extends CaseBase {
  kind: 'sdk';
  workload: Workload;
  variants: readonly SdkVariant[];
}

export type SdkVariant = 'generator' | 'sdk publishes' | 'sdk receives';

/** One publisher, one subscriber, and every message is acknowledged on both ways; by MQTT only. */
export interface AcknowledgedCase extends CaseBase {
  kind: 'acknowledged';
  qos: AcknowledgedQos;
  /** Of the subscriber: whether it ends with its connection, or the broker keeps it on the disk. */
  session: 'clean' | 'persistent';
  payloadBytes: number;
  /** Messages of the publisher that wait for their acknowledgement at once. */
  inFlight: number;
}

/** Publishers of one topic that has a log, and no subscriber: each message is acknowledged when the log has it; by MQTT only. */
export interface AcknowledgedLogCase extends CaseBase {
  kind: 'acknowledged-log';
  /** Topics whose messages are kept. */
  keptFilter: string;
  publishers: number;
  payloadBytes: number;
  /** Messages of each publisher that wait for their acknowledgement at once. */
  inFlight: number;
}

/** The same as {@link AcknowledgedCase} with frames, beside MQTT with QoS 1. */
export interface AcknowledgedFramesCase extends CaseBase {
  kind: 'acknowledged-frames';
  payloadBytes: number;
  inFlight: number;
  variants: readonly AcknowledgedVariant[];
}

export type AcknowledgedVariant = 'frames' | 'MQTT, QoS 1';
/** What a case does in several ways, each a contestant. */
export type Variant = SdkVariant | AcknowledgedVariant;

/** Paced as {@link LatencyCase}, with QoS 1 and a persistent session of the subscriber; by MQTT only. */
export interface AcknowledgedLatencyCase extends CaseBase {
  kind: 'acknowledged-latency';
  session: 'persistent';
  payloadBytes: number;
  messagesPerSecond: number;
}

/** Many clients that connect and subscribe at once. */
export interface ConnectStormCase extends CaseBase {
  kind: 'connect-storm';
  connections: number;
}

export type LiveCase =
  | ThroughputCase
  | LatencyCase
  | IdleCase
  | StartupCase
  | StuckCase
  | ChurnCase
  | SdkCase
  | AcknowledgedCase
  | AcknowledgedFramesCase
  | AcknowledgedLogCase
  | AcknowledgedLatencyCase
  | ConnectStormCase;

export const oneToOne: Workload = {
  transport: 'tcp',
  payloadBytes: 16,
  topics: { kind: 'one' },
  publishers: 1,
  subscribers: { kind: 'topic', count: 1 },
};

export const manyTopics: Workload = {
  ...oneToOne,
  topics: { kind: 'in-turn', count: 1_000 },
  subscribers: { kind: 'everything', count: 1 },
};

/** A relay knows no topics: it has no place where subscribers get different messages. */
const brokers = ['tinymq', 'tinymq-rules', 'base', 'nats', 'mosquitto'];

export const liveCases: readonly LiveCase[] = [
  { kind: 'throughput', name: '1-1', title: '1 to 1, 16 B', workload: oneToOne },
  {
    kind: 'throughput',
    name: '1-10',
    title: '1 to 10, 16 B',
    workload: { ...oneToOne, subscribers: { kind: 'topic', count: 10 } },
  },
  {
    kind: 'throughput',
    name: '1-1-1k',
    title: '1 to 1, 1 KiB',
    workload: { ...oneToOne, payloadBytes: 1024 },
  },
  {
    kind: 'throughput',
    name: 'topics-1',
    title: '1,000 topics in turn, one # subscriber, 16 B',
    workload: manyTopics,
  },
  {
    kind: 'throughput',
    name: 'topics-10',
    title: '1,000 topics in turn, ten # subscribers, 16 B',
    workload: { ...manyTopics, subscribers: { kind: 'everything', count: 10 } },
  },
  {
    kind: 'throughput',
    name: 'topics-own',
    title: '1,000 topics in turn, 1,000 subscribers, each its own, 16 B',
    peers: brokers,
    workload: { ...manyTopics, subscribers: { kind: 'own' } },
  },
  {
    kind: 'throughput',
    name: 'filters',
    title: '10,000 filters over 20,000 deep topics, Zipf, 16 B',
    peers: brokers,
    workload: {
      ...oneToOne,
      topics: { kind: 'deep', count: 20_000 },
      subscribers: { kind: 'filters', count: 10, filters: 10_000 },
    },
  },
  {
    kind: 'throughput',
    name: 'tls',
    title: 'TLS, 1 to 1, 16 B',
    workload: { ...oneToOne, transport: 'tls' },
  },
  {
    kind: 'throughput',
    name: 'tls-1k',
    title: 'TLS, 1 to 1, 1 KiB',
    workload: { ...oneToOne, transport: 'tls', payloadBytes: 1024 },
  },
  {
    kind: 'throughput',
    name: 'unix',
    title: 'unix socket, 1 to 1, 16 B (a peer without unix sockets: tcp)',
    workload: { ...oneToOne, transport: 'unix' },
  },
  {
    kind: 'latency',
    name: 'latency',
    title: 'latency at 50,000 messages a second, 1 to 1, 16 B',
    workload: oneToOne,
    messagesPerSecond: 50_000,
  },
  {
    kind: 'idle',
    name: 'idle',
    title: 'memory of 10,000 idle connections',
    peers: brokers,
    connections: 10_000,
  },
  { kind: 'startup', name: 'startup', title: 'start to first CONNACK', peers: brokers, rounds: 5 },
  {
    kind: 'stuck',
    name: 'stuck',
    title: 'one subscriber stops reading, 1 KiB',
    peers: brokers,
    workload: { ...oneToOne, payloadBytes: 1024 },
  },
  {
    kind: 'churn',
    name: 'churn',
    title: '100,000 subscribe and unsubscribe beside a 1 to 1 flow, 16 B',
    peers: brokers,
    workload: oneToOne,
    filters: 100_000,
  },
  {
    kind: 'sdk',
    name: 'sdk',
    title: 'the SDK, 1 to 1, 16 B',
    peers: ['tinymq', 'base'],
    workload: oneToOne,
    variants: ['generator', 'sdk publishes', 'sdk receives'],
  },
  {
    kind: 'acknowledged-frames',
    name: 'acks',
    title: 'acknowledged frames and MQTT, QoS 1, 1 to 1, 16 B, 100 under way',
    peers: ['tinymq'],
    payloadBytes: 16,
    inFlight: 100,
    variants: ['frames', 'MQTT, QoS 1'],
  },
];
