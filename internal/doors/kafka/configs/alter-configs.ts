import type { TopicLog } from '../../../log/logs.ts';
import {
  listItems,
  type TopicConfigs,
  TopicConfigType,
  topicConfig,
  unknownTopicConfig,
} from '../../../log/topic-configs.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { changeError, type KafkaError, kafkaError, NO_ERROR } from '../errors.ts';
import type { KafkaParts, RequestContext } from '../handler.ts';
import type { RequestAccess } from '../request-access.ts';
import { duplicatesOf, missingTopic } from '../topics.ts';
import { configsError, ResourceType } from './configs.ts';

interface Resource {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly configs: readonly { readonly name: string }[];
}

/** The change that a request makes to its resources. */
interface Alteration<R> {
  /** Changes a topic. */
  topic(resource: R): Promise<KafkaError | undefined>;
  /** Whether something would be set, and not only taken back to its default. */
  sets(resource: R): boolean;
}

/** Changes one resource after the other; what only Kafka's own brokers have is refused. */
export async function alterEach<R extends Resource>(
  resources: readonly R[],
  { parts: { nodes }, access }: RequestContext,
  alteration: Alteration<R>,
) {
  const key = ({ resourceType, resourceName }: Resource) => `${resourceType} ${resourceName}`;
  const duplicates = duplicatesOf(resources.map(key));
  const responses = [];
  for (const resource of resources) {
    const { resourceType, resourceName, configs } = resource;
    let error = refusalOf(resource, access);
    if (error !== undefined) {
      responses.push({ ...error, resourceType, resourceName });
      continue;
    }
    if (duplicates.has(key(resource))) {
      error = kafkaError(KafkaErrorCode.invalidRequest, 'Each resource must appear at most once.');
    } else if (duplicatesOf(configs.map(({ name }) => name)).size > 0) {
      error = kafkaError(KafkaErrorCode.invalidRequest, 'Each config must appear at most once.');
    } else if (resourceType === ResourceType.broker) {
      error = brokerError(resourceName, nodes.brokerId, alteration.sets(resource));
    } else if (resourceType !== ResourceType.topic) {
      error = kafkaError(KafkaErrorCode.invalidRequest, 'only topics have configs that can be changed');
    } else {
      error = await alteration.topic(resource);
    }
    responses.push({ ...(error ?? NO_ERROR), resourceType, resourceName });
  }
  return responses;
}

function refusalOf({ resourceType, resourceName }: Resource, access: RequestAccess): KafkaError | undefined {
  if (resourceType === ResourceType.topic) return access.topicRefusal('alter-configs', resourceName);
  return resourceType === ResourceType.broker ? access.brokerRefusal('alter-configs') : undefined;
}

/** Nothing of the broker can be set by a client, so all is at its default, and goes there when somebody asks for it. */
function brokerError(name: string, nodeId: number, sets: boolean): KafkaError | undefined {
  if (name !== EVERY_BROKER && name !== String(nodeId)) {
    return kafkaError(KafkaErrorCode.invalidRequest, `this is broker ${nodeId}, not ${name}`);
  }
  if (!sets) return undefined;
  return kafkaError(KafkaErrorCode.invalidRequest, "the broker's own settings are flags of its command line");
}

const EVERY_BROKER = '';

/**
 * Sets the configs of a topic.
 *
 * @param change makes them from those before; an error where they cannot be.
 */
export async function changeConfigs(
  resourceName: string,
  validateOnly: boolean,
  parts: KafkaParts,
  change: (before: TopicConfigs) => TopicConfigs | KafkaError,
): Promise<KafkaError | undefined> {
  if (resourceName === '') {
    return kafkaError(KafkaErrorCode.invalidRequest, 'configs for all topics are flags of the command line');
  }
  const topic = parts.logs.topic(resourceName);
  if (topic === undefined) return missingTopic(resourceName);
  const configs = change(settable(topic));
  if (isError(configs)) return configs;
  const problem = configsError(configs, parts);
  if (problem !== undefined || validateOnly) return problem;
  try {
    await parts.logs.setConfigs(topic, { ...ownOf(topic), ...configs });
    return undefined;
  } catch (error) {
    return changeError(error);
  }
}

/** One step of IncrementalAlterConfigs; `append` and `subtract` are for lists. */
export function applyOperation(
  configs: TopicConfigs,
  { name, configOperation, value }: { name: string; configOperation: number; value: string | null },
  parts: KafkaParts,
): KafkaError | undefined {
  if (configOperation === Operation.delete) {
    delete configs[name];
    return undefined;
  }
  if (value === null) return kafkaError(KafkaErrorCode.invalidRequest, `${name}: null is no value`);
  const config = topicConfig(name);
  if (config === undefined) {
    return kafkaError(KafkaErrorCode.invalidConfig, unknownTopicConfig(name));
  }
  if (configOperation === Operation.set) {
    configs[name] = value;
    return undefined;
  }
  if (configOperation !== Operation.append && configOperation !== Operation.subtract) {
    return kafkaError(KafkaErrorCode.invalidRequest, `${configOperation} is no operation on a config`);
  }
  if (config.type !== TopicConfigType.list) {
    return kafkaError(KafkaErrorCode.invalidConfig, `${name} is no list`);
  }
  const items = listItems(configs[name] ?? parts.logs.defaults.get(name)!);
  const named = listItems(value);
  if (named.length === 0) return kafkaError(KafkaErrorCode.invalidConfig, `${name}: there is no item`);
  const changed =
    configOperation === Operation.append
      ? [...items, ...named.filter((item) => !items.includes(item))]
      : items.filter((item) => !named.includes(item));
  configs[name] = changed.join(',');
  return undefined;
}

/** The operations of IncrementalAlterConfigs. */
export const Operation = { set: 0, delete: 1, append: 2, subtract: 3 } as const;

function isError(value: TopicConfigs | KafkaError): value is KafkaError {
  return 'errorCode' in value;
}

/** The configs of a topic that clients set, and may take away. */
function settable({ configs }: TopicLog): TopicConfigs {
  return Object.fromEntries(Object.entries(configs).filter(([name]) => topicConfig(name) !== undefined));
}

/** Those that the broker itself remembers there. */
function ownOf({ configs }: TopicLog): TopicConfigs {
  return Object.fromEntries(Object.entries(configs).filter(([name]) => topicConfig(name) === undefined));
}
