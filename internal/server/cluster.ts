import { hostname } from 'node:os';
import type { NodeStatus } from '../admin/nodes-view.ts';
import { parseBatchHeader } from '../batch/record-batch.ts';
import type { Broker, Logger } from '../broker/broker.ts';
import type { Sessions } from '../broker/sessions/sessions.ts';
import { frameEncoding } from '../doors/frames/encoding.ts';
import { advertisedAddress } from '../doors/kafka/advertised.ts';
import { Links } from '../doors/links/links.ts';
import type { Delivery } from '../live/delivery.ts';
import type { Cluster, Leading } from '../log/cluster.ts';
import type { Logs } from '../log/logs.ts';
import type { KafkaAddress, Nodes } from '../log/nodes.ts';
import type { UnplacedBatch } from '../log/partition-log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { StoreError } from '../store/store-error.ts';
import { parseEndpoint } from '../transport/endpoint.ts';
import type { Opened } from './opened.ts';
import type { BrokerOptions } from './options.ts';

export interface JoinParts {
  broker: Broker;
  sessions: Sessions;
  metrics: Metrics;
  logger: Logger;
  logs: Logs;
  delivery: Delivery;
  options: BrokerOptions;
  /** Where its doors listen. */
  listeners: readonly { readonly url: string; readonly door: { readonly name: string } }[];
  opened: Opened;
  /** What this node says of itself. */
  status(): NodeStatus;
}

/** This broker is ready: from now on the others of its cluster hear of it, and it may lead. The caller closes the links. */
export async function joinCluster(cluster: Cluster, parts: JoinParts): Promise<Links> {
  const { broker, sessions, metrics, logger, logs, delivery, options, listeners, opened, status } = parts;
  opened.add(cluster.onForwarded(leadingFor(logs, delivery)));
  const routed = (filter: string) => delivery.noteRoute(filter);
  const links = new Links({
    transport: cluster,
    broker,
    sessions,
    frames: frameEncoding,
    metrics,
    logger,
    routed,
    status,
  });
  // Clients find the next leaders before the doors close.
  opened.add(() => cluster.leave());
  const claims = metrics.histogram('shard_claim_seconds');
  await cluster.begin(kafkaAddress(options, listeners), (seconds) => claims.observe(seconds));
  return links;
}

/** What is measured of a node of a cluster, beside its links. */
export function measureNode(metrics: Metrics, nodes: Nodes): void {
  metrics.gauge('nats_connected', () => (nodes.isCutOff ? 0 : 1));
  metrics.countedElsewhere('nats_cut_offs_total', () => nodes.cutOffs);
  metrics.gauge('shards_owned', () => nodes.shards?.owned ?? 0);
  metrics.gauge('shards_ownerless', () => nodes.shards?.ownerless ?? 0);
  for (const shard of nodes.shards?.behind.keys() ?? []) {
    const behind = () => nodes.shards?.behind[shard] ?? 0;
    metrics.gauge('shard_messages_behind', behind, { shard: String(shard) });
  }
}

/** What this node does for the clients of others; they are answered as they would be here. */
function leadingFor(logs: Logs, delivery: Delivery): Leading {
  const partitionOf = (partitionId: number) => {
    const partition = logs.partition(partitionId);
    if (partition === undefined) throw new StoreError('not-found', `there is no partition id ${partitionId}`);
    // Two nodes that take each other for the leader must not give it back for ever.
    if (partition.leader === 'here') return partition;
    throw new StoreError('not-leader', 'this node does not lead it any more');
  };
  return {
    async append(partitionId, batch) {
      const partition = partitionOf(partitionId);
      checkForwarded(batch);
      const baseOffset = await partition.appendHere(batch);
      await delivery.settled(partition);
      return baseOffset;
    },
    async deleteUntil(partitionId, offset) {
      await partitionOf(partitionId).deleteUntil(offset);
    },
  };
}

/** The node that gives it has looked into it: here only whether these bytes are a batch at all. @throws StoreError `invalid` */
function checkForwarded({ bytes, count }: UnplacedBatch): void {
  try {
    const { end, recordCount, lastOffsetDelta } = parseBatchHeader(bytes, 0);
    // One that only takes offsets has no records.
    const isOfCount = lastOffsetDelta === count - 1 && (recordCount === count || recordCount === 0);
    if (end === bytes.length && isOfCount) return;
  } catch {
    // It is refused in the same words.
  }
  throw new StoreError('invalid', 'what another node has given is not the batch that it says');
}

/** Where the clients of other nodes find the Kafka door of this one; undefined where it has none. */
function kafkaAddress({ kafka }: BrokerOptions, listeners: JoinParts['listeners']): KafkaAddress | undefined {
  if (kafka?.advertised !== undefined) return advertisedAddress(kafka.advertised);
  const listener = listeners.find(({ door }) => door.name === 'kafka');
  const endpoint = listener && parseEndpoint(listener.url);
  if (endpoint === undefined || endpoint.scheme === 'unix') return undefined;
  const { host, port } = endpoint;
  return { host: EVERYWHERE.includes(host) ? hostname() : host, port };
}

/** What listens on all addresses of the machine. */
const EVERYWHERE = ['', '0.0.0.0', '::'];
