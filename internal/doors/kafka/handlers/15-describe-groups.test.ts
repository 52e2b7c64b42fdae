import { describe, expect, it } from 'vitest';
import { joinRequest, openGroupDoor } from '../../../../test/support/group-handlers.ts';
import { decodeAssignment, decodeSubscription } from '../../../protocol/kafka/consumer-protocol.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { joinGroupHandler } from './11-join-group.ts';
import { describeGroupsHandler } from './15-describe-groups.ts';

const NOT_ASKED = -0x8000_0000;

describe('DescribeGroups', () => {
  it.each([0, 1, 2, 3, 4, 5, 6])('version %i tells state, protocol and members', async (version) => {
    const door = await openGroupDoor();
    const { memberId } = await door.joined('g', 'i');
    const { groups } = await door.ask(describeGroupsHandler, version, { groups: ['g'] });
    expect(groups).toMatchObject([
      {
        errorCode: KafkaErrorCode.none,
        errorMessage: null,
        groupId: 'g',
        groupState: 'Stable',
        protocolType: 'consumer',
        protocolData: 'range',
        authorizedOperations: NOT_ASKED,
      },
    ]);
    const [member] = groups[0].members;
    expect(member).toMatchObject({ memberId, groupInstanceId: version < 4 ? null : 'i' });
    expect(decodeSubscription(member.memberMetadata).topics).toEqual(['t']);
    expect(decodeAssignment(member.memberAssignment).assignedPartitions).toEqual([
      { topic: 't', partitions: [0] },
    ]);
  });

  it('tells no protocol before everybody has its assignment', async () => {
    const door = await openGroupDoor();
    await door.ask(joinGroupHandler, 0, joinRequest('g'));
    const { groups } = await door.ask(describeGroupsHandler, 5, { groups: ['g'] });
    expect(groups[0]).toMatchObject({ groupState: 'CompletingRebalance', protocolData: '' });
    expect(groups[0].members[0].memberMetadata).toHaveLength(0);
  });

  it.each([
    [5, KafkaErrorCode.none, null],
    [6, KafkaErrorCode.groupIdNotFound, 'Group x not found.'],
  ])('version %i tells that a group is not there', async (version, errorCode, errorMessage) => {
    const door = await openGroupDoor();
    const { groups } = await door.ask(describeGroupsHandler, version, { groups: ['x'] });
    expect(groups).toMatchObject([
      { groupId: 'x', groupState: 'Dead', errorCode, errorMessage, members: [] },
    ]);
  });

  it('tells a group once, however often it is asked for', async () => {
    const door = await openGroupDoor();
    await door.joined('g');
    const { groups } = await door.ask(describeGroupsHandler, 5, { groups: ['g', 'x', 'g', 'g'] });
    expect(groups.map(({ groupId }) => groupId)).toEqual(['g', 'x']);
  });

  it('tells what may be done with a group if it is asked', async () => {
    const door = await openGroupDoor();
    await door.joined('g');
    const request = { groups: ['g'], includeAuthorizedOperations: true };
    const { groups } = await door.ask(describeGroupsHandler, 6, request);
    expect(groups[0].authorizedOperations).toBe(3400);
  });
});
