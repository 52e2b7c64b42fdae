import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  isWaiting,
  joining,
  openGroups,
  stableGroup,
  TestClient,
  TestMember,
} from '../../test/support/groups.ts';

const TIMERS = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'] as const;

beforeEach(() => void vi.useFakeTimers({ toFake: [...TIMERS] }));
afterEach(() => void vi.useRealTimers());

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

describe('a group', () => {
  it('has one generation with one leader for those who come in the same turn', async () => {
    const { groups } = await openGroups();
    const members = [1, 2, 3].map(() => new TestMember(groups));
    const joined = await Promise.all(members.map((member) => member.join()));
    expect(
      joined.map(({ error, generationId, protocolName }) => [error, generationId, protocolName]),
    ).toEqual(joined.map(() => ['none', 1, 'range']));
    expect(new Set(joined.map(({ leader }) => leader))).toEqual(new Set([members[0].memberId]));
    expect(joined.map((one) => one.members.length)).toEqual([3, 0, 0]);
    expect(groups.describe('g')!.state).toBe('CompletingRebalance');

    const followers = members.slice(1).map((member) => member.sync());
    expect(await isWaiting(followers[0])).toBe(true);
    const assigned = await Promise.all([members[0].sync(), ...followers]);
    expect(assigned.map(({ assignment }) => text(assignment))).toEqual(
      members.map(({ memberId }) => memberId),
    );
    expect(groups.describe('g')).toMatchObject({ state: 'Stable', protocolName: 'range' });
    expect(members.map((member) => member.heartbeat())).toEqual(['none', 'none', 'none']);
  });

  it('names members after their clients and static members after their instances', async () => {
    const { groups } = await openGroups();
    const member = new TestMember(groups, { clientId: 'reader' });
    const fixed = new TestMember(groups, { groupInstanceId: 'reader-7' });
    await Promise.all([member.join(), fixed.join()]);
    expect(member.memberId).toMatch(/^reader-[0-9a-f-]{36}$/);
    expect(fixed.memberId).toMatch(/^reader-7-[0-9a-f-]{36}$/);
  });

  it('tells a new member its id first if the client knows that', async () => {
    const { groups } = await openGroups();
    const member = new TestMember(groups, { needsKnownMemberId: true });
    expect((await member.join()).error).toBe('memberIdRequired');
    expect(groups.describe('g')).toMatchObject({ state: 'Empty', members: [] });
    expect((await member.join()).error).toBe('none');
  });

  it('waits a moment in its first generation for those who were just told their ids', async () => {
    const { groups } = await openGroups();
    const [one, other] = [1, 2].map(() => new TestMember(groups, { needsKnownMemberId: true }));
    await Promise.all([one.join(), other.join()]);
    const joined = one.join();
    expect(await isWaiting(joined)).toBe(true);
    await other.join();
    expect((await joined).members).toHaveLength(2);

    const [here, lost] = [1, 2].map(() => new TestMember(groups, { groupId: 'h', needsKnownMemberId: true }));
    await Promise.all([here.join(), lost.join()]);
    const alone = here.join();
    expect(await isWaiting(alone)).toBe(true);
    vi.advanceTimersByTime(100);
    expect((await alone).members).toHaveLength(1);
  });

  it('rebalances when a member comes: the others are told, join again, and get new work', async () => {
    const { groups } = await openGroups();
    const [first] = await stableGroup(groups, 1);
    const second = new TestMember(groups);
    const joined = second.join();
    expect(await isWaiting(joined)).toBe(true);
    expect(first.heartbeat()).toBe('rebalanceInProgress');
    expect((await first.sync()).error).toBe('rebalanceInProgress');
    expect(await first.commit(5)).toEqual(['none']);
    const again = await first.join();
    expect([again.generationId, again.members.length]).toEqual([2, 2]);
    expect((await joined).generationId).toBe(2);
    expect(await first.commit(6)).toEqual(['rebalanceInProgress']);
    const [own, others] = await Promise.all([first.sync(), second.sync()]);
    expect([text(own.assignment), text(others.assignment)]).toEqual([first.memberId, second.memberId]);
  });

  it('goes on without members that do not join again before the rebalance timeout', async () => {
    const { groups } = await openGroups();
    const [leader, follower] = await stableGroup(groups, 2, { sessionTimeoutMs: 60_000 });
    const joined = follower.join();
    follower.request = { ...follower.request, protocols: [{ name: 'range', metadata: Buffer.from('t,u') }] };
    expect((await joined).error).toBe('none');
    const changed = follower.join();
    vi.advanceTimersByTime(19_999);
    expect(await isWaiting(changed)).toBe(true);
    vi.advanceTimersByTime(1);
    expect(await changed).toMatchObject({ error: 'none', generationId: 2, leader: follower.memberId });
    expect(leader.heartbeat()).toBe('unknownMemberId');
  });

  it('removes a member that is not heard for its session timeout', async () => {
    const { groups } = await openGroups();
    const [quiet, other] = await stableGroup(groups, 2);
    vi.advanceTimersByTime(9_000);
    expect(other.heartbeat()).toBe('none');
    vi.advanceTimersByTime(1_000);
    expect(quiet.heartbeat()).toBe('unknownMemberId');
    expect(other.heartbeat()).toBe('rebalanceInProgress');
    expect(await other.join()).toMatchObject({ generationId: 2, leader: other.memberId });
  });

  it('takes a commit for a heartbeat', async () => {
    const { groups } = await openGroups();
    const [member] = await stableGroup(groups, 1);
    vi.advanceTimersByTime(9_000);
    await member.commit(1);
    vi.advanceTimersByTime(9_000);
    expect(member.heartbeat()).toBe('none');
  });

  it('removes members that never ask for their assignment', async () => {
    const { groups } = await openGroups();
    const [asking, silent] = [1, 2].map(() => new TestMember(groups, { sessionTimeoutMs: 60_000 }));
    await Promise.all([asking.join(), silent.join()]);
    await asking.sync();
    vi.advanceTimersByTime(20_000);
    expect([asking.heartbeat(), silent.heartbeat()]).toEqual(['rebalanceInProgress', 'unknownMemberId']);
  });

  it('refuses who waits for an assignment when a rebalance begins', async () => {
    const { groups } = await openGroups();
    const [leader, follower] = [1, 2].map(() => new TestMember(groups));
    await Promise.all([leader.join(), follower.join()]);
    const waiting = follower.sync();
    void new TestMember(groups).join();
    expect((await waiting).error).toBe('rebalanceInProgress');
  });

  it('expects to hear again from who waited for an assignment and was refused', async () => {
    const { groups } = await openGroups();
    const request = { rebalanceTimeoutMs: 300_000 };
    const [leader, follower] = [1, 2].map(() => new TestMember(groups, request));
    await Promise.all([leader.join(), follower.join()]);
    const waiting = follower.sync();
    for (let elapsedMs = 0; elapsedMs < 12_000; elapsedMs += 4_000) {
      expect(leader.heartbeat()).toBe('none');
      vi.advanceTimersByTime(4_000);
    }
    void new TestMember(groups, request).join();
    expect((await waiting).error).toBe('rebalanceInProgress');
    const again = leader.join();
    vi.advanceTimersByTime(9_999);
    expect(await isWaiting(again)).toBe(true);
    vi.advanceTimersByTime(1);
    expect((await again).members).toHaveLength(2);
  });

  it('lets the leader begin a rebalance, and a follower ask where it stands', async () => {
    const { groups } = await openGroups();
    const [leader, follower] = await stableGroup(groups, 2);
    expect(await follower.join()).toMatchObject({ error: 'none', generationId: 1, members: [] });
    const again = leader.join();
    expect(follower.heartbeat()).toBe('rebalanceInProgress');
    await follower.join();
    expect((await again).generationId).toBe(2);
  });

  it('uses the protocol that most members want among those that all know', async () => {
    const { groups } = await openGroups();
    const protocols = (...names: string[]) => names.map((name) => ({ name, metadata: Buffer.from('t') }));
    const members = [
      ['a', 'b', 'c'],
      ['b', 'c'],
      ['c', 'b'],
      ['b', 'a', 'c'],
    ].map((names) => new TestMember(groups, { protocols: protocols(...names) }));
    const joined = await Promise.all(members.map((member) => member.join()));
    expect(joined[0].protocolName).toBe('b');
    expect((await new TestMember(groups, { protocols: protocols('a') }).join()).error).toBe(
      'inconsistentGroupProtocol',
    );
  });

  it('is empty when the last one has left, and begins anew', async () => {
    const { groups } = await openGroups();
    const [one, other] = await stableGroup(groups, 2);
    expect(await one.leave()).toEqual(['none']);
    expect(other.heartbeat()).toBe('rebalanceInProgress');
    expect(await other.leave()).toEqual(['none']);
    expect(groups.describe('g')).toMatchObject({ state: 'Empty', protocolType: 'consumer', members: [] });
    const connector = new TestMember(groups, { protocolType: 'connect' });
    expect(await connector.join()).toMatchObject({ error: 'none', protocolType: 'connect' });
  });

  it('answers a JoinGroup that waits when its member leaves', async () => {
    const { groups } = await openGroups();
    await stableGroup(groups, 1);
    const member = new TestMember(groups, { needsKnownMemberId: true });
    await member.join();
    const waiting = member.join();
    expect(await isWaiting(waiting)).toBe(true);
    const { memberId } = member;
    expect(await groups.leave('g', [{ memberId, groupInstanceId: null }])).toEqual(['none']);
    expect((await waiting).error).toBe('unknownMemberId');
  });

  it('answers everybody when it is closed, and nobody after', async () => {
    const { groups } = await openGroups();
    const [member] = await stableGroup(groups, 1);
    const waiting = new TestMember(groups).join();
    groups.close();
    expect((await waiting).error).toBe('coordinatorNotAvailable');
    expect((await new TestMember(groups).join()).error).toBe('coordinatorNotAvailable');
    expect([member.heartbeat(), await member.leave()]).toEqual([
      'coordinatorNotAvailable',
      'coordinatorNotAvailable',
    ]);
    expect(await member.commit(1)).toEqual(['coordinatorNotAvailable']);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a request of a group is refused', () => {
  const join = async (request: object) => {
    const { groups } = await openGroups();
    await stableGroup(groups, 1, { groupId: 'stable' });
    return (await groups.join(joining(request), new TestClient())).error;
  };

  it.each([
    ['no name', { groupId: '' }, 'invalidGroupId'],
    ['a session that is too short', { sessionTimeoutMs: 5_999 }, 'invalidSessionTimeout'],
    ['a session that is too long', { sessionTimeoutMs: 1_800_001 }, 'invalidSessionTimeout'],
    ['an id in a group that is not there', { memberId: 'x' }, 'unknownMemberId'],
    ['an id that nobody has', { groupId: 'stable', memberId: 'x' }, 'unknownMemberId'],
    [
      'an instance that nobody has',
      { groupId: 'stable', memberId: 'x', groupInstanceId: 'i' },
      'unknownMemberId',
    ],
    ['no protocol', { protocols: [] }, 'inconsistentGroupProtocol'],
    ['no protocol type', { protocolType: '' }, 'inconsistentGroupProtocol'],
    ['another protocol type', { groupId: 'stable', protocolType: 'connect' }, 'inconsistentGroupProtocol'],
    [
      'another protocol',
      { groupId: 'stable', protocols: [{ name: 'other', metadata: Buffer.alloc(1) }] },
      'inconsistentGroupProtocol',
    ],
    [
      'more metadata than is kept',
      { protocols: [{ name: 'range', metadata: Buffer.alloc(4 * 1024 * 1024) }] },
      'groupMaxSizeReached',
    ],
  ])('JoinGroup: %s', async (_, request, error) => {
    expect(await join(request)).toBe(error);
  });

  it.each([
    ['a group that is not there', { groupId: 'x' }, 'unknownMemberId'],
    ['no name', { groupId: '' }, 'invalidGroupId'],
    ['an id that nobody has', { memberId: 'x' }, 'unknownMemberId'],
    ['an instance that nobody has', { groupInstanceId: 'x' }, 'unknownMemberId'],
    ['another generation', { generationId: 0 }, 'illegalGeneration'],
  ])('SyncGroup, Heartbeat: %s', async (_, change, error) => {
    const { groups } = await openGroups();
    const [{ memberId, generationId, client }] = await stableGroup(groups, 1);
    const request = { groupId: 'g', memberId, generationId, groupInstanceId: null, ...change };
    expect(groups.heartbeat(request, client)).toBe(error);
    const sync = { ...request, protocolType: null, protocolName: null, assignments: [] };
    expect((await groups.sync(sync, client)).error).toBe(error);
  });

  it.each([
    [{ protocolType: 'connect' }, 'inconsistentGroupProtocol'],
    [{ protocolName: 'other' }, 'inconsistentGroupProtocol'],
    [{ protocolType: 'consumer', protocolName: 'range' }, 'none'],
  ])('SyncGroup: %j', async (change, error) => {
    const { groups } = await openGroups();
    const [{ memberId, generationId, client }] = await stableGroup(groups, 1);
    const request = { groupId: 'g', memberId, generationId, groupInstanceId: null, assignments: [] };
    const sync = { ...request, protocolType: null, protocolName: null, ...change };
    expect((await groups.sync(sync, client)).error).toBe(error);
  });

  it('LeaveGroup: one outcome for each', async () => {
    const { groups } = await openGroups();
    const [{ memberId }] = await stableGroup(groups, 2);
    const nobody = { memberId: '', groupInstanceId: null };
    const leaving = [
      { memberId: 'x', groupInstanceId: null },
      { memberId, groupInstanceId: null },
      nobody,
      { ...nobody, groupInstanceId: 'i' },
    ];
    expect(await groups.leave('g', leaving)).toEqual([
      'unknownMemberId',
      'none',
      'unknownMemberId',
      'unknownMemberId',
    ]);
    expect(await groups.leave('x', leaving)).toEqual(leaving.map(() => 'unknownMemberId'));
    expect(await groups.leave('', leaving)).toBe('invalidGroupId');
  });
});
