import { describe, expect, it } from 'vitest';
import { openGroupDoor } from '../../../../test/support/group-handlers.ts';
import { offsetsOf } from '../../../../test/support/groups.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { offsetCommitHandler } from './08-offset-commit.ts';

const UNKNOWN_ID = 'AAAAAAAAAAAAAAAAAAAAAQ';
const codes = (topics: readonly { partitions: readonly { errorCode: number }[] }[]) =>
  topics.map(({ partitions }) => partitions.map(({ errorCode }) => errorCode));

describe('OffsetCommit', () => {
  it.each([2, 3, 4, 5, 6, 7, 8, 9])(
    'version %i keeps offsets of a reader that is no member',
    async (version) => {
      const door = await openGroupDoor();
      const { topics } = await door.ask(offsetCommitHandler, version, {
        groupId: 'g',
        memberId: '',
        topics: [
          {
            name: 't',
            partitions: [
              { partitionIndex: 1, committedOffset: 7, committedLeaderEpoch: 2, committedMetadata: 'note' },
              { partitionIndex: 2, committedOffset: 7, committedMetadata: null },
            ],
          },
          { name: 'x', partitions: [{ partitionIndex: 0, committedOffset: 7, committedMetadata: null }] },
        ],
      });
      expect(codes(topics)).toEqual([
        [KafkaErrorCode.none, KafkaErrorCode.unknownTopicOrPartition],
        [KafkaErrorCode.unknownTopicOrPartition],
      ]);
      expect((await offsetsOf(door.groups, 'g')).get('t')!.get(1)).toMatchObject({
        offset: 7,
        leaderEpoch: version < 6 ? -1 : 2,
        metadata: 'note',
      });
    },
  );

  it('version 10 names topics by their ids', async () => {
    const door = await openGroupDoor();
    const partitions = [{ partitionIndex: 0, committedOffset: 3, committedMetadata: null }];
    const { topics } = await door.ask(offsetCommitHandler, 10, {
      groupId: 'g',
      memberId: '',
      topics: [
        { topicId: UNKNOWN_ID, partitions },
        { topicId: door.topicId, partitions },
      ],
    });
    expect(codes(topics)).toEqual([[KafkaErrorCode.unknownTopicId], [KafkaErrorCode.none]]);
    expect(topics[1].topicId).toBe(door.topicId);
    expect((await offsetsOf(door.groups, 'g')).get('t')!.get(0)!.offset).toBe(3);
  });

  it.each([
    [8, KafkaErrorCode.illegalGeneration],
    [9, KafkaErrorCode.groupIdNotFound],
  ])('version %i answers a member of no group with %i', async (version, errorCode) => {
    const door = await openGroupDoor();
    const { topics } = await door.ask(offsetCommitHandler, version, {
      groupId: 'g',
      generationIdOrMemberEpoch: 1,
      memberId: 'x',
      topics: [
        { name: 't', partitions: [{ partitionIndex: 0, committedOffset: 3, committedMetadata: null }] },
      ],
    });
    expect(codes(topics)).toEqual([[errorCode]]);
  });

  it('answers only for the partition whose note is too long', async () => {
    const door = await openGroupDoor();
    const commit = (partitionIndex: number, note: number) => ({
      partitionIndex,
      committedOffset: 3,
      committedMetadata: 'x'.repeat(note),
    });
    const { topics } = await door.ask(offsetCommitHandler, 9, {
      groupId: 'g',
      memberId: '',
      topics: [{ name: 't', partitions: [commit(0, 4097), commit(1, 4096)] }],
    });
    expect(codes(topics)).toEqual([[KafkaErrorCode.offsetMetadataTooLarge, KafkaErrorCode.none]]);
  });

  it('asks the group for nothing where there is nothing to commit', async () => {
    const door = await openGroupDoor();
    const request = { groupId: 'g', generationIdOrMemberEpoch: 5, memberId: 'x', topics: [] };
    expect((await door.ask(offsetCommitHandler, 9, request)).topics).toEqual([]);
    expect(door.groups.list()).toEqual([]);
  });
});
