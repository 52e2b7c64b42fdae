import { describe, expect, it } from 'vitest';
import { joinRequest, openGroupDoor } from '../../../../test/support/group-handlers.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { joinGroupHandler } from './11-join-group.ts';
import { syncGroupHandler } from './14-sync-group.ts';

describe('SyncGroup', () => {
  it.each([0, 1, 2, 3, 4, 5])('version %i hands out what the leader brings', async (version) => {
    const door = await openGroupDoor();
    const { memberId, generationId } = await door.ask(joinGroupHandler, 0, joinRequest('g'));
    const protocol = version < 5 ? {} : { protocolType: 'consumer', protocolName: 'range' };
    const assignments = [{ memberId, assignment: Buffer.from('work') }];
    const request = { groupId: 'g', generationId, memberId, ...protocol, assignments };
    const synced = await door.ask(syncGroupHandler, version, request);
    expect([synced.errorCode, Buffer.from(synced.assignment).toString()]).toEqual([0, 'work']);
    expect([synced.protocolType, synced.protocolName]).toEqual(
      version < 5 ? [null, null] : ['consumer', 'range'],
    );
    const wrong = await door.ask(syncGroupHandler, version, { ...request, generationId: 9 });
    expect([wrong.errorCode, wrong.assignment.length]).toEqual([KafkaErrorCode.illegalGeneration, 0]);
  });

  it.each([
    { protocolType: 'consumer', protocolName: null },
    { protocolType: null, protocolName: 'range' },
    { protocolType: 'consumer', protocolName: 'other' },
    { protocolType: 'connect', protocolName: 'range' },
  ])('version 5 refuses %j', async (protocol) => {
    const door = await openGroupDoor();
    const member = await door.joined('g');
    const { errorCode } = await door.ask(syncGroupHandler, 5, { ...member, ...protocol, assignments: [] });
    expect(errorCode).toBe(KafkaErrorCode.inconsistentGroupProtocol);
  });
});
