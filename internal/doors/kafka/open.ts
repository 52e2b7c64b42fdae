import { randomBytes } from 'node:crypto';
import { MemoryPool } from '../../lib/lent-memory.ts';
import * as kafkaLimits from '../../limits/kafka.ts';
import { aloneAs } from '../../log/nodes.ts';
import { ProducerIds } from '../../log/producer-ids.ts';
import type { Door, DoorParts, KeptTopics } from '../door.ts';
import { advertisedAddress } from './advertised.ts';
import { KafkaDoor } from './door.ts';
import { METADATA_VERSION } from './features.ts';
import { FetchSessions } from './fetch/sessions.ts';
import type { KafkaParts } from './handler.ts';
import type { KafkaOptions } from './options.ts';
import { Slices } from './slices.ts';

/**
 * Makes the door for Kafka's clients on logs that are open.
 *
 * @throws Error where `advertised` is no `host:port`; StoreError where the store cannot be written.
 */
export async function openKafka(parts: DoorParts, options: KafkaOptions): Promise<Door> {
  const { admission, addresses, connections, connectTimeoutMs, metrics, logger } = parts;
  const kept = parts.kept!;
  const advertised = options.advertised === undefined ? undefined : advertisedAddress(options.advertised);
  const { spans } = parts.broker;
  const shared = { ...(await shareOf(kept, options)), logger, directory: parts.directory, spans };
  const fates = parts.broker.fates.logging(logger);
  const ways = { advertised, admission, connectTimeoutMs, addresses, connections, fates };
  const door = new KafkaDoor(shared, ways, metrics, logger);
  return door;
}

/** The services that the handlers share. */
async function shareOf(
  { logs, store, groups, delivery, cluster, nodes, directory }: KeptTopics,
  options: KafkaOptions,
): Promise<Omit<KafkaParts, 'logger' | 'directory' | 'spans'>> {
  return {
    logs,
    groups,
    delivery,
    producerIds: new ProducerIds(store, cluster?.nextProducerId ?? 0),
    fetchSessions: new FetchSessions(),
    fetchMemory: new MemoryPool(kafkaLimits.kafkaFetchMemoryBytes),
    slices: new Slices(),
    clusterId: cluster?.clusterId || (await clusterIdOf(store)),
    nodes: nodes ?? aloneAs(cluster?.nodeId ?? kafkaLimits.kafkaNodeId),
    metadataVersion: cluster?.metadataVersion ?? METADATA_VERSION,
    settings: {
      // In the directory of a Kafka nothing comes to be that nobody created.
      autoCreate: cluster === undefined && (options.autoCreate ?? true),
      isKafkaDirectory: cluster !== undefined,
      defaultPartitions: options.partitions ?? 1,
      dataDir: directory,
      maxRequestBytes: kafkaLimits.kafkaMaxRequestBytes,
    },
  };
}

const CLUSTER_ID_KEY = 'cluster-id';

/** Kafka's clients notice when they are led to another cluster by this id: it stays with the logs. */
async function clusterIdOf(store: KeptTopics['store']): Promise<string> {
  const stored = await store.getMeta(CLUSTER_ID_KEY);
  if (stored !== undefined) return Buffer.from(stored).toString();
  const clusterId = randomBytes(16).toString('base64url');
  // Another node may have been quicker.
  const isFirst = await store.swapMeta(CLUSTER_ID_KEY, undefined, Buffer.from(clusterId));
  return isFirst ? clusterId : clusterIdOf(store);
}
