import { beforeEach, describe, expect, it } from 'vitest';
import { GroupDoor } from '../../../../test/support/group-handlers.ts';
import { openLogs } from '../../../../test/support/logs.ts';
import { buildBatch } from '../../../batch/build.ts';
import type { Leader } from '../../../log/leadership.ts';
import { FetchSessions } from '../fetch/sessions.ts';
import type { KafkaParts } from '../handler.ts';
import { Slices } from '../slices.ts';
import { produceHandler } from './00-produce.ts';
import { fetchHandler } from './01-fetch.ts';
import { listOffsetsHandler } from './02-list-offsets.ts';
import { metadataHandler } from './03-metadata.ts';
import { deleteRecordsHandler } from './21-delete-records.ts';
import { offsetForLeaderEpochHandler } from './23-offset-for-leader-epoch.ts';
import { describeTopicPartitionsHandler } from './75-describe-topic-partitions.ts';

const NONE = 0;
const LEADER_NOT_AVAILABLE = 5;
const NOT_LEADER = 6;
/** The number of this node. */
const SELF = 1;

/** Who leads the partitions of topic `t`, by their numbers. */
const leaders: Leader[] = ['here', 7, 'nobody'];
let door: GroupDoor;

beforeEach(async () => {
  const ids: number[] = [];
  const { logs } = await openLogs({ leadership: { leaderOf: (id) => leaders[ids.indexOf(id)]! } });
  const topic = await logs.createTopic('t', leaders.length, {});
  ids.push(...topic.partitions.map(({ id }) => id));
  door = new GroupDoor({
    logs,
    delivery: { settled: () => undefined },
    slices: new Slices(),
    settings: { autoCreate: false },
    fetchSessions: new FetchSessions(),
  } as unknown as KafkaParts);
});

const numbers = [0, 1, 2];

describe('a partition that another node leads, or nobody', () => {
  it('is told with its leader in Metadata', async () => {
    const { topics } = await door.ask(metadataHandler, 8, { topics: [{ name: 't' }] });
    expect(
      topics[0]!.partitions.map(({ errorCode, leaderId, isrNodes }) => ({ errorCode, leaderId, isrNodes })),
    ).toEqual([
      { errorCode: NONE, leaderId: SELF, isrNodes: [SELF] },
      { errorCode: NONE, leaderId: 7, isrNodes: [7] },
      { errorCode: LEADER_NOT_AVAILABLE, leaderId: -1, isrNodes: [] },
    ]);
  });

  it('is told with its leader in DescribeTopicPartitions', async () => {
    const { topics } = await door.ask(describeTopicPartitionsHandler, 0, { topics: [{ name: 't' }] });
    expect(topics[0]!.partitions.map(({ leaderId }) => leaderId)).toEqual([SELF, 7, -1]);
  });

  it('takes no batch, and says who does', async () => {
    const records = () => buildBatch([{ timestamp: 1, key: null, value: Buffer.from('x') }]);
    const { responses } = await door.ask(produceHandler, 10, {
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
    ]);
    expect(door.logs.topic('t')!.partitions.map(({ highWatermark }) => highWatermark)).toEqual([1, 0, 0]);
  });

  it('is fetched where it is led', async () => {
    const { responses } = await door.ask(fetchHandler, 12, {
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 1_000,
      topics: [
        {
          topic: 't',
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
    ]);
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
      expect(codes).toEqual([NONE, NOT_LEADER, NOT_LEADER]);
    }
  });
});
