import type { TopicLog } from '../../../log/logs.ts';
import { isInternalTopic } from '../../../log/names.ts';
import { metadata } from '../../../protocol/kafka/apis/03-metadata.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { type RequestOf, type ResponseOf, ZERO_UUID } from '../../../protocol/kafka/schema.ts';
import { type KafkaError, kafkaError } from '../errors.ts';
import { defineHandler, type KafkaParts, type RequestContext } from '../handler.ts';
import { endpoints, leaderState } from '../nodes.ts';
import type { RequestAccess } from '../request-access.ts';
import { missingTopic, NO_OPERATIONS, topicOrNew, topicsByName } from '../topics.ts';

type Request = RequestOf<typeof metadata>;
type Topic = ResponseOf<typeof metadata>['topics'][number];

export const metadataHandler = defineHandler(
  metadata,
  async (request, context) => {
    const { parts, version, access } = context;
    if (!isUnderstood(request, version)) return refusal(request);
    const topics = await topicsOf(request, context);
    if (version >= 8 && request.includeTopicAuthorizedOperations) {
      for (const topic of topics) {
        if (topic.errorCode === KafkaErrorCode.none) {
          topic.topicAuthorizedOperations = access.topicOperations(topic.name!);
        }
      }
    }
    const wantsOperations = version <= 10 && request.includeClusterAuthorizedOperations;
    return {
      brokers: endpoints(context),
      clusterId: parts.clusterId,
      controllerId: parts.nodes.brokerId,
      topics,
      clusterAuthorizedOperations: wantsOperations ? access.brokerOperations() : NO_OPERATIONS,
      errorCode: KafkaErrorCode.none,
    };
  },
  { needs: ['describe topic', 'create topic'] },
);

type Described = { -readonly [K in keyof Topic]: Topic[K] };

/** Topics that the client may not see are left out where it asks for all of them, as in Kafka. */
async function topicsOf(request: Request, context: RequestContext): Promise<Described[]> {
  const { parts, version, access } = context;
  const { topics } = request;
  const wantsAll = topics === null || (version === 0 && topics.length === 0);
  if (wantsAll) {
    const visible = topicsByName(parts).filter(({ name }) => access.mayTopic('describe', name));
    return visible.map((topic) => describe(topic, parts));
  }
  // As soon as one topic has an id, names are ignored.
  const ids = new Set(topics.map(({ topicId }) => topicId).filter((topicId) => topicId !== ZERO_UUID));
  if (ids.size > 0) return identified(ids, context);
  const names = new Set(topics.map(({ name }) => name!));
  const mayCreate = parts.settings.autoCreate && (version < 4 || request.allowAutoTopicCreation);
  return named(names, mayCreate, context);
}

function identified(topicIds: ReadonlySet<string>, { parts, access }: RequestContext): Described[] {
  const known = [...topicIds].flatMap((topicId) => parts.logs.topicById(topicId) ?? []);
  const unknown = [...topicIds].filter((topicId) => parts.logs.topicById(topicId) === undefined);
  const described = known.map((topic) =>
    access.mayTopic('describe', topic.name) ? describe(topic, parts) : deniedId(topic.topicId),
  );
  return [...unknown.map(unknownId), ...described];
}

async function named(
  names: ReadonlySet<string>,
  mayCreate: boolean,
  { parts, access }: RequestContext,
): Promise<Described[]> {
  const known: Described[] = [];
  const unknown: Described[] = [];
  for (const name of names) {
    const denial = access.topicRefusal('describe', name) ?? refusedCreation(name, mayCreate, access, parts);
    if (denial !== undefined) {
      unknown.push(missing(name, denial));
      continue;
    }
    const topic = mayCreate ? await topicOrNew(name, parts) : (parts.logs.topic(name) ?? missingTopic(name));
    if ('errorCode' in topic) unknown.push(missing(name, topic));
    else known.push(describe(topic, parts));
  }
  return [...known, ...unknown];
}

/** Why a topic that is not there is not created for this client. */
function refusedCreation(
  name: string,
  mayCreate: boolean,
  access: RequestAccess,
  { logs }: KafkaParts,
): KafkaError | undefined {
  return mayCreate && logs.topic(name) === undefined ? access.topicRefusal('create', name) : undefined;
}

/** The first version in which topics may be asked for by their ids (KIP-516). */
const FIRST_VERSION_WITH_IDS = 12;

/** Whether each topic is said in a way that the version has. */
function isUnderstood({ topics }: Request, version: number): boolean {
  return (topics ?? []).every(({ name, topicId }) =>
    version < FIRST_VERSION_WITH_IDS
      ? name !== null && topicId === ZERO_UUID
      : name !== null || topicId !== ZERO_UUID,
  );
}

/** Nothing but the error, for each topic. */
function refusal({ topics }: Request): ResponseOf<typeof metadata> {
  const errorCode = KafkaErrorCode.invalidRequest;
  const refused = topics!.map(({ name, topicId }) => ({
    ...missing(name ?? '', kafkaError(errorCode)),
    topicId,
  }));
  return { brokers: [], clusterId: null, controllerId: -1, topics: refused, errorCode };
}

function describe(topic: TopicLog, parts: KafkaParts): Described {
  return {
    errorCode: KafkaErrorCode.none,
    name: topic.name,
    topicId: topic.topicId,
    isInternal: isInternalTopic(topic.name),
    partitions: topic.partitions.map((partition) => ({
      ...leaderState(partition, parts.nodes),
      partitionIndex: partition.number,
    })),
    topicAuthorizedOperations: NO_OPERATIONS,
  };
}

function missing(name: string, { errorCode }: KafkaError): Described {
  return {
    errorCode,
    name,
    topicId: ZERO_UUID,
    isInternal: isInternalTopic(name),
    partitions: [],
    topicAuthorizedOperations: NO_OPERATIONS,
  };
}

function deniedId(topicId: string): Described {
  return { ...unknownId(topicId), errorCode: KafkaErrorCode.topicAuthorizationFailed };
}

function unknownId(topicId: string): Described {
  return {
    errorCode: KafkaErrorCode.unknownTopicId,
    name: null,
    topicId,
    partitions: [],
    topicAuthorizedOperations: NO_OPERATIONS,
  };
}
