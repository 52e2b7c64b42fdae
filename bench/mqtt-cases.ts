/** What is measured with MQTT. */
import { type AcknowledgedCase, type LiveCase, manyTopics, oneToOne } from './live-cases.ts';
import type { AcknowledgedQos } from './workload.ts';

const byMqtt = {
  protocol: 'mqtt',
  peers: ['tinymq', 'tinymq-rules', 'base', 'mosquitto', 'rumqttd'],
} as const;
/** rumqttd keeps no session on the disk. */
const withSessionsOnDisk = { ...byMqtt, peers: ['tinymq', 'tinymq-rules', 'base', 'mosquitto'] } as const;
const CONNECTIONS = 10_000;

export const mqttCases: readonly LiveCase[] = [
  { ...byMqtt, kind: 'throughput', name: 'mqtt-1-1', title: 'MQTT, QoS 0, 1 to 1, 16 B', workload: oneToOne },
  {
    ...byMqtt,
    kind: 'throughput',
    name: 'mqtt-1-10',
    title: 'MQTT, QoS 0, 1 to 10, 16 B',
    workload: { ...oneToOne, subscribers: { kind: 'topic', count: 10 } },
  },
  {
    ...byMqtt,
    kind: 'throughput',
    name: 'mqtt-topics',
    title: 'MQTT, QoS 0, 1,000 topics in turn, one # subscriber, 16 B',
    workload: manyTopics,
  },
  acknowledged(1),
  acknowledged(2),
  persistent(1),
  persistent(2),
  // With 100 under way broker and clients wait for each other most of the time; here their work counts.
  {
    ...persistent(1),
    name: 'mqtt-qos1-persistent-1000',
    title: 'MQTT, QoS 1, 1 to 1, persistent session on disk, 16 B, 1,000 under way',
    inFlight: 1_000,
  },
  {
    ...byMqtt,
    kind: 'acknowledged-log',
    name: 'mqtt-qos1-log',
    title: 'MQTT, QoS 1, ten publishers of a topic with a log, 16 B, 100 under way each',
    peers: ['tinymq', 'tinymq-rules', 'base'],
    keptFilter: 'sensors/#',
    publishers: 10,
    payloadBytes: 16,
    inFlight: 100,
  },
  {
    ...withSessionsOnDisk,
    kind: 'acknowledged-latency',
    name: 'mqtt-latency',
    title: 'latency at 20,000 messages a second, QoS 1, persistent session, 16 B',
    session: 'persistent',
    payloadBytes: 16,
    messagesPerSecond: 20_000,
  },
  {
    ...byMqtt,
    kind: 'idle',
    name: 'mqtt-idle',
    title: 'memory of 10,000 idle connections, keep-alive of 60 s',
    connections: CONNECTIONS,
  },
  {
    ...byMqtt,
    kind: 'connect-storm',
    name: 'mqtt-connect-storm',
    title: '10,000 clients connect and subscribe',
    connections: CONNECTIONS,
  },
];

function acknowledged(qos: AcknowledgedQos): AcknowledgedCase {
  return {
    ...byMqtt,
    kind: 'acknowledged',
    name: `mqtt-qos${qos}`,
    title: `MQTT, QoS ${qos}, 1 to 1, clean sessions, 16 B, 100 under way`,
    qos,
    session: 'clean',
    payloadBytes: 16,
    inFlight: 100,
  };
}

function persistent(qos: AcknowledgedQos): AcknowledgedCase {
  return {
    ...acknowledged(qos),
    ...withSessionsOnDisk,
    name: `mqtt-qos${qos}-persistent`,
    title: `MQTT, QoS ${qos}, 1 to 1, persistent session on disk, 16 B, 100 under way`,
    session: 'persistent',
  };
}
