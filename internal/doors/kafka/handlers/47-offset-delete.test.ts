import { describe, expect, it } from 'vitest';
import { openGroupDoor } from '../../../../test/support/group-handlers.ts';
import { offsetsOf } from '../../../../test/support/groups.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { offsetCommitHandler } from './08-offset-commit.ts';
import { offsetDeleteHandler } from './47-offset-delete.ts';

const topic = (name: string, ...partitions: number[]) => ({
  name,
  partitions: partitions.map((partitionIndex) => ({ partitionIndex })),
});

describe('OffsetDelete', () => {
  it('deletes offsets of topics that nobody of the group reads', async () => {
    const door = await openGroupDoor();
    await door.logs.createTopic('u', 1, {});
    const member = await door.joined('g');
    const partitions = [{ partitionIndex: 0, committedOffset: 3, committedMetadata: null }];
    await door.ask(offsetCommitHandler, 9, {
      groupId: 'g',
      generationIdOrMemberEpoch: member.generationId,
      memberId: member.memberId,
      topics: [
        { name: 't', partitions },
        { name: 'u', partitions },
      ],
    });
    const topics = [topic('t', 0, 9), topic('u', 0), topic('x', 0)];
    const deleted = await door.ask(offsetDeleteHandler, 0, { groupId: 'g', topics });
    const { none, groupSubscribedToTopic, unknownTopicOrPartition } = KafkaErrorCode;
    expect(deleted).toMatchObject({
      errorCode: none,
      topics: [
        {
          name: 't',
          partitions: [
            { partitionIndex: 0, errorCode: groupSubscribedToTopic },
            { partitionIndex: 9, errorCode: unknownTopicOrPartition },
          ],
        },
        { name: 'u', partitions: [{ partitionIndex: 0, errorCode: none }] },
        { name: 'x', partitions: [{ partitionIndex: 0, errorCode: unknownTopicOrPartition }] },
      ],
    });
    expect([...(await offsetsOf(door.groups, 'g')).keys()]).toEqual(['t']);
  });

  it.each([
    ['x', KafkaErrorCode.groupIdNotFound],
    ['', KafkaErrorCode.invalidGroupId],
  ])('refuses the group %j', async (groupId, errorCode) => {
    const door = await openGroupDoor();
    const request = { groupId, topics: [topic('t', 0)] };
    expect(await door.ask(offsetDeleteHandler, 0, request)).toMatchObject({ errorCode, topics: [] });
  });
});
