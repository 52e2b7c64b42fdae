import { buildBatch } from '../../internal/batch/build.ts';
import type { Need } from '../../internal/doors/kafka/request-access.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { fetch } from '../../internal/protocol/kafka/apis/01-fetch.ts';
import { listOffsets } from '../../internal/protocol/kafka/apis/02-list-offsets.ts';
import { metadata } from '../../internal/protocol/kafka/apis/03-metadata.ts';
import { offsetCommit } from '../../internal/protocol/kafka/apis/08-offset-commit.ts';
import { offsetFetch } from '../../internal/protocol/kafka/apis/09-offset-fetch.ts';
import { findCoordinator } from '../../internal/protocol/kafka/apis/10-find-coordinator.ts';
import { joinGroup } from '../../internal/protocol/kafka/apis/11-join-group.ts';
import { heartbeat } from '../../internal/protocol/kafka/apis/12-heartbeat.ts';
import { leaveGroup } from '../../internal/protocol/kafka/apis/13-leave-group.ts';
import { syncGroup } from '../../internal/protocol/kafka/apis/14-sync-group.ts';
import { describeGroups } from '../../internal/protocol/kafka/apis/15-describe-groups.ts';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import { deleteTopics } from '../../internal/protocol/kafka/apis/20-delete-topics.ts';
import { deleteRecords } from '../../internal/protocol/kafka/apis/21-delete-records.ts';
import { offsetForLeaderEpoch } from '../../internal/protocol/kafka/apis/23-offset-for-leader-epoch.ts';
import { describeAcls } from '../../internal/protocol/kafka/apis/29-describe-acls.ts';
import { createAcls } from '../../internal/protocol/kafka/apis/30-create-acls.ts';
import { deleteAcls } from '../../internal/protocol/kafka/apis/31-delete-acls.ts';
import { describeConfigs } from '../../internal/protocol/kafka/apis/32-describe-configs.ts';
import { alterConfigs } from '../../internal/protocol/kafka/apis/33-alter-configs.ts';
import { describeLogDirs } from '../../internal/protocol/kafka/apis/35-describe-log-dirs.ts';
import { createPartitions } from '../../internal/protocol/kafka/apis/37-create-partitions.ts';
import { deleteGroups } from '../../internal/protocol/kafka/apis/42-delete-groups.ts';
import { electLeaders } from '../../internal/protocol/kafka/apis/43-elect-leaders.ts';
import { incrementalAlterConfigs } from '../../internal/protocol/kafka/apis/44-incremental-alter-configs.ts';
import { alterPartitionReassignments } from '../../internal/protocol/kafka/apis/45-alter-partition-reassignments.ts';
import { listPartitionReassignments } from '../../internal/protocol/kafka/apis/46-list-partition-reassignments.ts';
import { offsetDelete } from '../../internal/protocol/kafka/apis/47-offset-delete.ts';
import { describeClientQuotas } from '../../internal/protocol/kafka/apis/48-describe-client-quotas.ts';
import { alterClientQuotas } from '../../internal/protocol/kafka/apis/49-alter-client-quotas.ts';
import { describeUserScramCredentials } from '../../internal/protocol/kafka/apis/50-describe-user-scram-credentials.ts';
import { alterUserScramCredentials } from '../../internal/protocol/kafka/apis/51-alter-user-scram-credentials.ts';
import { describeTopicPartitions } from '../../internal/protocol/kafka/apis/75-describe-topic-partitions.ts';
import type { Api, InputOf } from '../../internal/protocol/kafka/schema.ts';
import { ZERO_UUID } from '../../internal/protocol/kafka/schema.ts';

export const TOPIC = 29;
export const GROUP = 30;
export const CLUSTER = 31;
export const TOPIC_RESOURCE = 2;
const BROKER_RESOURCE = 4;

/** A request of an API, and which error each thing that it needs costs where that is refused. */
export interface KafkaRequest {
  api: Api;
  version: number;
  body: InputOf<Api['request']>;
  codes: Partial<Record<Need, number>>;
}

/** What the requests are about: a log and a group that are there, and a name that no log has yet. */
export interface KafkaNames {
  log: string;
  fresh: string;
  group: string;
}

export function produceOf(name: string, value = 'v') {
  const record = { timestamp: Date.now(), key: null, value: Buffer.from(value), headers: [] };
  const partitionData = [{ index: 0, records: buildBatch([record]) }];
  return { transactionalId: null, acks: -1, timeoutMs: 1000, topicData: [{ name, partitionData }] };
}

export function topicOf(name: string) {
  return { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };
}

export function commitOf({ log, group }: Pick<KafkaNames, 'log' | 'group'>, committedOffset = 1) {
  return {
    groupId: group,
    generationIdOrMemberEpoch: -1,
    memberId: '',
    groupInstanceId: null,
    topics: [
      {
        name: log,
        partitions: [
          { partitionIndex: 0, committedOffset, committedLeaderEpoch: -1, committedMetadata: null },
        ],
      },
    ],
  };
}

export function fetchOf(log: string, fetchOffset: number, maxWaitMs: number) {
  const partition = { partition: 0, currentLeaderEpoch: -1, lastFetchedEpoch: -1, logStartOffset: -1 };
  const partitions = [{ ...partition, fetchOffset, partitionMaxBytes: 1_000_000 }];
  return {
    ...{ replicaId: -1, maxWaitMs, minBytes: 1, maxBytes: 1_000_000, isolationLevel: 0 },
    ...{ sessionId: 0, sessionEpoch: -1, topics: [{ topic: log, partitions }] },
    ...{ forgottenTopicsData: [], rackId: '' },
  };
}

/** Every API that asks for permissions, as a client without bad intentions would call it. */
export function kafkaRequests({ log, fresh, group }: KafkaNames): readonly KafkaRequest[] {
  const partitions = [{ partitionIndex: 0 }];
  const member = { groupId: group, generationId: 1, memberId: 'm', groupInstanceId: null };
  const config = { name: 'retention.ms', value: '1' };
  const setConfig = { ...config, configOperation: 0 };
  const ACL = {
    resourceType: 2,
    resourceName: log,
    resourcePatternType: 3,
    principal: 'User:ann',
    host: '*',
    operation: 3,
    permissionType: 3,
  };
  const ACL_FILTER = {
    resourceTypeFilter: 1,
    resourceNameFilter: null,
    patternTypeFilter: 1,
    principalFilter: null,
    hostFilter: null,
    operation: 1,
    permissionType: 1,
  };
  return [
    of(produce, 9, produceOf(log), { 'write topic': TOPIC }),
    of(fetch, 12, fetchOf(log, 0, 0), { 'read topic': TOPIC }),
    of(
      listOffsets,
      7,
      {
        replicaId: -1,
        isolationLevel: 0,
        topics: [{ name: log, partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 }] }],
      },
      { 'describe topic': TOPIC },
    ),
    of(
      metadata,
      9,
      {
        topics: [{ name: fresh }],
        allowAutoTopicCreation: true,
        includeClusterAuthorizedOperations: false,
        includeTopicAuthorizedOperations: false,
      },
      { 'create topic': TOPIC, 'describe topic': TOPIC },
    ),
    of(offsetCommit, 8, commitOf({ log, group }), { 'read group': GROUP, 'read topic': TOPIC }),
    of(
      offsetFetch,
      8,
      {
        groups: [{ groupId: group, topics: [{ name: log, partitionIndexes: [0] }] }],
        requireStable: false,
      },
      { 'describe group': GROUP, 'describe topic': TOPIC },
    ),
    of(findCoordinator, 4, { keyType: 0, coordinatorKeys: [group] }, { 'describe group': GROUP }),
    of(
      joinGroup,
      5,
      {
        groupId: group,
        sessionTimeoutMs: 10_000,
        rebalanceTimeoutMs: 10_000,
        memberId: '',
        groupInstanceId: null,
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: Buffer.alloc(6) }],
      },
      { 'read group': GROUP },
    ),
    of(heartbeat, 4, member, { 'read group': GROUP }),
    of(leaveGroup, 4, { groupId: group, members: [] }, { 'read group': GROUP }),
    of(syncGroup, 3, { ...member, assignments: [] }, { 'read group': GROUP }),
    of(
      describeGroups,
      5,
      { groups: [group], includeAuthorizedOperations: false },
      { 'describe group': GROUP },
    ),
    of(
      createTopics,
      7,
      { topics: [topicOf(fresh)], timeoutMs: 1000, validateOnly: false },
      { 'create topic': TOPIC },
    ),
    of(
      deleteTopics,
      6,
      { topics: [{ name: log, topicId: ZERO_UUID }], timeoutMs: 1000 },
      { 'delete topic': TOPIC },
    ),
    of(
      deleteRecords,
      2,
      { topics: [{ name: log, partitions: [{ partitionIndex: 0, offset: -1 }] }], timeoutMs: 1000 },
      { 'delete topic': TOPIC },
    ),
    of(
      offsetForLeaderEpoch,
      4,
      {
        replicaId: -1,
        topics: [{ topic: log, partitions: [{ partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 }] }],
      },
      { 'describe topic': TOPIC },
    ),
    of(
      describeConfigs,
      4,
      {
        resources: [
          { resourceType: TOPIC_RESOURCE, resourceName: log, configurationKeys: null },
          { resourceType: BROKER_RESOURCE, resourceName: '1', configurationKeys: null },
        ],
        includeSynonyms: false,
        includeDocumentation: false,
      },
      { 'describe-configs topic': TOPIC, 'describe-configs broker': CLUSTER },
    ),
    of(
      alterConfigs,
      2,
      {
        resources: [{ resourceType: TOPIC_RESOURCE, resourceName: log, configs: [config] }],
        validateOnly: false,
      },
      { 'alter-configs topic': TOPIC },
    ),
    of(
      alterConfigs,
      2,
      {
        resources: [{ resourceType: BROKER_RESOURCE, resourceName: '1', configs: [config] }],
        validateOnly: false,
      },
      { 'alter-configs broker': CLUSTER },
    ),
    of(describeLogDirs, 4, { topics: null }, { 'describe broker': CLUSTER }),
    of(
      createPartitions,
      3,
      { topics: [{ name: log, count: 2, assignments: null }], timeoutMs: 1000, validateOnly: false },
      { 'alter topic': TOPIC },
    ),
    of(deleteGroups, 2, { groupsNames: [group] }, { 'delete group': GROUP }),
    of(
      electLeaders,
      2,
      { electionType: 0, topicPartitions: [{ topic: log, partitions: [0] }], timeoutMs: 1000 },
      { 'alter broker': CLUSTER },
    ),
    of(
      incrementalAlterConfigs,
      1,
      {
        resources: [{ resourceType: TOPIC_RESOURCE, resourceName: log, configs: [setConfig] }],
        validateOnly: false,
      },
      { 'alter-configs topic': TOPIC },
    ),
    of(
      incrementalAlterConfigs,
      1,
      {
        resources: [{ resourceType: BROKER_RESOURCE, resourceName: '1', configs: [setConfig] }],
        validateOnly: false,
      },
      { 'alter-configs broker': CLUSTER },
    ),
    of(
      alterPartitionReassignments,
      0,
      { timeoutMs: 1000, topics: [{ name: log, partitions: [{ partitionIndex: 0, replicas: [1] }] }] },
      { 'alter broker': CLUSTER },
    ),
    of(listPartitionReassignments, 0, { timeoutMs: 1000, topics: null }, { 'describe broker': CLUSTER }),
    of(
      offsetDelete,
      0,
      { groupId: group, topics: [{ name: log, partitions }] },
      { 'delete group': GROUP, 'read topic': TOPIC },
    ),
    of(describeAcls, 3, ACL_FILTER, { 'describe broker': CLUSTER }),
    of(createAcls, 3, { creations: [ACL] }, { 'alter broker': CLUSTER }),
    of(deleteAcls, 3, { filters: [{ ...ACL_FILTER, resourceNameFilter: log }] }, { 'alter broker': CLUSTER }),
    of(describeClientQuotas, 1, { components: [], strict: false }, { 'describe-configs broker': CLUSTER }),
    of(
      alterClientQuotas,
      1,
      {
        entries: [
          {
            entity: [{ entityType: 'user', entityName: group }],
            ops: [{ key: 'producer_byte_rate', value: 1, remove: false }],
          },
        ],
        validateOnly: false,
      },
      { 'alter-configs broker': CLUSTER },
    ),
    of(describeUserScramCredentials, 0, { users: null }, { 'describe broker': CLUSTER }),
    of(
      alterUserScramCredentials,
      0,
      {
        deletions: [],
        upsertions: [
          {
            ...{ name: `user of ${group}`, mechanism: 1, iterations: 4096 },
            ...{ salt: Buffer.from('salt'), saltedPassword: Buffer.alloc(32, 1) },
          },
        ],
      },
      { 'alter broker': CLUSTER },
    ),
    of(
      describeTopicPartitions,
      0,
      { topics: [{ name: log }], responsePartitionLimit: 10, cursor: null },
      { 'describe topic': TOPIC },
    ),
  ];
}

function of<A extends Api>(
  api: A,
  version: number,
  body: InputOf<A['request']>,
  codes: Partial<Record<Need, number>>,
): KafkaRequest {
  return { api, version, body, codes } as unknown as KafkaRequest;
}

/** Every errorCode in an answer. */
export function errorCodes(value: unknown): number[] {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'errorCode' && typeof inner === 'number' ? [inner] : errorCodes(inner),
  );
}
