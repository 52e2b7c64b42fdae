import {
  TOPIC_CONFIGS,
  type TopicConfig,
  type TopicConfigs,
  topicConfigProblem,
  topicConfigsProblem,
} from '../../../log/topic-configs.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { type KafkaError, kafkaError } from '../errors.ts';
import type { KafkaParts } from '../handler.ts';

/** The kinds of resources that have configs (Kafka's ConfigResource.Type). */
export const ResourceType = { topic: 2, broker: 4 } as const;
/** The source of a config's value (Kafka's ConfigSource). */
export const ConfigSource = { topic: 1, staticBroker: 4, default: 5 } as const;

/** A config with its value, as several answers tell it. */
export interface ConfigValue {
  readonly config: TopicConfig;
  readonly value: string;
  readonly source: number;
  /** The default for topics that set no value. */
  readonly fallback: { readonly value: string; readonly source: number };
}

/** All configs of a topic with what holds for it. */
export function configValues(configs: TopicConfigs, { logs }: KafkaParts): ConfigValue[] {
  return TOPIC_CONFIGS.map((config) => {
    const value = logs.defaults.get(config.name)!;
    const fallback = {
      value,
      source: value === config.default ? ConfigSource.default : ConfigSource.staticBroker,
    };
    const own = configs[config.name];
    return own === undefined
      ? { config, ...fallback, fallback }
      : { config, value: own, source: ConfigSource.topic, fallback };
  });
}

/** The problem of configs that a client wants to set; undefined if there is none. */
export function configsError(configs: TopicConfigs, { logs }: KafkaParts): KafkaError | undefined {
  for (const [name, value] of Object.entries(configs)) {
    const problem = topicConfigProblem(name, value);
    if (problem !== undefined) return kafkaError(KafkaErrorCode.invalidConfig, problem);
  }
  const problem = topicConfigsProblem(configs, logs.defaults);
  return problem === undefined ? undefined : kafkaError(KafkaErrorCode.invalidConfig, problem);
}

/** The problem of a config that is set to null; Kafka has different codes for it. */
export function nullConfigError(
  configs: readonly { readonly name: string; readonly value: string | null }[],
  errorCode: KafkaErrorCode,
): KafkaError | undefined {
  const config = configs.find(({ value }) => value === null);
  return config === undefined ? undefined : kafkaError(errorCode, `${config.name}: null is no value`);
}

/**
 * Kafka's name of the default of a topic's config among the configs of a broker; undefined where a broker has none, or
 * none that is set by default.
 */
export function brokerConfigName(name: string): string | undefined {
  return BROKER_NAMES[name];
}

const BROKER_NAMES: Readonly<Record<string, string>> = {
  'cleanup.policy': 'log.cleanup.policy',
  'compression.gzip.level': 'compression.gzip.level',
  'compression.lz4.level': 'compression.lz4.level',
  'compression.type': 'compression.type',
  'compression.zstd.level': 'compression.zstd.level',
  'delete.retention.ms': 'log.cleaner.delete.retention.ms',
  'file.delete.delay.ms': 'log.segment.delete.delay.ms',
  'flush.messages': 'log.flush.interval.messages',
  'index.interval.bytes': 'log.index.interval.bytes',
  'local.retention.bytes': 'log.local.retention.bytes',
  'local.retention.ms': 'log.local.retention.ms',
  'max.compaction.lag.ms': 'log.cleaner.max.compaction.lag.ms',
  'max.message.bytes': 'message.max.bytes',
  'message.timestamp.after.max.ms': 'log.message.timestamp.after.max.ms',
  'message.timestamp.before.max.ms': 'log.message.timestamp.before.max.ms',
  'message.timestamp.type': 'log.message.timestamp.type',
  'min.cleanable.dirty.ratio': 'log.cleaner.min.cleanable.ratio',
  'min.compaction.lag.ms': 'log.cleaner.min.compaction.lag.ms',
  'min.insync.replicas': 'min.insync.replicas',
  preallocate: 'log.preallocate',
  'retention.bytes': 'log.retention.bytes',
  'segment.bytes': 'log.segment.bytes',
  'segment.index.bytes': 'log.index.size.max.bytes',
  'unclean.leader.election.enable': 'unclean.leader.election.enable',
};
