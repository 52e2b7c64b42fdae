import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { identityOf } from '../../internal/access/identity.ts';
import { ruleOfBinding } from '../../internal/access/rules/kafka-patterns.ts';
import { RulePolicy } from '../../internal/access/rules/rule-policy.ts';
import { buildBatch } from '../../internal/batch/build.ts';
import { ALL_HANDLERS } from '../../internal/doors/kafka/handlers/all.ts';
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
import { listGroups } from '../../internal/protocol/kafka/apis/16-list-groups.ts';
import { apiVersions } from '../../internal/protocol/kafka/apis/18-api-versions.ts';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import { deleteTopics } from '../../internal/protocol/kafka/apis/20-delete-topics.ts';
import { deleteRecords } from '../../internal/protocol/kafka/apis/21-delete-records.ts';
import { initProducerId } from '../../internal/protocol/kafka/apis/22-init-producer-id.ts';
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
import { describeCluster } from '../../internal/protocol/kafka/apis/60-describe-cluster.ts';
import { describeTopicPartitions } from '../../internal/protocol/kafka/apis/75-describe-topic-partitions.ts';
import type { Api, InputOf } from '../../internal/protocol/kafka/schema.ts';
import { ZERO_UUID } from '../../internal/protocol/kafka/schema.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { changeablePolicy } from '../support/access.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';

const TOPIC = 29;
const GROUP = 30;
const CLUSTER = 31;

const refused = new Set<Need>();
const asked = new Set<string>();
const policy = changeablePolicy((action, { kind, name }) => {
  asked.add(`${action} ${kind} ${name}`);
  return refused.has(`${action} ${kind}`) ? 'not for you' : undefined;
});

let broker: RunningBroker;
let url: string;
let wire: KafkaWire;

beforeAll(async () => {
  // Its records are of 1970, and what is too old would go while the tests look.
  const listen = ['tcp://127.0.0.1:0'];
  broker = await startBroker({ kafka: { listen }, memory: true, keepForMs: 0, policy });
  url = urlOf(broker, 'kafka');
});
afterAll(() => broker.close());
beforeEach(async () => {
  wire = await KafkaWire.open(url);
  await create('secret.log');
  await wire.ask(produce, 9, produceOf('secret.log'));
  await wire.ask(offsetCommit, 8, COMMIT);
  asked.clear();
});
afterEach(() => {
  refused.clear();
  policy.change();
  wire.close();
});

const records = () =>
  buildBatch([{ timestamp: Date.now(), key: null, value: Buffer.from('v'), headers: [] }]);

function produceOf(name: string) {
  const partitionData = [{ index: 0, records: records() }];
  return { transactionalId: null, acks: -1, timeoutMs: 1000, topicData: [{ name, partitionData }] };
}

function topicOf(name: string) {
  return { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };
}

async function create(name: string): Promise<void> {
  await wire.ask(createTopics, 7, { topics: [topicOf(name)], timeoutMs: 1000, validateOnly: false });
}

/** A request of an API, what is refused of it, and where Kafka's code stands in the answer. */
interface Case<A extends Api> {
  api: A;
  version: number;
  body: InputOf<A['request']>;
  codes: Partial<Record<Need, number>>;
}

function of<A extends Api>(
  api: A,
  version: number,
  body: InputOf<A['request']>,
  codes: Partial<Record<Need, number>>,
): Case<Api> {
  return { api, version, body, codes } as unknown as Case<Api>;
}

const COMMIT = {
  groupId: 'secret-group',
  generationIdOrMemberEpoch: -1,
  memberId: '',
  groupInstanceId: null,
  topics: [
    {
      name: 'secret.log',
      partitions: [
        { partitionIndex: 0, committedOffset: 1, committedLeaderEpoch: -1, committedMetadata: null },
      ],
    },
  ],
};
const partitions = [{ partitionIndex: 0 }];
const member = { groupId: 'secret-group', generationId: 1, memberId: 'm', groupInstanceId: null };
const config = { name: 'retention.ms', value: '1' };
const setConfig = { ...config, configOperation: 0 };
const ACL = {
  resourceType: 2,
  resourceName: 'secret.log',
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
const TOPIC_RESOURCE = 2;
const BROKER_RESOURCE = 4;

const CASES: readonly Case<Api>[] = [
  of(produce, 9, produceOf('secret.log'), { 'write topic': TOPIC }),
  of(
    fetch,
    12,
    {
      replicaId: -1,
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: 1000,
      isolationLevel: 0,
      sessionId: 0,
      sessionEpoch: -1,
      topics: [
        {
          topic: 'secret.log',
          partitions: [
            {
              partition: 0,
              currentLeaderEpoch: -1,
              fetchOffset: 0,
              lastFetchedEpoch: -1,
              logStartOffset: -1,
              partitionMaxBytes: 1000,
            },
          ],
        },
      ],
      forgottenTopicsData: [],
      rackId: '',
    },
    { 'read topic': TOPIC },
  ),
  of(
    listOffsets,
    7,
    {
      replicaId: -1,
      isolationLevel: 0,
      topics: [
        { name: 'secret.log', partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 }] },
      ],
    },
    { 'describe topic': TOPIC },
  ),
  of(
    metadata,
    9,
    {
      topics: [{ name: 'new-by-metadata' }],
      allowAutoTopicCreation: true,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    },
    { 'create topic': TOPIC, 'describe topic': TOPIC },
  ),
  of(offsetCommit, 8, COMMIT, { 'read group': GROUP, 'read topic': TOPIC }),
  of(
    offsetFetch,
    8,
    {
      groups: [{ groupId: 'secret-group', topics: [{ name: 'secret.log', partitionIndexes: [0] }] }],
      requireStable: false,
    },
    { 'describe group': GROUP, 'describe topic': TOPIC },
  ),
  of(findCoordinator, 4, { keyType: 0, coordinatorKeys: ['secret-group'] }, { 'describe group': GROUP }),
  of(
    joinGroup,
    5,
    {
      groupId: 'secret-group',
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
  of(leaveGroup, 4, { groupId: 'secret-group', members: [] }, { 'read group': GROUP }),
  of(syncGroup, 3, { ...member, assignments: [] }, { 'read group': GROUP }),
  of(
    describeGroups,
    5,
    { groups: ['secret-group'], includeAuthorizedOperations: false },
    { 'describe group': GROUP },
  ),
  of(
    createTopics,
    7,
    { topics: [topicOf('new')], timeoutMs: 1000, validateOnly: false },
    { 'create topic': TOPIC },
  ),
  of(
    deleteTopics,
    6,
    { topics: [{ name: 'secret.log', topicId: ZERO_UUID }], timeoutMs: 1000 },
    { 'delete topic': TOPIC },
  ),
  of(
    deleteRecords,
    2,
    { topics: [{ name: 'secret.log', partitions: [{ partitionIndex: 0, offset: -1 }] }], timeoutMs: 1000 },
    { 'delete topic': TOPIC },
  ),
  of(
    offsetForLeaderEpoch,
    4,
    {
      replicaId: -1,
      topics: [
        { topic: 'secret.log', partitions: [{ partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 }] },
      ],
    },
    { 'describe topic': TOPIC },
  ),
  of(
    describeConfigs,
    4,
    {
      resources: [
        { resourceType: TOPIC_RESOURCE, resourceName: 'secret.log', configurationKeys: null },
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
      resources: [{ resourceType: TOPIC_RESOURCE, resourceName: 'secret.log', configs: [config] }],
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
    { topics: [{ name: 'secret.log', count: 2, assignments: null }], timeoutMs: 1000, validateOnly: false },
    { 'alter topic': TOPIC },
  ),
  of(deleteGroups, 2, { groupsNames: ['secret-group'] }, { 'delete group': GROUP }),
  of(
    electLeaders,
    2,
    { electionType: 0, topicPartitions: [{ topic: 'secret.log', partitions: [0] }], timeoutMs: 1000 },
    { 'alter broker': CLUSTER },
  ),
  of(
    incrementalAlterConfigs,
    1,
    {
      resources: [{ resourceType: TOPIC_RESOURCE, resourceName: 'secret.log', configs: [setConfig] }],
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
    { timeoutMs: 1000, topics: [{ name: 'secret.log', partitions: [{ partitionIndex: 0, replicas: [1] }] }] },
    { 'alter broker': CLUSTER },
  ),
  of(listPartitionReassignments, 0, { timeoutMs: 1000, topics: null }, { 'describe broker': CLUSTER }),
  of(
    offsetDelete,
    0,
    { groupId: 'secret-group', topics: [{ name: 'secret.log', partitions }] },
    { 'delete group': GROUP, 'read topic': TOPIC },
  ),
  of(describeAcls, 3, ACL_FILTER, { 'describe broker': CLUSTER }),
  of(createAcls, 3, { creations: [ACL] }, { 'alter broker': CLUSTER }),
  of(deleteAcls, 3, { filters: [ACL_FILTER] }, { 'alter broker': CLUSTER }),
  of(describeClientQuotas, 1, { components: [], strict: false }, { 'describe-configs broker': CLUSTER }),
  of(
    alterClientQuotas,
    1,
    {
      entries: [
        {
          entity: [{ entityType: 'user', entityName: 'ann' }],
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
    { deletions: [{ name: 'ann', mechanism: 1 }], upsertions: [] },
    { 'alter broker': CLUSTER },
  ),
  of(
    describeTopicPartitions,
    0,
    { topics: [{ name: 'secret.log' }], responsePartitionLimit: 10, cursor: null },
    { 'describe topic': TOPIC },
  ),
];

describe('the Kafka door asks', () => {
  it.each(
    CASES.flatMap((one) =>
      Object.entries(one.codes).map(([need, code]) => [one.api.name, need, code, one] as const),
    ),
  )('for %s: %s, else error %i', async (_, need, code, { api, version, body }) => {
    const before = await everything();
    refused.add(need as Need);
    policy.change();
    const answer = await wire.ask(api, version, body as never);
    expect(errorCodes(answer)).toContain(code);
    refused.clear();
    policy.change();
    expect(await everything()).toEqual(before);
  });

  it('about nothing but what each handler says that it needs, and all of that', () => {
    const tested = new Map<string, string[]>();
    for (const { api, codes } of CASES) {
      tested.set(api.name, [...(tested.get(api.name) ?? []), ...Object.keys(codes)].sort());
    }
    // What they leave out of their answers has no code: the tests below. What records say is in spellings.test.ts.
    tested.set(listGroups.name, ['describe broker', 'describe group']);
    tested.get(produce.name)!.push('publish topic');
    tested.get(createTopics.name)!.push('describe-configs topic');
    tested.set(initProducerId.name, ['write broker', 'write topic']);
    tested.get(deleteTopics.name)!.push('describe topic');
    const said = ALL_HANDLERS.filter(({ needs }) => needs.length > 0);
    expect(Object.fromEntries(said.map(({ api, needs }) => [api.name, [...needs].sort()]))).toEqual(
      Object.fromEntries(Array.from(tested, ([name, needs]) => [name, needs.sort()])),
    );
  });

  it('by the live name of a log, so that one rule holds for every door', async () => {
    policy.change();
    await wire.ask(produce, 9, produceOf('secret.log'));
    expect([...asked]).toContain('write topic secret/log');
  });

  it('before it lists topics and groups: those that may not be seen are left out', async () => {
    await join('secret-group');
    const all = { topics: null, allowAutoTopicCreation: false };
    const operations = { includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: true };
    const seen = await wire.ask(metadata, 9, { ...all, ...operations });
    expect(seen.topics.map(({ name }) => name)).toContain('secret.log');
    refused.add('describe topic').add('describe group');
    policy.change();
    expect((await wire.ask(metadata, 9, { ...all, ...operations })).topics).toEqual([]);
    // As in Kafka, who may describe the cluster sees all groups.
    const groups = () => wire.ask(listGroups, 4, { statesFilter: [], typesFilter: [] });
    expect((await groups()).groups).not.toEqual([]);
    refused.add('describe broker');
    policy.change();
    expect((await groups()).groups).toEqual([]);
  });

  it('whether a producer may write to any topic, or to the broker, before it gets an id', async () => {
    const request = { transactionalId: null, transactionTimeoutMs: 1000 };
    const code = async () => (await wire.ask(initProducerId, 4, request)).errorCode;
    const mayWrite = async (...bindings: (readonly [resourceType: number, operation: number])[]) => {
      const rules = bindings.map(([resourceType, operation]) =>
        ruleOfBinding({
          ...{ resourceType, resourceName: resourceType === 4 ? 'kafka-cluster' : 'a', patternType: 3 },
          ...{ principal: 'User:*', host: '*', operation, permissionType: 3 },
        }),
      );
      rulePolicy.replace(rules, true);
      await using other = await startBroker({
        listen: [],
        ...{ kafka: { listen: ['tcp://127.0.0.1:0'] }, memory: true, policy: rulePolicy },
        authenticator: { authenticate: (peer) => identityOf(peer, { user: 'ann' }) },
      });
      const producer = await KafkaWire.open(other.url);
      const { errorCode } = await producer.ask(initProducerId, 4, request);
      producer.close();
      return errorCode;
    };
    const rulePolicy = new RulePolicy();
    expect(await code()).toBe(0);
    expect(await mayWrite([2, 3])).toBe(CLUSTER);
    expect(await mayWrite([2, 3], [2, 4])).toBe(0);
    expect(await mayWrite([4, 12])).toBe(0);
  });

  it('whether who creates a topic may see its configs, and creates it all the same', async () => {
    refused.add('describe-configs topic');
    policy.change();
    const name = 'without-configs';
    const { topics } = await wire.ask(createTopics, 7, { topics: [topicOf(name)] });
    expect(topics).toMatchObject([
      { name, errorCode: 0, topicConfigErrorCode: TOPIC, configs: [], numPartitions: -1 },
    ]);
  });

  it('before it tells the name of a topic that is to be deleted by its id', async () => {
    const seen = await wire.ask(metadata, 12, { topics: [{ name: 'secret.log' }] });
    const { topicId } = seen.topics[0]!;
    const remove = () => wire.ask(deleteTopics, 6, { topics: [{ name: null, topicId }], timeoutMs: 1000 });
    refused.add('delete topic');
    policy.change();
    expect((await remove()).responses).toMatchObject([{ name: 'secret.log', topicId, errorCode: TOPIC }]);
    refused.add('describe topic');
    policy.change();
    expect((await remove()).responses).toMatchObject([{ name: null, topicId, errorCode: TOPIC }]);
  });

  it('what may be done with the cluster: nothing, for a client that may not describe it', async () => {
    const operations = async () =>
      (await wire.ask(describeCluster, 1, { includeClusterAuthorizedOperations: true, endpointType: 1 }))
        .clusterAuthorizedOperations;
    refused.add('alter broker');
    policy.change();
    expect(await operations()).toBe([5, 8, 9, 10, 11, 12].reduce((sum, bit) => sum | (1 << bit), 0));
    refused.add('describe broker');
    policy.change();
    expect(await operations()).toBe(0);
  });

  it('what of the operations on a topic may be done, where the client wants to know', async () => {
    refused.add('write topic').add('delete topic');
    policy.change();
    const { topics } = await wire.ask(metadata, 9, {
      topics: [{ name: 'secret.log' }],
      allowAutoTopicCreation: false,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: true,
    });
    const bits = [3, 5, 7, 8, 10, 11].reduce((sum, operation) => sum | (1 << operation), 0);
    expect(topics[0].topicAuthorizedOperations).toBe(bits);
  });

  it('before it serves anybody: all but ApiVersions closes the connection of a client that is not let in', async () => {
    refused.add('connect broker');
    policy.change();
    const stranger = await KafkaWire.open(url);
    const versions = await stranger.ask(apiVersions, 3, {
      clientSoftwareName: 'test',
      clientSoftwareVersion: '1',
    });
    expect(versions.errorCode).toBe(0);
    stranger.send(metadata, 9, {
      topics: null,
      allowAutoTopicCreation: false,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    });
    expect(await stranger.next()).toBeUndefined();
    // A connection that stands is asked about again with its next request.
    wire.send(listGroups, 4, { statesFilter: [], typesFilter: [] });
    expect(await wire.next()).toBeUndefined();
  });
});

/** Topics with their configs and offsets, groups with their offsets: whatever a client could have changed. */
async function everything(): Promise<object> {
  const other = await KafkaWire.open(url);
  const { topics } = await other.ask(metadata, 9, {
    topics: null,
    allowAutoTopicCreation: false,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  });
  const names = topics.map(({ name }) => name!).sort();
  const configs = await other.ask(describeConfigs, 4, {
    resources: names.map((resourceName) => ({
      resourceType: TOPIC_RESOURCE,
      resourceName,
      configurationKeys: null,
    })),
    includeSynonyms: false,
    includeDocumentation: false,
  });
  const offsets = [];
  for (const timestamp of [-1, -2]) {
    const asked = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp }];
    const request = {
      replicaId: -1,
      isolationLevel: 0,
      topics: names.map((name) => ({ name, partitions: asked })),
    };
    offsets.push(await other.ask(listOffsets, 7, request));
  }
  const groups = await other.ask(listGroups, 4, { statesFilter: [], typesFilter: [] });
  const committed = await other.ask(offsetFetch, 8, {
    groups: [{ groupId: 'secret-group', topics: null }],
    requireStable: false,
  });
  other.close();
  const sizes = topics.map(({ name, partitions }) => [name, partitions.length]);
  return { sizes, configs, offsets, groups, committed };
}

/** A member of a group, which stays there. */
async function join(groupId: string): Promise<void> {
  const { memberId } = await wire.ask(joinGroup, 3, {
    groupId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.alloc(6) }],
  });
  expect(memberId).not.toBe('');
}

/** Every errorCode in an answer. */
function errorCodes(value: unknown): number[] {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'errorCode' && typeof inner === 'number' ? [inner] : errorCodes(inner),
  );
}
