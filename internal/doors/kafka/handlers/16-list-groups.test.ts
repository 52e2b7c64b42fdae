import { describe, expect, it } from 'vitest';
import { type GroupDoor, openGroupDoor } from '../../../../test/support/group-handlers.ts';
import { leaveGroupHandler } from './13-leave-group.ts';
import { listGroupsHandler } from './16-list-groups.ts';

async function doorWithGroups(): Promise<GroupDoor> {
  const door = await openGroupDoor();
  await door.joined('stable');
  const { memberId } = await door.joined('empty');
  await door.ask(leaveGroupHandler, 0, { groupId: 'empty', memberId });
  return door;
}

describe('ListGroups', () => {
  it.each([0, 1, 2, 3, 4, 5])('version %i lists all', async (version) => {
    const door = await doorWithGroups();
    const { groups, errorCode } = await door.ask(listGroupsHandler, version, {});
    const states = version < 4 ? ['', ''] : ['Stable', 'Empty'];
    const groupType = version < 5 ? '' : 'classic';
    expect(errorCode).toBe(0);
    expect(groups).toEqual([
      { groupId: 'stable', protocolType: 'consumer', groupState: states[0], groupType },
      { groupId: 'empty', protocolType: 'consumer', groupState: states[1], groupType },
    ]);
  });

  it.each([
    [{ statesFilter: ['STABLE '] }, ['stable']],
    [{ statesFilter: ['Stable', 'Empty'] }, ['stable', 'empty']],
    [{ statesFilter: ['nonsense'] }, []],
    [{ typesFilter: ['Classic'] }, ['stable', 'empty']],
    [{ typesFilter: ['consumer'] }, []],
    [{ typesFilter: ['classic'], statesFilter: ['empty'] }, ['empty']],
  ])('filters by %j', async (filter, groupIds) => {
    const door = await doorWithGroups();
    const { groups } = await door.ask(listGroupsHandler, 5, filter);
    expect(groups.map(({ groupId }) => groupId)).toEqual(groupIds);
  });
});
