import type { ClusterIdentity } from '../doors/door.ts';
import type { Clock } from '../lib/clock.ts';
import * as kafkaLimits from '../limits/kafka.ts';
import * as logLimits from '../limits/log.ts';
import type { Cluster } from '../log/cluster.ts';
import { Logs, type LogsOptions } from '../log/logs.ts';
import type { FsyncPolicy, LogStore, StoredState } from '../store/log-store.ts';
import { MemoryStore } from '../store/memory/memory-store.ts';
import type { WriteTimes } from '../store/write-times.ts';
import { conversionTeller } from './conversion-log.ts';

/** What an existing Kafka calls `log.dirs`, with what else of its configuration its files depend on. */
export interface KafkaLogDirs {
  /** At least one. */
  directories: readonly string[];
  /** `metadata.log.dir`. Default: whichever of the directories has it. */
  metadataDirectory?: string;
  /** `log.segment.bytes`. Default: 1 GiB. */
  segmentBytes?: number;
  /** `offsets.topic.num.partitions`, where groups have committed nothing yet. Default: 50. */
  offsetsPartitions?: number;
}

/** Where logs are kept, and for how long. */
export interface StoredLogsOptions {
  /** A folder, the directories of a Kafka, or undefined for memory. */
  place: string | KafkaLogDirs | undefined;
  /** The brokers that share a store, which is used in place of that. */
  shared?: Cluster;
  /** Default: the machine's. */
  clock?: Clock;
  fsync: FsyncPolicy;
  /** Records that are older go, where a topic says nothing else, in milliseconds; 0: never. */
  keepForMs: number;
  /** The oldest records of a partition go when it has more bytes, where a topic says nothing else; 0: never. */
  keepBytes: number;
  /** Memory for the newest batches. */
  tailCacheBytes: number;
  logger: LogsOptions['logger'];
  /** Default: appends are not measured. */
  appends?: LogsOptions['appends'];
  /** Default: what the store does is not measured. */
  times?: WriteTimes;
}

export interface StoredLogs {
  readonly logs: Logs;
  readonly store: LogStore;
  /** What the store had of groups when it was opened. */
  readonly stored: StoredState;
  /** Undefined unless the logs are those of an existing Kafka. */
  readonly cluster: ClusterIdentity | undefined;
}

/**
 * Opens a store with the logs that are in it, for a broker or for a program that copies into them.
 *
 * @throws StoreError where it cannot be opened, for example because a broker has it.
 */
export async function openStoredLogs(options: StoredLogsOptions): Promise<StoredLogs> {
  const { place, clock, fsync, keepForMs, keepBytes, tailCacheBytes, logger, appends, times } = options;
  const { shared } = options;
  const { store, clusterOf, gatherBytes }: StoreAtPlace =
    shared === undefined
      ? await storeAt(place, { fsync, times }, logger)
      : { store: shared.store, gatherBytes: 0 };
  const logs = new Logs({
    store,
    clock,
    compactionGatherBytes: gatherBytes,
    tailCacheBytes,
    retentionEveryMs: logLimits.retentionEveryMs,
    retentionMs: keepForMs,
    retentionBytes: keepBytes,
    appends,
    leadership: shared?.nodes,
    elsewhere: shared,
    logger,
  });
  const stored = await logs.open();
  return { logs, store, stored, cluster: clusterOf?.() };
}

interface StoreAtPlace {
  store: LogStore;
  /** Asked when the store is open. */
  clusterOf?: () => ClusterIdentity;
  /** How much compaction changes at once; 0 where little is as cheap as much. */
  gatherBytes: number;
}

/** How a store on a disk writes. */
type Writing = Pick<StoredLogsOptions, 'fsync' | 'times'>;

async function storeAt(
  place: StoredLogsOptions['place'],
  writing: Writing,
  logger: LogsOptions['logger'],
): Promise<StoreAtPlace> {
  if (place === undefined) return { store: new MemoryStore(), gatherBytes: 0 };
  if (typeof place === 'object') return kafkaDirectory(place, writing);
  // Only who keeps logs on the disk needs a runtime that has SQLite.
  const { DataFolderStore } = await import('../store/data-folder/data-folder-store.ts');
  const onConversion = conversionTeller(logger);
  const store = new DataFolderStore({ directory: place, ...writing, onConversion });
  return { store, gatherBytes: logLimits.compactionGatherBytes };
}

async function kafkaDirectory(dirs: KafkaLogDirs, writing: Writing): Promise<StoreAtPlace> {
  const { KafkaDirectoryStore } = await import('../store/kafka-directory/kafka-directory-store.ts');
  const store = new KafkaDirectoryStore({ ...dirs, directories: [...dirs.directories], ...writing });
  const clusterOf = () => {
    const { clusterId, nodeId } = store.identity;
    const { nextProducerId, metadataVersion } = store;
    return {
      clusterId,
      nodeId: Number(nodeId || kafkaLimits.kafkaNodeId),
      nextProducerId,
      metadataVersion,
    };
  };
  return { store, clusterOf, gatherBytes: logLimits.compactionGatherBytes };
}
