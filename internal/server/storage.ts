import type { Logger } from '../broker/broker.ts';
import type { KeptTopics } from '../doors/door.ts';
import type { Clock } from '../lib/clock.ts';
import * as logLimits from '../limits/log.ts';
import type { Cluster } from '../log/cluster.ts';
import { keepingProblem } from '../log/names.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { StoredGroups } from '../store/log-store.ts';
import type { WriteTimes } from '../store/write-times.ts';
import { type KafkaLogDirs, openStoredLogs, type StoredLogsOptions } from './stored-logs.ts';

/** Live topics that are kept. */
export interface LogOption {
  /** Which topics; `#` alone keeps everything. */
  filter: string;
  /** The one log that gets all of them. Each topic has its own where this is left out. */
  name?: string;
}

/** The cluster that a broker is a node of: its logs lie in NATS JetStream, and other brokers have the same ones. */
export interface ClusterOption {
  /** The servers of NATS: `nats://host:port`, or `tls://host:port`. Some of them are enough. */
  servers: readonly string[];
  /** Brokers of the same name are one cluster. Default: `tinymq`. */
  name?: string;
  /** `commit`: only servers that sync what they acknowledge hold logs. `os`: any. Default: `commit`. */
  fsync?: 'commit' | 'os';
  /** Who the broker is for NATS: a file with credentials, a seed of an NKEY, or `user:password`. Default: nobody. */
  credentialsFile?: string;
  /** How TLS of NATS is checked, and with which certificate this broker shows itself. Default: as the runtime does. */
  tls?: { caFile?: string; certFile?: string; keyFile?: string };
  /** Where the servers of NATS say how they are configured (`http://host:8222`), which is checked then. Default: it is not. */
  monitors?: readonly string[];
}

/** What a broker keeps, and where. */
export interface LogsOptions {
  /** Logs are those of a cluster; the folder has what belongs to this broker, such as sessions. Default: it is none. */
  cluster?: ClusterOption;
  /** Live topics that are kept, so that they can be read again. Where several match, the first one counts. */
  keep?: readonly LogOption[];
  /** The folder of the store, for logs, sessions and retained messages. Default for logs: `./data`. */
  dataDir?: string;
  /**
   * Whether sessions and retained messages are kept in memory where another broker has the folder, or this one cannot read
   * what is in it. Default: no; the broker then does not start, or refuses what it would have to keep.
   */
  dataDirIsOptional?: boolean;
  /** The log directories of an existing Kafka, in whose place and format the logs are then kept. */
  kafkaLogDirs?: KafkaLogDirs;
  /** Keep all of that in memory only, as long as the broker runs. */
  memory?: boolean;
  /** `commit`: what was acknowledged survives a power cut. `os`: it survives the end of the broker. Default: `commit`. */
  fsync?: 'commit' | 'os';
  /** Records that are older go, in milliseconds. Default: seven days; 0: never. */
  keepForMs?: number;
  /** The oldest records of a log go when it has more bytes. Default: 0, never. */
  keepBytes?: number;
  /** @deprecated The former name of `keep`. */
  logs?: readonly LogOption[];
  /** @deprecated The former name of `keepForMs`. */
  logRetentionMs?: number;
  /** @deprecated The former name of `keepBytes`. */
  logRetentionBytes?: number;
}

/** Logs that are open. */
export interface OpenLogs extends Omit<KeptTopics, 'groups' | 'delivery' | 'logOf'> {
  /** What the store had of groups when it was opened; undefined where several nodes share it and one of them will say that. */
  readonly stored: StoredGroups | undefined;
  /** Closes the store. */
  close(): Promise<void>;
}

/**
 * Opens the store of the logs.
 *
 * @throws RangeError where a filter or a name breaks the rules; StoreError where the store cannot be opened.
 */
export async function openLogs(
  options: LogsOptions,
  clock: Clock | undefined,
  metrics: Metrics,
  logger: Logger,
  shared?: Cluster,
): Promise<OpenLogs> {
  for (const option of options.keep ?? []) checkLogOption(option);
  const place = placeOf(options);
  const { logs, store, stored, cluster } = await openStoredLogs({
    ...{ place, shared },
    clock,
    fsync: options.fsync ?? 'commit',
    keepForMs: options.keepForMs ?? logLimits.logRetentionMs,
    keepBytes: options.keepBytes ?? 0,
    tailCacheBytes: logLimits.tailCacheBytes,
    appends: metrics.histogram('log_append_seconds'),
    times: writeTimesOf(metrics),
    logger,
  });
  const close = () => logs.close();
  if (shared !== undefined) {
    const nowhere = { stored: undefined, directory: undefined, cluster: undefined };
    return { logs, store, ...nowhere, nodes: shared.nodes, close };
  }
  const directory = typeof place === 'object' ? place.directories.join(',') : place;
  return { logs, store, stored, directory, cluster, close };
}

/** Where the store's writing is counted; the store of the sessions counts there too, where it is another one. */
export function writeTimesOf(metrics: Metrics): WriteTimes {
  return {
    groups: metrics.histogram('store_commit_seconds'),
    syncs: metrics.histogram('store_fsync_seconds'),
  };
}

function placeOf({ memory, kafkaLogDirs, dataDir = './data' }: LogsOptions): StoredLogsOptions['place'] {
  return memory ? undefined : (kafkaLogDirs ?? dataDir);
}

function checkLogOption({ filter, name }: LogOption): void {
  const problem = keepingProblem(filter, name);
  if (problem !== undefined) throw new RangeError(`keep '${filter}': ${problem}`);
}
