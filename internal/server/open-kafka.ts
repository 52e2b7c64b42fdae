import { randomBytes } from 'node:crypto';
import type { Logger } from '../broker/broker.ts';
import type { Admission } from '../doors/clients/admission.ts';
import { KafkaDoor } from '../doors/kafka/door.ts';
import { METADATA_VERSION } from '../doors/kafka/features.ts';
import { FetchSessions } from '../doors/kafka/fetch/sessions.ts';
import { subscribedTopics } from '../doors/kafka/handlers/11-join-group.ts';
import { Slices } from '../doors/kafka/slices.ts';
import type { OpenAddresses } from '../doors/open-addresses.ts';
import { Groups } from '../groups/groups.ts';
import { shownAddress } from '../lib/shown-address.ts';
import * as kafkaLimits from '../limits/kafka.ts';
import { ProducerIds } from '../log/producer-ids.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { LogStore } from '../store/log-store.ts';
import { parseEndpoint } from '../transport/endpoint.ts';
import type { OpenLogs } from './open-logs.ts';

/** How the Kafka door is opened. Everything but where may be left out. */
export interface KafkaOptions {
  /** Where to listen: `tcp://host:port` or `tls://host:port`. Port 0 takes a free one. */
  listen: readonly string[];
  /** `host:port` at which clients find the broker. Default: what each of them dialled. */
  advertised?: string;
  /** Whether a topic that a client asks for comes to be. Default: true. */
  autoCreate?: boolean;
  /** Partitions of a topic where nobody says how many. Default: 1. */
  partitions?: number;
}

/** A Kafka door with the groups behind it. */
export interface OpenKafka {
  door: KafkaDoor;
  close(timeoutMs: number): Promise<void>;
}

/**
 * Makes the door for Kafka's clients on logs that are open.
 *
 * @throws Error where `advertised` is no `host:port`; StoreError where the store cannot be written.
 */
export async function openKafka(
  options: KafkaOptions,
  kept: OpenLogs,
  admission: Admission,
  connectTimeoutMs: number,
  metrics: Metrics,
  log: Logger,
  addresses: OpenAddresses,
): Promise<OpenKafka> {
  const { store, logs, delivery, cluster } = kept;
  const advertised = options.advertised === undefined ? undefined : hostAndPort(options.advertised);
  const groups = new Groups({
    store,
    stored: kept.stored,
    subscribedTopics,
    log,
  });
  const endForgetting = logs.onDeleted((topic) => groups.forgetTopic(topic.name));
  const parts = {
    logs,
    delivery,
    groups,
    producerIds: new ProducerIds(store, cluster?.nextProducerId ?? 0),
    fetchSessions: new FetchSessions(),
    slices: new Slices(),
    clusterId: cluster?.clusterId || (await clusterIdOf(store)),
    nodeId: cluster?.nodeId ?? kafkaLimits.kafkaNodeId,
    metadataVersion: cluster?.metadataVersion ?? METADATA_VERSION,
    settings: {
      // In the directory of a Kafka nothing comes to be that nobody created.
      autoCreate: cluster === undefined && (options.autoCreate ?? true),
      isKafkaDirectory: cluster !== undefined,
      defaultPartitions: options.partitions ?? 1,
      dataDir: kept.directory,
      maxRequestBytes: kafkaLimits.kafkaMaxRequestBytes,
    },
    log,
  };
  const door = new KafkaDoor(parts, { advertised, admission, connectTimeoutMs, addresses }, metrics, log);

  async function close(timeoutMs: number): Promise<void> {
    await door.close(timeoutMs);
    endForgetting();
    groups.close();
  }

  return { door, close };
}

function hostAndPort(address: string): { host: string; port: number } {
  const endpoint = parseEndpoint(`tcp://${address}`);
  if (endpoint.scheme === 'unix' || endpoint.host === '' || endpoint.port === 0) {
    throw new Error(`'${shownAddress(address)}' is not a host:port that clients could dial`);
  }
  return { host: endpoint.host, port: endpoint.port };
}

const CLUSTER_ID_KEY = 'cluster-id';

/** Kafka's clients notice when they are led to another cluster by this id: it stays with the logs. */
async function clusterIdOf(store: LogStore): Promise<string> {
  const stored = await store.getMeta(CLUSTER_ID_KEY);
  if (stored !== undefined) return Buffer.from(stored).toString();
  const clusterId = randomBytes(16).toString('base64url');
  await store.putMeta(CLUSTER_ID_KEY, Buffer.from(clusterId));
  return clusterId;
}
