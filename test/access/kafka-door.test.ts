import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { identityOf } from '../../internal/access/identity.ts';
import { ruleOfBinding } from '../../internal/access/rules/kafka-patterns.ts';
import { RulePolicy } from '../../internal/access/rules/rule-policy.ts';
import { ALL_HANDLERS } from '../../internal/doors/kafka/handlers/all.ts';
import type { Need } from '../../internal/doors/kafka/request-access.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { listOffsets } from '../../internal/protocol/kafka/apis/02-list-offsets.ts';
import { metadata } from '../../internal/protocol/kafka/apis/03-metadata.ts';
import { offsetCommit } from '../../internal/protocol/kafka/apis/08-offset-commit.ts';
import { offsetFetch } from '../../internal/protocol/kafka/apis/09-offset-fetch.ts';
import { joinGroup } from '../../internal/protocol/kafka/apis/11-join-group.ts';
import { listGroups } from '../../internal/protocol/kafka/apis/16-list-groups.ts';
import { apiVersions } from '../../internal/protocol/kafka/apis/18-api-versions.ts';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import { deleteTopics } from '../../internal/protocol/kafka/apis/20-delete-topics.ts';
import { initProducerId } from '../../internal/protocol/kafka/apis/22-init-producer-id.ts';
import { describeConfigs } from '../../internal/protocol/kafka/apis/32-describe-configs.ts';
import { describeCluster } from '../../internal/protocol/kafka/apis/60-describe-cluster.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { changeablePolicy } from '../support/access.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';
import {
  CLUSTER,
  commitOf,
  errorCodes,
  kafkaRequests,
  produceOf,
  TOPIC,
  TOPIC_RESOURCE,
  topicOf,
} from './kafka-requests.ts';

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
  await wire.ask(offsetCommit, 8, commitOf(NAMES));
  asked.clear();
});
afterEach(() => {
  refused.clear();
  policy.change();
  wire.close();
});

async function create(name: string): Promise<void> {
  await wire.ask(createTopics, 7, { topics: [topicOf(name)], timeoutMs: 1000, validateOnly: false });
}

const NAMES = { log: 'secret.log', fresh: 'new', group: 'secret-group' };
const CASES = kafkaRequests(NAMES);

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
    tested.get(produce.name)!.push('publish topic', 'alter session');
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
