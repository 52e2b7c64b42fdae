import { describe, expect, it } from 'vitest';
import { type GroupDoor, openGroupDoor } from '../../../../test/support/group-handlers.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { offsetCommitHandler } from './08-offset-commit.ts';
import { offsetFetchHandler } from './09-offset-fetch.ts';

const UNKNOWN_ID = 'AAAAAAAAAAAAAAAAAAAAAQ';
const NOTHING = {
  committedOffset: -1,
  committedLeaderEpoch: -1,
  metadata: '',
  errorCode: KafkaErrorCode.none,
};

async function doorWithOffset(): Promise<GroupDoor> {
  const door = await openGroupDoor();
  await door.ask(offsetCommitHandler, 9, {
    groupId: 'g',
    memberId: '',
    topics: [
      {
        name: 't',
        partitions: [
          { partitionIndex: 1, committedOffset: 7, committedLeaderEpoch: 2, committedMetadata: 'note' },
        ],
      },
    ],
  });
  return door;
}

const found = (version: number) => ({
  partitionIndex: 1,
  committedOffset: 7,
  committedLeaderEpoch: version < 5 ? -1 : 2,
  metadata: 'note',
  errorCode: KafkaErrorCode.none,
});

describe('OffsetFetch', () => {
  it.each([1, 2, 3, 4, 5, 6, 7])('version %i tells what one group committed', async (version) => {
    const door = await doorWithOffset();
    const { topics, errorCode } = await door.ask(offsetFetchHandler, version, {
      groupId: 'g',
      topics: [
        { name: 't', partitionIndexes: [0, 1] },
        { name: 'x', partitionIndexes: [3] },
      ],
    });
    expect(errorCode).toBe(KafkaErrorCode.none);
    expect(topics).toEqual([
      { name: 't', partitions: [{ partitionIndex: 0, ...NOTHING }, found(version)] },
      { name: 'x', partitions: [{ partitionIndex: 3, ...NOTHING }] },
    ]);
  });

  it.each([2, 7])('version %i tells all where no topic is asked for', async (version) => {
    const door = await doorWithOffset();
    const { topics } = await door.ask(offsetFetchHandler, version, { groupId: 'g', topics: null });
    expect(topics).toEqual([{ name: 't', partitions: [found(version)] }]);
    expect((await door.ask(offsetFetchHandler, version, { groupId: 'x', topics: null })).topics).toEqual([]);
    expect((await door.ask(offsetFetchHandler, version, { groupId: 'g', topics: [] })).topics).toEqual([]);
  });

  it.each([8, 9])('version %i tells what several groups committed', async (version) => {
    const door = await doorWithOffset();
    const { groups } = await door.ask(offsetFetchHandler, version, {
      groups: [
        { groupId: 'g', memberId: 'x', memberEpoch: 3, topics: null },
        { groupId: 'x', topics: [{ name: 't', partitionIndexes: [0] }] },
      ],
      requireStable: true,
    });
    expect(groups).toMatchObject([
      { groupId: 'g', errorCode: 0, topics: [{ name: 't', partitions: [found(version)] }] },
      {
        groupId: 'x',
        errorCode: 0,
        topics: [{ name: 't', partitions: [{ partitionIndex: 0, ...NOTHING }] }],
      },
    ]);
  });

  it('tells everything of a group once', async () => {
    const door = await doorWithOffset();
    const all = { groupId: 'g', topics: null };
    const some = { groupId: 'g', topics: [] };
    const { groups } = await door.ask(offsetFetchHandler, 9, { groups: [all, some, all, all] });
    expect(groups.map(({ topics }) => topics.length)).toEqual([1, 0]);
  });

  it('version 10 names topics by their ids', async () => {
    const door = await doorWithOffset();
    const { groups } = await door.ask(offsetFetchHandler, 10, {
      groups: [
        {
          groupId: 'g',
          topics: [
            { topicId: door.topicId, partitionIndexes: [1] },
            { topicId: UNKNOWN_ID, partitionIndexes: [0] },
          ],
        },
        { groupId: 'g', topics: null },
      ],
    });
    expect(groups[0].topics).toMatchObject([
      { topicId: door.topicId, partitions: [found(10)] },
      {
        topicId: UNKNOWN_ID,
        partitions: [{ ...NOTHING, partitionIndex: 0, errorCode: KafkaErrorCode.unknownTopicId }],
      },
    ]);
    expect(groups[1].topics).toMatchObject([{ topicId: door.topicId, partitions: [found(10)] }]);
  });
});
