import type { Broker, Logger } from '../broker/broker.ts';
import type { KeptTopics } from '../doors/door.ts';
import * as logLimits from '../limits/log.ts';
import { Capture, type CaptureParts } from '../live/capture.ts';
import { Delivery } from '../live/delivery.ts';
import { isInternalTopic, keepingProblem, liveTopicOf } from '../log/names.ts';
import type { Metrics } from '../observe/metrics.ts';
import { matchesFilter, topicNameProblem } from '../topic.ts';
import { type KafkaLogDirs, openStoredLogs, type StoredLogsOptions } from './stored-logs.ts';

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
  const place = placeOf(options);
  const { logs, store, stored, cluster } = await openStoredLogs({
    place,
    clock: broker.clock,
    fsync: options.fsync ?? 'commit',
    keepForMs: options.keepForMs ?? logLimits.logRetentionMs,
    keepBytes: options.keepBytes ?? 0,
    tailCacheBytes: logLimits.tailCacheBytes,
    logger,
  });
  const delivery = new Delivery(logs, broker, logger);
  const captures = captureAll(captured, broker, { logs, metrics, log: logger });
  captures.push(captureExisting(captured, broker, { logs, metrics, log: logger }));

  async function close(): Promise<void> {
    await Promise.all(captures.map((capture) => capture.drained()));
    await logs.close();
  }

  const directory = typeof place === 'object' ? place.directories.join(',') : place;
  return { logs, store, stored, directory, cluster, delivery, close };
}

function placeOf({ memory, kafkaLogDirs, dataDir = './data' }: LogsOptions): StoredLogsOptions['place'] {
  return memory ? undefined : (kafkaLogDirs ?? dataDir);
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

function checkLogOption({ filter, name }: LogOption): void {
  const problem = keepingProblem(filter, name);
  if (problem !== undefined) throw new RangeError(`keep '${filter}': ${problem}`);
}
