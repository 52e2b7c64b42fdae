import { describeConfigs } from '../../../protocol/kafka/apis/32-describe-configs.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import type { RequestOf, ResponseOf } from '../../../protocol/kafka/schema.ts';
import { brokerConfigs } from '../configs/broker-configs.ts';
import {
  brokerConfigName,
  ConfigSource,
  type ConfigValue,
  configValues,
  ResourceType,
} from '../configs/configs.ts';
import { type KafkaError, kafkaError, NO_ERROR } from '../errors.ts';
import { defineHandler, type KafkaParts } from '../handler.ts';
import type { RequestAccess } from '../request-access.ts';
import { missingTopic } from '../topics.ts';

type Request = RequestOf<typeof describeConfigs>;
type Resource = Request['resources'][number];
type Config = ResponseOf<typeof describeConfigs>['results'][number]['configs'][number];

export const describeConfigsHandler = defineHandler(
  describeConfigs,
  (request, { parts, access }) => {
    const results = request.resources.map((resource) => {
      const { resourceType, resourceName, configurationKeys } = resource;
      const described = refusalOf(resource, access) ?? configsOf(resource, request, parts);
      if (!Array.isArray(described)) return { ...described, resourceType, resourceName, configs: [] };
      // Kafka takes an empty list for all of them, as tools do that name none.
      const keys =
        configurationKeys === null || configurationKeys.length === 0 ? undefined : configurationKeys;
      const configs = described.filter(({ name }) => keys?.includes(name) ?? true);
      return { ...NO_ERROR, errorMessage: '', resourceType, resourceName, configs };
    });
    return { results };
  },
  { needs: ['describe-configs topic', 'describe-configs broker'] },
);

function refusalOf({ resourceType, resourceName }: Resource, access: RequestAccess): KafkaError | undefined {
  if (resourceType === ResourceType.topic) return access.topicRefusal('describe-configs', resourceName);
  return resourceType === ResourceType.broker ? access.brokerRefusal('describe-configs') : undefined;
}

function configsOf(resource: Resource, request: Request, parts: KafkaParts): Config[] | KafkaError {
  const { resourceType, resourceName } = resource;
  if (resourceType === ResourceType.topic) return topicConfigs(resourceName, request, parts);
  if (resourceType !== ResourceType.broker) {
    return kafkaError(
      KafkaErrorCode.invalidRequest,
      `configs of resource type ${resourceType} are not served`,
    );
  }
  // No name stands for what was set for all brokers of a cluster: nothing.
  if (resourceName === '') return [];
  if (resourceName === String(parts.nodes.brokerId)) return ownConfigs(request, parts);
  const message = `Unexpected broker id, expected ${parts.nodes.brokerId} or empty string, but received ${resourceName}`;
  return kafkaError(KafkaErrorCode.invalidRequest, message);
}

function topicConfigs(name: string, request: Request, parts: KafkaParts): Config[] | KafkaError {
  const topic = parts.logs.topic(name);
  if (topic === undefined) return missingTopic(name);
  return configValues(topic.configs, parts).map(({ config, value, source, fallback }) => {
    const own = source === ConfigSource.topic ? [{ name: config.name, value, source }] : [];
    const synonyms = [...own, ...synonymsOf(config.name, fallback)];
    return {
      name: config.name,
      value,
      readOnly: false,
      configSource: source,
      isSensitive: false,
      synonyms: request.includeSynonyms ? synonyms : [],
      configType: config.type,
      documentation: request.includeDocumentation ? config.documentation : null,
    };
  });
}

/** The default of a topic's config, as a config of the broker. */
function synonymsOf(name: string, fallback: ConfigValue['fallback']) {
  const isSet = fallback.source === ConfigSource.staticBroker;
  const brokerName = brokerConfigName(name) ?? (isSet ? `log.${name}` : undefined);
  return brokerName === undefined ? [] : [{ name: brokerName, ...fallback }];
}

function ownConfigs(request: Request, parts: KafkaParts): Config[] {
  return brokerConfigs(parts).map(({ name, value, type, documentation }) => ({
    name,
    value,
    readOnly: true,
    configSource: ConfigSource.staticBroker,
    isSensitive: false,
    synonyms: request.includeSynonyms ? [{ name, value, source: ConfigSource.staticBroker }] : [],
    configType: type,
    documentation: request.includeDocumentation ? documentation : null,
  }));
}
