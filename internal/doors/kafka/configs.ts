import {
  TOPIC_CONFIGS,
  type TopicConfig,
  type TopicConfigs,
  topicConfigProblem,
} from '../../log/topic-configs.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import { type KafkaError, kafkaError } from './errors.ts';
import type { KafkaParts } from './handler.ts';

/** What configs belong to (Kafka's ConfigResource.Type). */
export const ResourceType = { topic: 2, broker: 4 } as const;
/** Where the value of a config comes from (Kafka's ConfigSource). */
export const ConfigSource = { topic: 1, staticBroker: 4, default: 5 } as const;

/** A config with its value, as several answers tell it. */
export interface ConfigValue {
  readonly config: TopicConfig;
  readonly value: string;
  readonly source: number;
  /** What holds where the topic says nothing. */
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

/** What is wrong with configs that somebody wants to set; undefined where nothing is. */
export function configsError(configs: Iterable<readonly [string, string | null]>): KafkaError | undefined {
  for (const [name, value] of configs) {
    if (value === null) return kafkaError(KafkaErrorCode.invalidConfig, `${name}: null is no value`);
    const problem = topicConfigProblem(name, value);
    if (problem !== undefined) return kafkaError(KafkaErrorCode.invalidConfig, problem);
  }
  return undefined;
}
