import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { commitAlone, openGroups, stableGroup, TestClient, TestMember } from '../../test/support/groups.ts';

const TIMERS = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'] as const;

vi.mock('../limits/groups.ts', async (importOriginal) => ({
  ...(await importOriginal<object>()),
  maxGroups: 3,
  maxMembersPerGroup: 2,
  maxGroupMemberBytes: 10_000,
  maxGroupsBytes: 30_000,
  maxStoredGroupBytes: 20_000,
  maxCommittedOffsetsBytes: 1_000,
}));

beforeEach(() => void vi.useFakeTimers({ toFake: [...TIMERS] }));
afterEach(() => void vi.useRealTimers());

const protocols = (bytes: number) => [{ name: 'range', metadata: Buffer.alloc(bytes) }];

describe('limits of groups', () => {
  it('bound the members of one group, those who were only told their ids too', async () => {
    const { groups } = await openGroups();
    const [member] = await stableGroup(groups, 1);
    const told = new TestMember(groups, { needsKnownMemberId: true });
    expect((await told.join()).error).toBe('memberIdRequired');
    expect((await new TestMember(groups).join()).error).toBe('groupMaxSizeReached');
    const joined = told.join();
    expect((await member.join()).error).toBe('none');
    expect((await joined).error).toBe('none');
    expect((await new TestMember(groups).join()).error).toBe('groupMaxSizeReached');
    await member.leave();
    const next = new TestMember(groups).join();
    await told.join();
    expect((await next).error).toBe('none');
  });

  it('bound the groups; idle ones make room, but are looked for only now and then', async () => {
    const { groups } = await openGroups();
    const lone = (groupId: string) => new TestMember(groups, { groupId, needsKnownMemberId: true });
    const [a, b] = [lone('a'), lone('b')];
    for (const member of [a, b]) expect((await member.join()).error).toBe('memberIdRequired');
    expect(await commitAlone(groups, 'c', 1)).toEqual(['none']);
    expect((await lone('d').join()).error).toBe('groupMaxSizeReached');
    expect(await commitAlone(groups, 'd', 1)).toEqual(['groupMaxSizeReached']);
    expect(await a.leave()).toEqual(['none']);
    expect((await lone('d').join()).error).toBe('groupMaxSizeReached');
    vi.advanceTimersByTime(1_000);
    expect((await lone('d').join()).error).toBe('memberIdRequired');
    expect(groups.list().map(({ groupId }) => groupId)).toEqual(['b', 'c', 'd']);
  });

  it('bound the bytes of one member and of all, and what left takes none', async () => {
    const { groups } = await openGroups();
    expect((await new TestMember(groups, { protocols: protocols(10_000) }).join()).error).toBe(
      'groupMaxSizeReached',
    );
    for (let round = 0; round < 20; round++) {
      const members = ['a', 'b', 'c'].map(
        (groupId) => new TestMember(groups, { groupId, protocols: protocols(7_000) }),
      );
      const joined = await Promise.all(members.map((member) => member.join()));
      expect(joined.map(({ error }) => error)).toEqual(['none', 'none', 'none']);
      await Promise.all(members.map((member) => member.sync()));
      expect((await new TestMember(groups, { groupId: 'a', protocols: protocols(7_000) }).join()).error).toBe(
        'groupMaxSizeReached',
      );
      for (const member of members) await member.leave();
    }
  });

  it('bound assignments: too large ones are refused to everybody, who then join again', async () => {
    const { groups } = await openGroups();
    const member = new TestMember(groups);
    await member.join();
    const { memberId, generationId } = member;
    const sync = (bytes: number) =>
      groups.sync(
        {
          groupId: 'g',
          memberId,
          groupInstanceId: null,
          generationId,
          protocolType: null,
          protocolName: null,
          assignments: [
            { memberId: 'stranger', assignment: new Uint8Array(100_000) },
            { memberId, assignment: new Uint8Array(bytes) },
          ],
        },
        new TestClient(),
      );
    expect((await sync(50_000)).error).toBe('unknownServerError');
    expect(member.heartbeat()).toBe('rebalanceInProgress');
    expect((await member.join()).generationId).toBe(2);
    expect((await member.sync()).error).toBe('none');
  });

  it('bound what is kept of one group: with more its members are refused, and the others of all groups are not', async () => {
    const { groups } = await openGroups();
    const members = [1, 2].map(() => new TestMember(groups, { protocols: protocols(8_000) }));
    await Promise.all(members.map((member) => member.join()));
    const leader = members.find(({ joined }) => joined!.members.length > 0)!;
    const { memberId, generationId } = leader;
    const sync = groups.sync(
      {
        groupId: 'g',
        memberId,
        groupInstanceId: null,
        generationId,
        protocolType: null,
        protocolName: null,
        assignments: [{ memberId, assignment: new Uint8Array(5_000) }],
      },
      new TestClient(),
    );
    expect((await sync).error).toBe('unknownServerError');
    expect(members.map((member) => member.heartbeat())).toEqual([
      'rebalanceInProgress',
      'rebalanceInProgress',
    ]);
    const [other] = await stableGroup(groups, 1, { groupId: 'h' });
    expect(other.heartbeat()).toBe('none');
    await Promise.all(members.map((member) => member.join()));
    expect((await Promise.all(members.map((member) => member.sync()))).map(({ error }) => error)).toEqual([
      'none',
      'none',
    ]);
  });

  it('bound committed offsets, which may go on being changed', async () => {
    const { groups } = await openGroups();
    for (const topic of ['a', 'b', 'c', 'd', 'e']) {
      expect(await commitAlone(groups, 'g', 1, { topic })).toEqual(['none']);
    }
    expect(await commitAlone(groups, 'g', 1, { topic: 'f' })).toEqual(['invalidCommitOffsetSize']);
    expect(await commitAlone(groups, 'g', 2, { topic: 'a' })).toEqual(['none']);
    groups.forgetTopic('b');
    expect(await commitAlone(groups, 'g', 1, { topic: 'f' })).toEqual(['none']);
    await groups.delete('g');
    expect(await commitAlone(groups, 'h', 1, { topic: 'f' })).toEqual(['none']);
  });
});
