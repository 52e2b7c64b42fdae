import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCoordinator } from '../../internal/protocol/kafka/apis/10-find-coordinator.ts';
import { apiVersions } from '../../internal/protocol/kafka/apis/18-api-versions.ts';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import { initProducerId } from '../../internal/protocol/kafka/apis/22-init-producer-id.ts';
import { addPartitionsToTxn } from '../../internal/protocol/kafka/apis/24-add-partitions-to-txn.ts';
import { addOffsetsToTxn } from '../../internal/protocol/kafka/apis/25-add-offsets-to-txn.ts';
import { endTxn } from '../../internal/protocol/kafka/apis/26-end-txn.ts';
import { txnOffsetCommit } from '../../internal/protocol/kafka/apis/28-txn-offset-commit.ts';
import { describeAcls } from '../../internal/protocol/kafka/apis/29-describe-acls.ts';
import { createAcls } from '../../internal/protocol/kafka/apis/30-create-acls.ts';
import { deleteAcls } from '../../internal/protocol/kafka/apis/31-delete-acls.ts';
import { alterConfigs } from '../../internal/protocol/kafka/apis/33-alter-configs.ts';
import { electLeaders } from '../../internal/protocol/kafka/apis/43-elect-leaders.ts';
import { incrementalAlterConfigs } from '../../internal/protocol/kafka/apis/44-incremental-alter-configs.ts';
import { alterPartitionReassignments } from '../../internal/protocol/kafka/apis/45-alter-partition-reassignments.ts';
import { listPartitionReassignments } from '../../internal/protocol/kafka/apis/46-list-partition-reassignments.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { KafkaWire } from '../support/kafka-wire.ts';

/**
 * Programs ask for what this broker does not have: transactions, ACLs, other brokers. They hung for ever, logged stack
 * traces or found their connection closed. Numbers are what Apache Kafka 4.3 answers as a single broker without an
 * authorizer, and for transactions the one that all clients take as final.
 */

const TRANSACTIONS_REFUSED = 53;
const SECURITY_DISABLED = 54;

let broker: RunningBroker;
let wire: KafkaWire;

beforeAll(async () => {
  broker = await startBroker({ listen: [], kafka: { listen: ['tcp://127.0.0.1:0'] }, memory: true });
  wire = await KafkaWire.open(broker.url);
  const topic = { numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] };
  await wire.ask(createTopics, 7, { topics: [{ name: 'here', ...topic }] });
});

afterAll(async () => {
  wire.close();
  await broker.close();
});

describe('transactions are refused for good', () => {
  const producer = { transactionalId: 'tx', producerId: 1, producerEpoch: 0 };

  it.each([0, 1, 2, 3, 4, 5])('by InitProducerId %i', async (version) => {
    const request = { transactionalId: 'tx', transactionTimeoutMs: 1_000 };
    const answer = await wire.ask(initProducerId, version, request);
    expect(answer).toMatchObject({ errorCode: TRANSACTIONS_REFUSED, producerId: -1, producerEpoch: -1 });
  });

  it.each([1, 2, 3, 4, 5, 6])('by FindCoordinator %i, in words', async (version) => {
    const answer = await wire.ask(findCoordinator, version, {
      key: 'tx',
      keyType: 1,
      coordinatorKeys: ['tx'],
    });
    const found = version < 4 ? answer : answer.coordinators[0];
    expect(found).toMatchObject({ errorCode: TRANSACTIONS_REFUSED, nodeId: -1 });
    expect(found.errorMessage).toBe('Transactions are not served by this broker.');
  });

  it.each([0, 1, 2, 3, 4, 5])('by AddPartitionsToTxn %i, for each partition', async (version) => {
    const topics = [{ name: 'here', partitions: [0, 1] }];
    const answer = await wire.ask(addPartitionsToTxn, version, {
      transactions: [{ ...producer, topics }],
      v3AndBelowTransactionalId: 'tx',
      v3AndBelowTopics: topics,
    });
    const results =
      version < 4 ? answer.resultsByTopicV3AndBelow : answer.resultsByTransaction[0].topicResults;
    expect(results).toEqual([
      {
        name: 'here',
        resultsByPartition: [0, 1].map((partitionIndex) => ({
          partitionIndex,
          partitionErrorCode: TRANSACTIONS_REFUSED,
        })),
      },
    ]);
  });

  it('by AddOffsetsToTxn and EndTxn, in every version', async () => {
    for (const version of [0, 1, 2, 3, 4]) {
      const answer = await wire.ask(addOffsetsToTxn, version, { ...producer, groupId: 'g' });
      expect(answer.errorCode).toBe(TRANSACTIONS_REFUSED);
    }
    for (const version of [0, 1, 2, 3, 4, 5]) {
      const answer = await wire.ask(endTxn, version, { ...producer, committed: true });
      expect(answer).toMatchObject({ errorCode: TRANSACTIONS_REFUSED, producerId: -1 });
    }
  });

  it.each([0, 1, 2, 3, 4, 5])('by TxnOffsetCommit %i, for each partition', async (version) => {
    const partitions = [{ partitionIndex: 1, committedOffset: 5, committedMetadata: null }];
    const request = { ...producer, groupId: 'g', topics: [{ name: 'here', partitions }] };
    expect((await wire.ask(txnOffsetCommit, version, request)).topics).toEqual([
      { name: 'here', partitions: [{ partitionIndex: 1, errorCode: TRANSACTIONS_REFUSED }] },
    ]);
  });
});

describe('ACLs are disabled', () => {
  const filter = {
    resourceTypeFilter: 1,
    resourceNameFilter: null,
    patternTypeFilter: 1,
    principalFilter: null,
    hostFilter: null,
    operation: 1,
    permissionType: 1,
  };
  const acl = {
    resourceType: 2,
    resourceName: 'here',
    principal: 'User:x',
    host: '*',
    operation: 3,
    permissionType: 3,
  };

  it.each([1, 2, 3])('in version %i', async (version) => {
    const described = await wire.ask(describeAcls, version, filter);
    expect(described).toMatchObject({ errorCode: SECURITY_DISABLED, resources: [] });
    const created = await wire.ask(createAcls, version, { creations: [acl, acl] });
    expect(created.results.map(({ errorCode }) => errorCode)).toEqual([SECURITY_DISABLED, SECURITY_DISABLED]);
    const deleted = await wire.ask(deleteAcls, version, { filters: [filter] });
    expect(deleted.filterResults).toMatchObject([{ errorCode: SECURITY_DISABLED, matchingAcls: [] }]);
  });
});

describe('a cluster of one broker', () => {
  it.each([undefined, [{ name: 'here', partitionIndexes: [0, 9] }]])(
    'moves no partition: %j',
    async (topics) => {
      const answer = await wire.ask(listPartitionReassignments, 0, topics === undefined ? {} : { topics });
      expect(answer).toMatchObject({ errorCode: 0, topics: [] });
    },
  );

  it.each<[string, number, readonly number[] | null, number]>([
    ['here', 0, [1], 0],
    ['here', 0, null, 85],
    ['here', 0, [2], 39],
    ['here', 0, [1, 2], 39],
    ['here', 0, [], 39],
    ['here', 0, [1, 1], 39],
    ['here', 7, [1], 3],
    ['here', -1, [1], 3],
    ['nowhere', 0, [1], 3],
  ])('answers the move of %s-%i to %j by %i', async (name, partitionIndex, replicas, errorCode) => {
    for (const version of [0, 1]) {
      const topics = [{ name, partitions: [{ partitionIndex, replicas }] }];
      const answer = await wire.ask(alterPartitionReassignments, version, { topics });
      expect(answer.errorCode).toBe(0);
      expect(answer.responses).toMatchObject([{ name, partitions: [{ partitionIndex, errorCode }] }]);
    }
  });

  it.each([0, 1, 2])('has nothing to elect in version %i', async (version) => {
    const topicPartitions = [
      { topic: 'here', partitions: [1, 5] },
      { topic: 'nowhere', partitions: [0] },
    ];
    for (const electionType of version === 0 ? [0] : [0, 1]) {
      const some = await wire.ask(electLeaders, version, { electionType, topicPartitions });
      expect(some.replicaElectionResults).toMatchObject([
        {
          topic: 'here',
          partitionResult: [
            { partitionId: 1, errorCode: 84 },
            { partitionId: 5, errorCode: 3 },
          ],
        },
        { topic: 'nowhere', partitionResult: [{ partitionId: 0, errorCode: 3 }] },
      ]);
      const all = await wire.ask(electLeaders, version, { electionType, topicPartitions: null });
      expect(all.replicaElectionResults).toEqual([{ topic: 'here', partitionResult: [] }]);
    }
  });

  it('knows no other type of election', async () => {
    const topicPartitions = [{ topic: 'here', partitions: [0] }];
    const answer = await wire.ask(electLeaders, 2, { electionType: 2, topicPartitions });
    expect(answer).toMatchObject({
      errorCode: 42,
      replicaElectionResults: [{ partitionResult: [{ errorCode: 42 }] }],
    });
  });

  // kafka-reassign-partitions --verify and --cancel take the throttles away that they might have set.
  it.each<[string, number, number]>([
    ['1', 1, 0],
    ['', 1, 0],
    ['1', 0, 42],
    ['99', 1, 42],
  ])(
    'takes configs of broker %j back to their defaults: operation %i, error %i',
    async (name, operation, error) => {
      const configs = [{ name: 'leader.replication.throttled.rate', configOperation: operation, value: '5' }];
      const resources = [{ resourceType: 4, resourceName: name, configs }];
      const answer = await wire.ask(incrementalAlterConfigs, 1, { resources, validateOnly: false });
      expect(answer.responses).toMatchObject([{ errorCode: error }]);
    },
  );

  it('sets no config of a broker by AlterConfigs, and none is no error', async () => {
    for (const [configs, errorCode] of [
      [[], 0],
      [[{ name: 'log.retention.ms', value: '5' }], 42],
    ] as const) {
      const resources = [{ resourceType: 4, resourceName: '1', configs: [...configs] }];
      const answer = await wire.ask(alterConfigs, 2, { resources, validateOnly: false });
      expect(answer.responses).toMatchObject([{ errorCode }]);
    }
  });
});

describe('the features that ApiVersions names', () => {
  const ask = (version: number) =>
    wire.ask(apiVersions, version, { clientSoftwareName: 'wire', clientSoftwareVersion: '1.0' });

  it('are the level of metadata, and what is not there at level 0', async () => {
    const { supportedFeatures, finalizedFeatures, finalizedFeaturesEpoch } = await ask(4);
    expect(supportedFeatures).toContainEqual({ name: 'metadata.version', minVersion: 7, maxVersion: 30 });
    expect(supportedFeatures).toContainEqual({ name: 'transaction.version', minVersion: 0, maxVersion: 0 });
    expect(finalizedFeatures).toEqual([
      { name: 'metadata.version', minVersionLevel: 30, maxVersionLevel: 30 },
    ]);
    expect(finalizedFeaturesEpoch).toBeGreaterThanOrEqual(0);
  });

  it('have no range that begins at 0 before version 4', async () => {
    const { supportedFeatures } = await ask(3);
    expect(supportedFeatures.map(({ name }) => name)).toEqual(['metadata.version']);
  });
});
