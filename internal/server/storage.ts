import type { Broker, Logger } from '../broker/broker.ts';
import type { ClusterIdentity, KeptTopics } from '../doors/door.ts';
import * as kafkaLimits from '../limits/kafka.ts';
import * as logLimits from '../limits/log.ts';
import { Capture, type CaptureParts } from '../live/capture.ts';
import { Delivery } from '../live/delivery.ts';
import { Logs } from '../log/logs.ts';
import { isInternalTopic, keepingProblem, liveTopicOf } from '../log/names.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { LogStore } from '../store/log-store.ts';
import { MemoryStore } from '../store/memory/memory-store.ts';
import { matchesFilter, topicNameProblem } from '../topic.ts';

/** Live topics that are kept. */
export interface LogOption {
  /** Which topics; `#` alone keeps everything. */
  filter: string;
  /** The one log that gets all of them. Each topic has its own where this is left out. */
  name?: string;
}

/** What a broker keeps, and where. */
export interface LogsOptions {
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

/** Logs that are open, with what fills them. */
export interface OpenLogs extends KeptTopics {
  /** Lets what was delivered reach the store, then closes it. */
  close(): Promise<void>;
}

/**
 * Opens the store and keeps the topics that the options name.
 *
 * @throws RangeError where a filter or a name breaks the rules; StoreError where the store cannot be opened.
 */
export async function openLogs(
  options: LogsOptions,
  broker: Broker,
  metrics: Metrics,
  logger: Logger,
): Promise<OpenLogs> {
  const captured = options.keep ?? [];
  for (const option of captured) checkLogOption(option);
  const { kafkaLogDirs } = options;
  const directory = options.memory
    ? undefined
    : (kafkaLogDirs?.directories.join(',') ?? options.dataDir ?? './data');
  const store = await storeOf(directory, options);
  const logs = new Logs({
    store,
    compactionGatherBytes: options.kafkaLogDirs === undefined ? 0 : logLimits.compactionGatherBytes,
    tailCacheBytes: logLimits.tailCacheBytes,
    retentionEveryMs: logLimits.retentionEveryMs,
    retentionMs: options.keepForMs ?? logLimits.logRetentionMs,
    retentionBytes: options.keepBytes ?? 0,
    logger,
  });
  const stored = await logs.open();
  const delivery = new Delivery(logs, broker, logger);
  const captures = captureAll(captured, broker, { logs, metrics, log: logger });
  captures.push(captureExisting(captured, broker, { logs, metrics, log: logger }));

  async function close(): Promise<void> {
    await Promise.all(captures.map((capture) => capture.drained()));
    await logs.close();
  }

  const cluster = kafkaLogDirs === undefined || options.memory ? undefined : await clusterOf(store);
  return { logs, store, stored, directory, cluster, delivery, close };
}

/** One capture for each log that is named, and one for the topics that have their own. */
function captureAll(
  options: readonly LogOption[],
  broker: Broker,
  parts: Omit<CaptureParts, 'logName' | 'isWanted'>,
): Capture[] {
  const captures = new Map<string | undefined, Capture>();
  for (const { filter, name } of options) {
    let capture = captures.get(name);
    if (capture === undefined) {
      const isWanted = (topic: string) => firstMatch(options, topic)?.name === name;
      capture = new Capture({ ...parts, logName: name, isWanted: options.length > 1 ? isWanted : undefined });
      captures.set(name, capture);
    }
    broker.tap(filter, capture);
  }
  return [...captures.values()];
}

/** A live topic whose log there is goes there too, unless an option says where it goes. */
function captureExisting(
  options: readonly LogOption[],
  broker: Broker,
  parts: Omit<CaptureParts, 'logName' | 'isWanted'>,
): Capture {
  const isWanted = (topic: string) => firstMatch(options, topic) === undefined;
  const capture = new Capture({ ...parts, isWanted, createsNone: true });
  const tapped = new Set<string>();
  const follow = ({ name }: { name: string }) => {
    const topic = liveTopicOf(name);
    if (tapped.has(name) || !isWanted(topic) || topicNameProblem(topic) !== undefined) return;
    if (isInternalTopic(name)) return;
    tapped.add(name);
    broker.tap(topic, capture);
  };
  for (const topic of parts.logs.topics()) follow(topic);
  parts.logs.onGrown(follow);
  parts.logs.onDeleted(({ name }) => {
    if (tapped.delete(name)) broker.untap(liveTopicOf(name), capture);
  });
  return capture;
}

/** A topic that several options match goes where the first of them says, so that a replay brings it once. */
function firstMatch(options: readonly LogOption[], topic: string): LogOption | undefined {
  return options.find(({ filter }) => matchesFilter(filter, topic));
}

async function storeOf(directory: string | undefined, options: LogsOptions): Promise<LogStore> {
  const { kafkaLogDirs, fsync = 'commit' } = options;
  if (directory === undefined) return new MemoryStore();
  if (kafkaLogDirs !== undefined) {
    const { KafkaDirectoryStore } = await import('../store/kafka-directory/kafka-directory-store.ts');
    return new KafkaDirectoryStore({ ...kafkaLogDirs, directories: [...kafkaLogDirs.directories], fsync });
  }
  // Only who keeps logs on the disk needs a runtime that has SQLite.
  const { SqliteStore } = await import('../store/sqlite/sqlite-store.ts');
  return new SqliteStore({ directory, fsync });
}

async function clusterOf(store: LogStore): Promise<ClusterIdentity | undefined> {
  const { KafkaDirectoryStore } = await import('../store/kafka-directory/kafka-directory-store.ts');
  if (!(store instanceof KafkaDirectoryStore)) return undefined;
  const { clusterId, nodeId } = store.identity;
  const { nextProducerId, metadataVersion } = store;
  return { clusterId, nodeId: Number(nodeId || kafkaLimits.kafkaNodeId), nextProducerId, metadataVersion };
}

function checkLogOption({ filter, name }: LogOption): void {
  const problem = keepingProblem(filter, name);
  if (problem !== undefined) throw new RangeError(`keep '${filter}': ${problem}`);
}
