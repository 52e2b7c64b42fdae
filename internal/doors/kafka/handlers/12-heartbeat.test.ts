import { describe, expect, it } from 'vitest';
import { openGroupDoor } from '../../../../test/support/group-handlers.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { heartbeatHandler } from './12-heartbeat.ts';

describe('Heartbeat', () => {
  it.each([0, 1, 2, 3, 4])('version %i', async (version) => {
    const door = await openGroupDoor();
    const member = await door.joined('g');
    const beat = async (change: object) =>
      (await door.ask(heartbeatHandler, version, { ...member, ...change })).errorCode;
    expect(await beat({})).toBe(KafkaErrorCode.none);
    expect(await beat({ generationId: 9 })).toBe(KafkaErrorCode.illegalGeneration);
    expect(await beat({ memberId: 'x' })).toBe(KafkaErrorCode.unknownMemberId);
    expect(await beat({ groupId: 'x' })).toBe(KafkaErrorCode.unknownMemberId);
    expect(await beat({ groupId: '' })).toBe(KafkaErrorCode.invalidGroupId);
  });
});
