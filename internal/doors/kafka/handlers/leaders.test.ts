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
import { deleteRecordsHandler } from './21-delete-records.ts';
import { offsetForLeaderEpochHandler } from './23-offset-for-leader-epoch.ts';
import { describeClusterHandler } from './60-describe-cluster.ts';
import { describeTopicPartitionsHandler } from './75-describe-topic-partitions.ts';

const NONE = 0;
const LEADER_NOT_AVAILABLE = 5;
const NOT_LEADER = 6;
const COORDINATOR_NOT_AVAILABLE = 15;
const NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20;
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
    { id: 7, kafka: { host: 'seven', port: 9097 } },
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

  it('have one among them that coordinates groups', async () => {
    const found = await door.ask(findCoordinatorHandler, 4, { keyType: 0, coordinatorKeys: ['g'] });
    expect(found.coordinators).toMatchObject([{ nodeId: 7, host: 'seven', port: 9097, errorCode: NONE }]);
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

describe('a store that too few of its servers answer for', () => {
  it('has a producer told that its batch may be there, and it tries again', async () => {
    const [led] = door.logs.topic('t')!.partitions;
    led!.append = async () => {
      throw new StoreUnavailableError('no-majority', 'two of three servers are away');
    };
    const records = buildBatch([{ timestamp: 1, key: null, value: Buffer.from('x') }]);
    const { responses } = await door.ask(produceHandler, 10, {
      ...{ acks: -1, timeoutMs: 1_000 },
      topicData: [{ name: 't', partitionData: [{ index: 0, records }] }],
    });
    expect(responses[0]!.partitionResponses).toMatchObject([
      { errorCode: NOT_ENOUGH_REPLICAS_AFTER_APPEND, errorMessage: 'two of three servers are away' },
    ]);
  });
});
