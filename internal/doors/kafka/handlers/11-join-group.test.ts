import { describe, expect, it } from 'vitest';
import { joinRequest, openGroupDoor } from '../../../../test/support/group-handlers.ts';
import { encodeSubscription, subscribedTopics } from '../../../protocol/kafka/consumer-protocol.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { KafkaProtocolError } from '../../../protocol/kafka/protocol-error.ts';
import { joinGroupHandler } from './11-join-group.ts';
import { describeGroupsHandler } from './15-describe-groups.ts';

describe('JoinGroup', () => {
  it.each([0, 1, 2, 3])('version %i lets a member in at once', async (version) => {
    const door = await openGroupDoor();
    const joined = await door.ask(joinGroupHandler, version, joinRequest('g'));
    expect(joined).toMatchObject({ errorCode: KafkaErrorCode.none, generationId: 1, protocolName: 'range' });
    expect(joined.leader).toBe(joined.memberId);
    expect(joined.members.map(({ memberId }) => memberId)).toEqual([joined.memberId]);
  });

  it.each([4, 5, 6, 7, 8, 9])('version %i tells a member its id first', async (version) => {
    const door = await openGroupDoor();
    const told = await door.ask(joinGroupHandler, version, joinRequest('g'));
    expect(told).toMatchObject({
      errorCode: KafkaErrorCode.memberIdRequired,
      generationId: -1,
      protocolName: version < 7 ? '' : null,
    });
    const { memberId } = told;
    const joined = await door.ask(joinGroupHandler, version, { ...joinRequest('g'), memberId });
    expect(joined).toMatchObject({
      errorCode: KafkaErrorCode.none,
      generationId: 1,
      protocolType: version < 7 ? null : 'consumer',
      protocolName: 'range',
      leader: memberId,
      skipAssignment: false,
    });
  });

  it.each([5, 9])('version %i knows static members', async (version) => {
    const door = await openGroupDoor();
    await door.joined('g', 'i');
    const request = { ...joinRequest('g'), groupInstanceId: 'i' };
    const { leader, memberId, skipAssignment, members } = await door.ask(joinGroupHandler, version, request);
    expect([leader === memberId, skipAssignment, members.length]).toEqual(
      version < 9 ? [false, false, 0] : [true, true, 1],
    );
  });

  it('refuses with the id that the client gave', async () => {
    const door = await openGroupDoor();
    const request = { ...joinRequest(''), memberId: 'x' };
    expect(await door.ask(joinGroupHandler, 9, request)).toMatchObject({
      errorCode: KafkaErrorCode.invalidGroupId,
      memberId: 'x',
      protocolName: null,
    });
  });

  it('shows the host and the name of the client', async () => {
    const door = await openGroupDoor();
    const { memberId } = await door.joined('g');
    const { groups } = await door.ask(describeGroupsHandler, 5, { groups: ['g'] });
    expect(groups[0].members).toMatchObject([{ memberId, clientId: 'client', clientHost: '/127.0.0.1' }]);
  });
});

describe('the topics of a consumer', () => {
  it.each([0, 1, 2, 3, 9])('are read from version %i of its subscription', (version) => {
    const metadata = encodeSubscription(Math.min(version, 3), { topics: ['a', 'b'] });
    metadata.writeInt16BE(version, 0);
    expect(subscribedTopics(metadata)).toEqual(['a', 'b']);
  });

  it.each(['', '0000', '000000000005'])('are not read from %j', (hex) => {
    expect(() => subscribedTopics(Buffer.from(hex, 'hex'))).toThrow(KafkaProtocolError);
  });
});
