import { describe, expect, it } from 'vitest';
import { openGroupDoor } from '../../../../test/support/group-handlers.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { leaveGroupHandler } from './13-leave-group.ts';

describe('LeaveGroup', () => {
  it.each([0, 1, 2])('version %i takes one member out', async (version) => {
    const door = await openGroupDoor();
    const { memberId } = await door.joined('g');
    const leave = async (groupId: string) =>
      (await door.ask(leaveGroupHandler, version, { groupId, memberId })).errorCode;
    expect(await leave('x')).toBe(KafkaErrorCode.unknownMemberId);
    expect(await leave('')).toBe(KafkaErrorCode.invalidGroupId);
    expect(await leave('g')).toBe(KafkaErrorCode.none);
    expect(await leave('g')).toBe(KafkaErrorCode.unknownMemberId);
  });

  it.each([3, 4, 5])('version %i takes several out', async (version) => {
    const door = await openGroupDoor();
    const { memberId } = await door.joined('g');
    const members = [{ memberId }, { memberId: 'x' }, { memberId: '', groupInstanceId: 'i' }];
    const left = await door.ask(leaveGroupHandler, version, { groupId: 'g', members });
    const { none, unknownMemberId } = KafkaErrorCode;
    expect(left.errorCode).toBe(none);
    expect(left.members).toEqual([
      { memberId, groupInstanceId: null, errorCode: none },
      { memberId: 'x', groupInstanceId: null, errorCode: unknownMemberId },
      { memberId: '', groupInstanceId: 'i', errorCode: unknownMemberId },
    ]);
    const nowhere = await door.ask(leaveGroupHandler, version, { groupId: '', members });
    expect(nowhere).toMatchObject({ errorCode: KafkaErrorCode.invalidGroupId, members: [] });
  });
});
