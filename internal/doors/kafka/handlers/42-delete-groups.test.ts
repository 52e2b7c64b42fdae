import { describe, expect, it } from 'vitest';
import { openGroupDoor } from '../../../../test/support/group-handlers.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { leaveGroupHandler } from './13-leave-group.ts';
import { deleteGroupsHandler } from './42-delete-groups.ts';

describe('DeleteGroups', () => {
  it.each([0, 1, 2])('version %i deletes those that are empty', async (version) => {
    const door = await openGroupDoor();
    await door.joined('stable');
    const { memberId } = await door.joined('empty');
    await door.ask(leaveGroupHandler, 0, { groupId: 'empty', memberId });
    const groupsNames = ['stable', 'empty', 'x', 'empty'];
    const { results } = await door.ask(deleteGroupsHandler, version, { groupsNames });
    expect(results).toEqual([
      { groupId: 'stable', errorCode: KafkaErrorCode.nonEmptyGroup },
      { groupId: 'empty', errorCode: KafkaErrorCode.none },
      { groupId: 'x', errorCode: KafkaErrorCode.groupIdNotFound },
    ]);
    expect(door.groups.list().map(({ groupId }) => groupId)).toEqual(['stable']);
  });
});
