/** What is measured of several nodes on three NATS servers, beside one broker on its own. */
import type { KafkaLatencyCase, KafkaProduceCase } from './kafka-cases.ts';
import type { ThroughputCase } from './live-cases.ts';
import { oneToOne } from './live-cases.ts';

/** Nodes and NATS servers without clients. */
export interface ClusterIdleCase {
  kind: 'cluster-idle';
  name: string;
  title: string;
  peers: readonly string[];
}

export type ClusterCase = KafkaLatencyCase | KafkaProduceCase | ThroughputCase | ClusterIdleCase;

const peers = ['tinymq', 'cluster'];
/** Our broker as it is by itself; the others are measured in the cases of Kafka. */
const variants = [''];
const KiB = 1024;

export const clusterCases: readonly ClusterCase[] = [
  {
    kind: 'kafka-latency',
    name: 'cluster-ack',
    title: 'a lone record of 1 KiB, acks=all, by the node that leads',
    ...{ peers, variants },
    recordBytes: KiB,
  },
  {
    kind: 'kafka-produce',
    name: 'cluster-single',
    title: 'batches of one record of 1 KiB on one partition, 512 under way',
    ...{ peers, variants },
    shape: { recordBytes: KiB, batchBytes: 0 },
    inFlight: 512,
  },
  {
    kind: 'kafka-produce',
    name: 'cluster-produce-1k',
    title: 'batches of 64 KiB on one partition, 64 under way, records of 1 KiB',
    ...{ peers, variants },
    shape: { recordBytes: KiB, batchBytes: 64 * KiB },
    inFlight: 64,
  },
  {
    kind: 'throughput',
    name: 'cluster-1-1',
    title: '1 to 1, 16 B, publisher and subscriber at different nodes',
    peers,
    workload: oneToOne,
  },
  {
    kind: 'throughput',
    name: 'cluster-1-1-1k',
    title: 'the same with 1 KiB',
    peers,
    workload: { ...oneToOne, payloadBytes: KiB },
  },
  {
    kind: 'cluster-idle',
    name: 'cluster-idle',
    title: 'three nodes and three NATS servers without clients',
    peers: ['cluster'],
  },
];
