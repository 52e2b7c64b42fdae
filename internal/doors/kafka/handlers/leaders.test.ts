import { beforeEach, describe, expect, it } from 'vitest';
import { GroupDoor } from '../../../../test/support/group-handlers.ts';
import { openLogs } from '../../../../test/support/logs.ts';
import { buildBatch } from '../../../batch/build.ts';
import { MemoryPool } from '../../../lib/lent-memory.ts';
import type { Leader } from '../../../log/leadership.ts';
import { aloneAs, type Nodes } from '../../../log/nodes.ts';
import { StoreUnavailableError } from '../../../store/store-error.ts';
import { FetchSessions } from '../fetch/sessions.ts';
import type { KafkaParts } from '../handler.ts';
import { Slices } from '../slices.ts';
import { produceHandler } from './00-produce.ts';
import { fetchHandler } from './01-fetch.ts';
import { listOffsetsHandler } from './02-list-offsets.ts';
import { metadataHandler } from './03-metadata.ts';
import { findCoordinatorHandler } from './10-find-coordinator.ts';
import { createTopicsHandler } from './19-create-topics.ts';
import { deleteTopicsHandler } from './20-delete-topics.ts';
import { deleteRecordsHandler } from './21-delete-records.ts';
import { initProducerIdHandler } from './22-init-producer-id.ts';
import { offsetForLeaderEpochHandler } from './23-offset-for-leader-epoch.ts';
import { createPartitionsHandler } from './37-create-partitions.ts';
import { describeClusterHandler } from './60-describe-cluster.ts';
import { describeTopicPartitionsHandler } from './75-describe-topic-partitions.ts';

const NONE = 0;
const LEADER_NOT_AVAILABLE = 5;
const NOT_LEADER = 6;
const REQUEST_TIMED_OUT = 7;
const COORDINATOR_LOAD_IN_PROGRESS = 14;
const COORDINATOR_NOT_AVAILABLE = 15;
const NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20;
const KAFKA_STORAGE_ERROR = 56;
const INVALID_REPLICATION_FACTOR = 38;
const INVALID_REPLICA_ASSIGNMENT = 39;
/** The number of this node. */
const SELF = 1;

/** Who leads the partitions of topic `t`, by their numbers. */
const leaders: Leader[] = ['here', 7, 'nobody', 8];
/** The other broker, and one that Kafka's clients cannot reach. */
const nodes: Nodes = {
  ...aloneAs(SELF),
  coordinator: 7,
  others: [
    { id: 7, kafka: { host: 'seven', port: 9097, brokerId: 7 } },
    { id: 8, kafka: undefined },
  ],
};
const SEVEN = { nodeId: 7, host: 'seven', port: 9097, rack: null };
let door: GroupDoor;

beforeEach(async () => {
  const ids: number[] = [];
  const { logs } = await openLogs({ leadership: { leaderOf: (id) => leaders[ids.indexOf(id)]! } });
  const topic = await logs.createTopic('t', leaders.length, {});
  ids.push(...topic.partitions.map(({ id }) => id));
  door = new GroupDoor(
    {
      logs,
      delivery: { settled: () => undefined },
      slices: new Slices(),
      settings: { autoCreate: false },
      fetchSessions: new FetchSessions(),
      fetchMemory: new MemoryPool(0),
    } as unknown as KafkaParts,
    nodes,
  );
});

const numbers = [0, 1, 2, 3];

describe('the brokers of a cluster', () => {
  const OWN = { nodeId: SELF, host: 'broker', port: 9092, rack: null };

  it('are in Metadata and DescribeCluster, as far as clients can reach them', async () => {
    const { brokers, controllerId } = await door.ask(metadataHandler, 8, { topics: [] });
    expect([brokers, controllerId]).toEqual([[OWN, SEVEN], SELF]);
    const cluster = await door.ask(describeClusterHandler, 0, { includeClusterAuthorizedOperations: false });
    expect(cluster.brokers.map(({ brokerId }) => brokerId)).toEqual([SELF, 7]);
  });

  // Its number was another one each time that it started, and a client that remembered it asked for that for ever.
  it('are known by ids that are not the numbers of nodes, and each once where one has come back', async () => {
    const kafka = { host: 'seven', port: 9097, brokerId: 3 };
    const others = [
      { id: 7, kafka },
      { id: 9, kafka },
    ];
    const asked = new GroupDoor(door.parts, { ...nodes, brokerId: 2, others });
    const { brokers, controllerId, topics } = await asked.ask(metadataHandler, 8, {
      topics: [{ name: 't' }],
    });
    const seven = { ...SEVEN, nodeId: 3 };
    expect([brokers, controllerId]).toEqual([[{ ...OWN, nodeId: 2 }, seven], 2]);
    const [first, second] = topics[0]!.partitions;
    expect([first!.leaderId, first!.replicaNodes]).toEqual([2, [2, 3]]);
    expect([second!.leaderId, second!.replicaNodes]).toEqual([3, [3, 2]]);
    const found = await asked.ask(findCoordinatorHandler, 4, { keyType: 0, coordinatorKeys: ['g'] });
    expect(found.coordinators).toMatchObject([{ nodeId: 3, host: 'seven', port: 9097 }]);
  });

  it('have one among them that coordinates groups', async () => {
    const found = await door.ask(findCoordinatorHandler, 4, { keyType: 0, coordinatorKeys: ['g'] });
    expect(found.coordinators).toMatchObject([{ nodeId: 7, host: 'seven', port: 9097, errorCode: NONE }]);
  });

  it('coordinate several groups in one question, each by its key', async () => {
    const found = await door.ask(findCoordinatorHandler, 6, { keyType: 0, coordinatorKeys: ['g', 'h'] });
    expect(found.coordinators).toMatchObject([
      { key: 'g', nodeId: 7, errorCode: NONE },
      { key: 'h', nodeId: 7, errorCode: NONE },
    ]);
  });

  it.each(['nobody', 8] as const)('have no coordinator for clients while that is %s', async (coordinator) => {
    const asked = new GroupDoor(door.parts, { ...nodes, coordinator });
    const found = await asked.ask(findCoordinatorHandler, 4, { keyType: 0, coordinatorKeys: ['g'] });
    expect(found.coordinators).toMatchObject([
      { nodeId: -1, host: '', port: -1, errorCode: COORDINATOR_NOT_AVAILABLE },
    ]);
  });

  it('are as many replicas as a topic may have, and lead what they decide among themselves', async () => {
    const topics = [1, 3, 4].map((replicationFactor) => ({
      ...{ name: `r${replicationFactor}`, numPartitions: 1, replicationFactor },
      ...{ assignments: [], configs: [] },
    }));
    const assigned = {
      ...{ name: 'a', numPartitions: -1, replicationFactor: -1, configs: [] },
      assignments: [{ partitionIndex: 0, brokerIds: [SELF] }],
    };
    const created = await door.ask(createTopicsHandler, 5, {
      ...{ topics: [...topics, assigned], timeoutMs: 1_000, validateOnly: false },
    });
    expect(created.topics.map(({ errorCode }) => errorCode)).toEqual([
      NONE,
      NONE,
      INVALID_REPLICATION_FACTOR,
      INVALID_REPLICA_ASSIGNMENT,
    ]);
  });
});

describe('a partition that another node leads, or nobody', () => {
  it('is told with its leader in Metadata', async () => {
    const { topics } = await door.ask(metadataHandler, 8, { topics: [{ name: 't' }] });
    expect(
      topics[0]!.partitions.map(({ errorCode, leaderId, isrNodes }) => ({ errorCode, leaderId, isrNodes })),
    ).toEqual([
      { errorCode: NONE, leaderId: SELF, isrNodes: [SELF, 7] },
      { errorCode: NONE, leaderId: 7, isrNodes: [7, SELF] },
      { errorCode: LEADER_NOT_AVAILABLE, leaderId: -1, isrNodes: [] },
      { errorCode: LEADER_NOT_AVAILABLE, leaderId: -1, isrNodes: [] },
    ]);
  });

  it('is told with its leader in DescribeTopicPartitions', async () => {
    const { topics } = await door.ask(describeTopicPartitionsHandler, 0, { topics: [{ name: 't' }] });
    expect(topics[0]!.partitions.map(({ leaderId }) => leaderId)).toEqual([SELF, 7, -1, -1]);
  });

  it('takes no batch, and says who does', async () => {
    const records = () => buildBatch([{ timestamp: 1, key: null, value: Buffer.from('x') }]);
    const { responses, nodeEndpoints } = await door.ask(produceHandler, 10, {
      acks: 1,
      timeoutMs: 1_000,
      topicData: [{ name: 't', partitionData: numbers.map((index) => ({ index, records: records() })) }],
    });
    expect(
      responses[0]!.partitionResponses.map(({ errorCode, currentLeader }) => [
        errorCode,
        currentLeader!.leaderId,
      ]),
    ).toEqual([
      [NONE, -1],
      [NOT_LEADER, 7],
      [NOT_LEADER, -1],
      [NOT_LEADER, -1],
    ]);
    expect(nodeEndpoints).toEqual([SEVEN]);
    expect(door.logs.topic('t')!.partitions.map(({ highWatermark }) => highWatermark)).toEqual([1, 0, 0, 0]);
  });

  it('is fetched where it is led', async () => {
    const topic = { topic: 't', topicId: door.topicId };
    const { responses, nodeEndpoints } = await door.ask(fetchHandler, 16, {
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 1_000,
      topics: [
        {
          ...topic,
          partitions: numbers.map((partition) => ({ partition, fetchOffset: 0, partitionMaxBytes: 1_000 })),
        },
      ],
    });
    expect(
      responses[0]!.partitions.map(({ errorCode, currentLeader }) => [errorCode, currentLeader!.leaderId]),
    ).toEqual([
      [NONE, -1],
      [NOT_LEADER, 7],
      [NOT_LEADER, -1],
      [NOT_LEADER, -1],
    ]);
    expect(nodeEndpoints).toEqual([SEVEN]);
  });

  it('has its offsets listed, its epochs told and its records deleted where it is led', async () => {
    const listed = await door.ask(listOffsetsHandler, 4, {
      replicaId: -1,
      topics: [
        { name: 't', partitions: numbers.map((partitionIndex) => ({ partitionIndex, timestamp: -1 })) },
      ],
    });
    const epochs = await door.ask(offsetForLeaderEpochHandler, 3, {
      topics: [
        {
          topic: 't',
          partitions: numbers.map((partition) => ({ partition, currentLeaderEpoch: -1, leaderEpoch: 0 })),
        },
      ],
    });
    const deleted = await door.ask(deleteRecordsHandler, 2, {
      topics: [{ name: 't', partitions: numbers.map((partitionIndex) => ({ partitionIndex, offset: 0 })) }],
      timeoutMs: 1_000,
    });
    for (const { topics } of [listed, epochs, deleted]) {
      const codes = (topics[0]!.partitions as readonly { errorCode: number }[]).map(
        ({ errorCode }) => errorCode,
      );
      expect(codes).toEqual([NONE, NOT_LEADER, NOT_LEADER, NOT_LEADER]);
    }
  });
});

describe('a client whose leader has another epoch', () => {
  const FENCED_LEADER_EPOCH = 74;
  const UNKNOWN_LEADER_EPOCH = 75;

  it.each([
    ['an older one', 2, FENCED_LEADER_EPOCH],
    ['the same', 3, NONE],
    ['a newer one', 4, UNKNOWN_LEADER_EPOCH],
    ['none that it knows', -1, NONE],
  ])('that is %s', async (_which, currentLeaderEpoch, errorCode) => {
    door.logs.topic('t')!.partitions[0]!.leaderEpoch = 3;
    const fetched = await door.ask(fetchHandler, 12, {
      ...{ maxWaitMs: 0, minBytes: 0, maxBytes: 1_000 },
      topics: [
        {
          topic: 't',
          partitions: [
            {
              partition: 0,
              currentLeaderEpoch,
              fetchOffset: 0,
              lastFetchedEpoch: -1,
              partitionMaxBytes: 1_000,
            },
          ],
        },
      ],
    });
    const listed = await door.ask(listOffsetsHandler, 4, {
      replicaId: -1,
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, currentLeaderEpoch, timestamp: -1 }] }],
    });
    const ended = await door.ask(offsetForLeaderEpochHandler, 3, {
      topics: [{ topic: 't', partitions: [{ partition: 0, currentLeaderEpoch, leaderEpoch: 0 }] }],
    });
    for (const partitions of [
      fetched.responses[0]!.partitions,
      listed.topics[0]!.partitions,
      ended.topics[0]!.partitions,
    ]) {
      expect(partitions).toMatchObject([{ errorCode }]);
    }
  });
});

/*
 * Java's consumer ends with an exception where Fetch answers with a code that Fetch does not have, so what Produce says of
 * a store whose servers are away may not be said elsewhere.
 */
describe('a store that too few of its servers answer for', () => {
  const away = async () => {
    throw new StoreUnavailableError('no-majority', 'two of three servers are away');
  };
  const asked = { name: 't', partitions: [{ partitionIndex: 0, offset: 0, timestamp: 5 }] };
  const newTopic = { numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };

  beforeEach(() => {
    const { logs } = door;
    const [led] = logs.topic('t')!.partitions;
    Object.assign(led!, { append: away, read: away, confirm: away, offsetForTime: away, deleteUntil: away });
    Object.assign(logs, { createTopic: away, topicOrNew: away, deleteTopic: away, addPartitions: away });
    Object.assign(logs, { setConfigs: away });
    Object.assign(door.parts, { producerIds: { next: away }, settings: { autoCreate: true } });
  });

  it('has a producer told that its batch may be there, and it tries again', async () => {
    const records = buildBatch([{ timestamp: 1, key: null, value: Buffer.from('x') }]);
    const { responses } = await door.ask(produceHandler, 10, {
      ...{ acks: -1, timeoutMs: 1_000 },
      topicData: [{ name: 't', partitionData: [{ index: 0, records }] }],
    });
    expect(responses[0]!.partitionResponses).toMatchObject([
      { errorCode: NOT_ENOUGH_REPLICAS_AFTER_APPEND, errorMessage: 'two of three servers are away' },
    ]);
  });

  it.each([
    ['of an offset that may not be there', 7, -1],
    ['of an epoch that may not have been', 0, 5],
  ])('has a consumer ask again, %s', async (_what, fetchOffset, lastFetchedEpoch) => {
    const { responses } = await door.ask(fetchHandler, 12, {
      ...{ maxWaitMs: 0, minBytes: 0, maxBytes: 1_000 },
      topics: [
        {
          topic: 't',
          partitions: [{ partition: 0, fetchOffset, lastFetchedEpoch, partitionMaxBytes: 1_000 }],
        },
      ],
    });
    expect(responses[0]!.partitions).toMatchObject([{ errorCode: KAFKA_STORAGE_ERROR }]);
  });

  it('has whoever asks for offsets by time ask again', async () => {
    const { topics } = await door.ask(listOffsetsHandler, 4, { replicaId: -1, topics: [asked] });
    expect(topics[0]!.partitions).toMatchObject([{ errorCode: KAFKA_STORAGE_ERROR }]);
  });

  it('has an administrator told that nothing may have been done yet', async () => {
    const created = await door.ask(createTopicsHandler, 5, {
      ...{ topics: [{ name: 'new', ...newTopic }], timeoutMs: 1_000, validateOnly: false },
    });
    const deleted = await door.ask(deleteTopicsHandler, 5, { topicNames: ['t'], timeoutMs: 1_000 });
    const grown = await door.ask(createPartitionsHandler, 2, {
      ...{ topics: [{ name: 't', count: 9, assignments: null }], timeoutMs: 1_000, validateOnly: false },
    });
    const cut = await door.ask(deleteRecordsHandler, 2, { topics: [asked], timeoutMs: 1_000 });
    const answers = [created.topics, deleted.responses, grown.results, cut.topics[0]!.partitions];
    for (const [answer] of answers) expect(answer).toMatchObject({ errorCode: REQUEST_TIMED_OUT });
  });

  it('has a new topic wanted again, and a producer come again for its id', async () => {
    const { topics } = await door.ask(metadataHandler, 8, {
      ...{ topics: [{ name: 'new' }], allowAutoTopicCreation: true },
    });
    expect(topics).toMatchObject([{ errorCode: LEADER_NOT_AVAILABLE }]);
    const answer = await door.ask(initProducerIdHandler, 4, {
      ...{ transactionalId: null, transactionTimeoutMs: 1_000, producerId: -1, producerEpoch: -1 },
    });
    expect(answer).toMatchObject({ errorCode: COORDINATOR_LOAD_IN_PROGRESS });
  });
});
