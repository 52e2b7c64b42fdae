import { quoted } from '../errors.ts';
import { suggestion } from '../lib/nearest.ts';
import type { TopicConfigs } from '../store/log-store.ts';

export type { TopicConfigs };

/**
 * The configs of a durable topic, under Kafka's names (the TopicConfig of Apache Kafka 4.3). A broker that lays
 * its data out differently has no use for some of them; they are kept and shown, because tools set them on every topic,
 * and `effect` says that nothing comes of it.
 */
export interface TopicConfig {
  readonly name: string;
  readonly type: TopicConfigType;
  readonly default: string;
  readonly documentation: string;
  /** Says what is wrong with a value; undefined where nothing is. */
  readonly problem: (value: string) => string | undefined;
  readonly effect: 'works' | 'kept';
}

/** The types of Kafka's configs, with the number that DescribeConfigs gives them. */
export const TopicConfigType = { boolean: 1, string: 2, int: 3, long: 5, double: 6, list: 7 } as const;
export type TopicConfigType = (typeof TopicConfigType)[keyof typeof TopicConfigType];

const MOST_LONG = '9223372036854775807';
/** Exact, as a power of two. */
const LEAST_LONG = -(2 ** 63);
const MOST_INT = 2_147_483_647;

/** All of them, in the order of their names. */
export const TOPIC_CONFIGS: readonly TopicConfig[] = [
  works(
    list(
      'cleanup.policy',
      'delete',
      ['delete', 'compact'],
      'delete what is old or too much, compact by key, or both',
    ),
  ),
  kept(level('compression.gzip.level', '-1', 1, 9, -1)),
  kept(level('compression.lz4.level', '9', 1, 17)),
  kept(
    choice(
      'compression.type',
      'producer',
      ['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'],
      'batches are stored as the producer sent them',
    ),
  ),
  kept(level('compression.zstd.level', '3', -131_072, 22)),
  works(long('delete.retention.ms', '86400000', 0, 'how long compaction keeps the mark of a deleted key')),
  kept(long('file.delete.delay.ms', '60000', 0, 'how long a deleted file stays')),
  kept(
    long(
      'flush.messages',
      MOST_LONG,
      1,
      'records between two syncs; the broker syncs before it acknowledges',
    ),
  ),
  kept(long('flush.ms', MOST_LONG, 0, 'time between two syncs; the broker syncs before it acknowledges')),
  kept(replicas('follower.replication.throttled.replicas')),
  kept(int('index.interval.bytes', '4096', 0, 'bytes between entries of an index')),
  kept(replicas('leader.replication.throttled.replicas')),
  kept(long('local.retention.bytes', '-2', -2, 'for tiered storage')),
  kept(long('local.retention.ms', '-2', -2, 'for tiered storage')),
  works(long('max.compaction.lag.ms', MOST_LONG, 1, 'the longest that a record waits for compaction')),
  works(int('max.message.bytes', '1048588', 0, 'the largest batch')),
  works(
    long('message.timestamp.after.max.ms', '3600000', 0, 'how far ahead of the clock a timestamp may be'),
  ),
  works(long('message.timestamp.before.max.ms', MOST_LONG, 0, 'how far behind the clock a timestamp may be')),
  works(
    choice(
      'message.timestamp.type',
      'CreateTime',
      ['CreateTime', 'LogAppendTime'],
      'whose clock gives timestamps',
    ),
  ),
  works(
    double(
      'min.cleanable.dirty.ratio',
      '0.5',
      0,
      1,
      'the share of uncompacted bytes from which on it is worth it',
    ),
  ),
  works(long('min.compaction.lag.ms', '0', 0, 'how long a record stays uncompacted')),
  kept(int('min.insync.replicas', '1', 1, 'there is one replica, and one is enough')),
  kept(boolean('preallocate', 'false', 'whether files are made at their full size')),
  kept(boolean('remote.log.copy.disable', 'false', 'for tiered storage')),
  kept(boolean('remote.log.delete.on.disable', 'false', 'for tiered storage')),
  kept({
    ...choice('remote.storage.enable', 'false', ['false'], 'there is no tiered storage'),
    type: TopicConfigType.boolean,
  }),
  works(
    long(
      'retention.bytes',
      '-1',
      LEAST_LONG,
      'the oldest records go when a partition has more bytes; -1: never',
    ),
  ),
  works(long('retention.ms', '604800000', -1, 'records that are older go; -1: never')),
  kept(int('segment.bytes', '1073741824', 1024 * 1024, 'the size of a segment file')),
  kept(int('segment.index.bytes', '10485760', 4, 'the size of an index file')),
  kept(long('segment.jitter.ms', '0', 0, 'how far apart segments roll')),
  kept(long('segment.ms', '604800000', 1, 'after how long a segment rolls')),
  kept(boolean('unclean.leader.election.enable', 'false', 'for clusters')),
];

const byName = new Map(TOPIC_CONFIGS.map((config) => [config.name, config]));

/** The config of this name; undefined where Kafka has none for topics. */
export function topicConfig(name: string): TopicConfig | undefined {
  return byName.get(name);
}

/** Says that topics have no config of this name, and which may be meant. */
export function unknownTopicConfig(name: string): string {
  return `unknown config of a topic: ${quoted(name)}${suggestion(name, byName.keys())}`;
}

/** Says what is wrong with a config that somebody wants to set; undefined where nothing is. */
export function topicConfigProblem(name: string, value: string): string | undefined {
  const config = byName.get(name);
  if (config === undefined) return unknownTopicConfig(name);
  const problem = config.problem(value);
  return problem === undefined ? undefined : `${name}: ${problem}`;
}

/**
 * Says what is wrong with configs beside one another; undefined where nothing is.
 *
 * @param defaults what holds where they say nothing.
 */
export function topicConfigsProblem(
  configs: TopicConfigs,
  defaults: ReadonlyMap<string, string>,
): string | undefined {
  const { minCompactionLagMs, maxCompactionLagMs } = topicSettings(configs, defaults);
  return minCompactionLagMs > maxCompactionLagMs
    ? `min.compaction.lag.ms, ${minCompactionLagMs}, is beyond max.compaction.lag.ms, ${maxCompactionLagMs}`
    : undefined;
}

/** The settings that follow from the configs of a topic. Times in milliseconds; Infinity stands for without end. */
export interface TopicSettings {
  readonly deletes: boolean;
  readonly compacts: boolean;
  readonly retentionMs: number;
  readonly retentionBytes: number;
  readonly maxBatchBytes: number;
  readonly hasLogAppendTime: boolean;
  readonly timestampBeforeMaxMs: number;
  readonly timestampAfterMaxMs: number;
  readonly deleteRetentionMs: number;
  readonly minCompactionLagMs: number;
  readonly maxCompactionLagMs: number;
  readonly minCleanableDirtyRatio: number;
}

/** Of a topic whose records stay until somebody deletes them. */
export const KEPT_FOR_EVER: TopicConfigs = { 'retention.ms': '-1', 'retention.bytes': '-1' };

/** The broker's defaults that differ from Kafka's. */
export interface TopicDefaults {
  /** In milliseconds; 0: for ever. */
  retentionMs: number;
  /** 0: without end. */
  retentionBytes: number;
}

/** The configs that a topic has where it says nothing itself, as text. */
export function defaultTopicConfigs(defaults: TopicDefaults): Map<string, string> {
  const configs = new Map(TOPIC_CONFIGS.map((config) => [config.name, config.default]));
  configs.set('retention.ms', String(defaults.retentionMs > 0 ? defaults.retentionMs : -1));
  configs.set('retention.bytes', String(defaults.retentionBytes > 0 ? defaults.retentionBytes : -1));
  return configs;
}

/** Reads the configs of a topic, which were checked when they were set. */
export function topicSettings(configs: TopicConfigs, defaults: ReadonlyMap<string, string>): TopicSettings {
  const value = (name: string) => configs[name] ?? defaults.get(name)!;
  const policies = listItems(value('cleanup.policy'));
  return {
    deletes: policies.includes('delete'),
    compacts: policies.includes('compact'),
    retentionMs: bound(value('retention.ms')),
    retentionBytes: bound(value('retention.bytes')),
    maxBatchBytes: Number(value('max.message.bytes')),
    hasLogAppendTime: value('message.timestamp.type') === 'LogAppendTime',
    timestampBeforeMaxMs: bound(value('message.timestamp.before.max.ms')),
    timestampAfterMaxMs: bound(value('message.timestamp.after.max.ms')),
    deleteRetentionMs: Number(value('delete.retention.ms')),
    minCompactionLagMs: Number(value('min.compaction.lag.ms')),
    maxCompactionLagMs: bound(value('max.compaction.lag.ms')),
    minCleanableDirtyRatio: Number(value('min.cleanable.dirty.ratio')),
  };
}

function bound(text: string): number {
  return text === MOST_LONG || Number(text) < 0 ? Number.POSITIVE_INFINITY : Number(text);
}

type Described = Omit<TopicConfig, 'effect'>;

function works(config: Described): TopicConfig {
  return { ...config, effect: 'works' };
}

function kept(config: Described): TopicConfig {
  return { ...config, effect: 'kept' };
}

function boolean(name: string, value: string, documentation: string): Described {
  const problem = (given: string) =>
    /^(true|false)$/i.test(given) ? undefined : `'${given}' is neither true nor false`;
  return { name, type: TopicConfigType.boolean, default: value, documentation, problem };
}

function choice(name: string, value: string, choices: readonly string[], documentation: string): Described {
  const problem = (given: string) =>
    choices.includes(given) ? undefined : `'${given}' is not one of ${choices.join(', ')}`;
  return { name, type: TopicConfigType.string, default: value, documentation, problem };
}

/** Each item is one of the choices; there may be none. */
function list(name: string, value: string, choices: readonly string[], documentation: string): Described {
  function problem(given: string): string | undefined {
    const unknown = listItems(given).find((item) => !choices.includes(item));
    return unknown === undefined ? undefined : `'${unknown}' is not one of ${choices.join(', ')}`;
  }
  return { name, type: TopicConfigType.list, default: value, documentation, problem };
}

/** Partitions with the brokers that have them, or all. */
function replicas(name: string): Described {
  function problem(given: string): string | undefined {
    const isWellFormed = given.trim() === '*' || listItems(given).every((item) => /^\d+:\d+$/.test(item));
    return isWellFormed ? undefined : `'${given}' is neither * nor a list of partition:broker`;
  }
  return { name, type: TopicConfigType.list, default: '', documentation: 'replication throttles', problem };
}

/** The parts of a list in a config. */
export function listItems(value: string): string[] {
  return value.trim() === '' ? [] : value.split(',').map((item) => item.trim());
}

/** Of a compressor; `none` stands for its own default. */
function level(name: string, value: string, min: number, max: number, none?: number): Described {
  const problem = (given: string) =>
    Number(given) === none ? undefined : wholeNumberProblem(given, BigInt(min), BigInt(max));
  const documentation = 'batches are stored as the producer sent them';
  return { name, type: TopicConfigType.int, default: value, documentation, problem };
}

function int(name: string, value: string, min: number, documentation: string): Described {
  const problem = (given: string) => wholeNumberProblem(given, BigInt(min), BigInt(MOST_INT));
  return { name, type: TopicConfigType.int, default: value, documentation, problem };
}

function long(name: string, value: string, min: number, documentation: string): Described {
  const problem = (given: string) => wholeNumberProblem(given, BigInt(min), BigInt(MOST_LONG));
  return { name, type: TopicConfigType.long, default: value, documentation, problem };
}

function double(name: string, value: string, min: number, max: number, documentation: string): Described {
  function problem(given: string): string | undefined {
    const number = given.trim() === '' ? Number.NaN : Number(given);
    return number >= min && number <= max ? undefined : `'${given}' is not between ${min} and ${max}`;
  }
  return { name, type: TopicConfigType.double, default: value, documentation, problem };
}

function wholeNumberProblem(given: string, min: bigint, max: bigint): string | undefined {
  const digits = given.trim().replace(/^\+/, '');
  if (!/^-?\d{1,20}$/.test(digits)) return `'${given}' is no whole number`;
  const number = BigInt(digits);
  return number < min || number > max ? `${given} is not between ${min} and ${max}` : undefined;
}
