import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isWaiting, openGroups, stableGroup, TestClient, TestMember } from '../../test/support/groups.ts';

const TIMERS = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'] as const;

beforeEach(() => void vi.useFakeTimers({ toFake: [...TIMERS] }));
afterEach(() => void vi.useRealTimers());

describe('a member whose connection is closed', () => {
  // A proxy that was started again, a network that changed: the member was out after a second, its group rebalanced, and
  // what it had read and not committed was read again by another.
  it('keeps its place for its session timeout, from when it was last heard', async () => {
    const { groups } = await openGroups();
    const [lost, other] = await stableGroup(groups, 2);
    vi.advanceTimersByTime(3_000);
    lost.client.close();
    vi.advanceTimersByTime(6_999);
    expect(other.heartbeat()).toBe('none');
    vi.advanceTimersByTime(1);
    expect(other.heartbeat()).toBe('rebalanceInProgress');
    expect(await other.join()).toMatchObject({ generationId: 2, leader: other.memberId });
  });

  it('goes on if it is heard on another connection in time', async () => {
    const { groups } = await openGroups();
    const [member] = await stableGroup(groups, 1);
    member.client.close();
    vi.advanceTimersByTime(9_000);
    member.client = new TestClient();
    expect(member.heartbeat()).toBe('none');
    vi.advanceTimersByTime(9_999);
    expect(member.heartbeat()).toBe('none');
    member.client.close();
    vi.advanceTimersByTime(10_000);
    expect(groups.describe('g')!.members).toEqual([]);
  });

  it('stays as long as any of its connections is open', async () => {
    const { groups } = await openGroups();
    const [member] = await stableGroup(groups, 1);
    const joinedOn = member.client;
    member.client = new TestClient();
    expect(member.heartbeat()).toBe('none');
    joinedOn.close();
    vi.advanceTimersByTime(5_000);
    expect(member.heartbeat()).toBe('none');
  });

  it('is not kept by what it sent before it was closed', async () => {
    const { groups } = await openGroups();
    const [member] = await stableGroup(groups, 1);
    member.client.close();
    vi.advanceTimersByTime(5_000);
    expect(member.heartbeat()).toBe('none');
    await member.commit(3);
    vi.advanceTimersByTime(5_000);
    expect(groups.describe('g')!.members).toHaveLength(0);
  });

  it('keeps its place for its session timeout if it is static', async () => {
    const { groups } = await openGroups();
    const [lost] = await stableGroup(groups, 1, { groupInstanceId: 'i' });
    lost.client.close();
    vi.advanceTimersByTime(9_999);
    expect(groups.describe('g')!.members).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(groups.describe('g')!.members).toHaveLength(0);
  });

  it('is out at once if nobody knows its id, and holds nobody up', async () => {
    const { groups } = await openGroups();
    const [first] = await stableGroup(groups, 1);
    const lost = new TestMember(groups);
    const joined = lost.join();
    expect(await isWaiting(joined)).toBe(true);
    const again = first.join();
    expect((await again).members).toHaveLength(2);
    const another = new TestMember(groups);
    const waiting = another.join();
    expect(await isWaiting(waiting)).toBe(true);
    another.client.close();
    expect((await waiting).error).toBe('coordinatorNotAvailable');
    await Promise.all([first.join(), lost.join()]);
    expect(groups.describe('g')!.members).toHaveLength(2);
  });

  it('counts as one that joined, and is told the generation when it comes back', async () => {
    const { groups } = await openGroups();
    const [first, second] = await stableGroup(groups, 2);
    const newcomer = new TestMember(groups, { needsKnownMemberId: true });
    await newcomer.join();
    const joins = [first.join(), newcomer.join()];
    expect(await isWaiting(joins[1])).toBe(true);
    for (const { client } of [first, newcomer]) client.close();
    expect((await Promise.all(joins)).map(({ error }) => error)).not.toContain('none');
    expect((await second.join()).generationId).toBe(2);
    for (const member of [first, newcomer]) {
      member.client = new TestClient();
      expect(await member.join()).toMatchObject({ error: 'none', generationId: 2, leader: first.memberId });
    }
    expect(groups.describe('g')!.members).toHaveLength(3);
  });

  it('is out after its session timeout if it joined and never came back', async () => {
    const { groups } = await openGroups();
    const [first] = await stableGroup(groups, 1);
    const lost = new TestMember(groups, { needsKnownMemberId: true });
    await lost.join();
    const joined = lost.join();
    expect(await isWaiting(joined)).toBe(true);
    lost.client.close();
    vi.advanceTimersByTime(9_999);
    expect(first.heartbeat()).toBe('rebalanceInProgress');
    const again = first.join();
    expect((await again).members).toHaveLength(2);
    await first.sync();
    for (let elapsedMs = 0; elapsedMs < 10_000; elapsedMs += 5_000) {
      expect(first.heartbeat()).toBe('none');
      vi.advanceTimersByTime(5_000);
    }
    expect(first.heartbeat()).toBe('rebalanceInProgress');
  });

  it('leaves no JoinGroup of a static member behind, which still counts as joined', async () => {
    const { groups } = await openGroups();
    const [first] = await stableGroup(groups, 1);
    const lost = new TestMember(groups, { groupInstanceId: 'i' });
    const joined = lost.join();
    expect(await isWaiting(joined)).toBe(true);
    lost.client.close();
    expect((await joined).error).not.toBe('none');
    expect((await first.join()).members).toHaveLength(2);
  });

  it('leaves no SyncGroup behind', async () => {
    const { groups } = await openGroups();
    const [leader, lost] = [1, 2].map(() => new TestMember(groups));
    await Promise.all([leader.join(), lost.join()]);
    const waiting = lost.sync();
    expect(await isWaiting(waiting)).toBe(true);
    lost.client.close();
    expect((await waiting).error).toBe('coordinatorNotAvailable');
    expect((await leader.sync()).error).toBe('none');
    lost.client = new TestClient();
    expect((await lost.sync()).error).toBe('none');
  });

  it('is not waited for when it never came back with the id that it was told', async () => {
    const { groups } = await openGroups();
    const [first] = await stableGroup(groups, 1);
    const lost = new TestMember(groups, { needsKnownMemberId: true });
    await lost.join();
    const again = first.join();
    expect(await isWaiting(again)).toBe(true);
    lost.client.close();
    vi.advanceTimersByTime(1_000);
    expect((await again).members).toHaveLength(1);
  });

  it('is not let in at all when it is gone already', async () => {
    const { groups } = await openGroups();
    const member = new TestMember(groups);
    member.client.close();
    expect((await member.join()).error).toBe('coordinatorNotAvailable');
    expect(groups.list()).toEqual([]);
  });

  it('takes all members of all groups with it that it spoke for', async () => {
    const { groups } = await openGroups();
    const client = new TestClient();
    const members = ['a', 'b', 'c'].map((groupId) => new TestMember(groups, { groupId }, client));
    await Promise.all(members.map((member) => member.join()));
    client.close();
    vi.advanceTimersByTime(10_000);
    await turn();
    expect(groups.list().map(({ state }) => state)).toEqual(['Empty', 'Empty', 'Empty']);
  });
});

describe('a program that is started again without having left', () => {
  const alone = { clientId: 'rdkafka' };

  it('waits four seconds for the one that it was, not for the end of its session', async () => {
    const { groups } = await openGroups();
    const [before] = await stableGroup(groups, 1, alone);
    before.client.close();
    vi.advanceTimersByTime(500);
    const after = new TestMember(groups, { ...alone, needsKnownMemberId: true });
    await after.join();
    const joined = after.join();
    expect(await isWaiting(joined)).toBe(true);
    vi.advanceTimersByTime(3_999);
    expect(await isWaiting(joined)).toBe(true);
    vi.advanceTimersByTime(1);
    expect((await joined).members).toHaveLength(1);
    await after.sync();

    after.client.close();
    const third = new TestMember(groups, alone);
    const again = third.join();
    vi.advanceTimersByTime(4_000);
    expect((await again).members).toHaveLength(1);
  });

  it('waits as long if the one that it was waited for others', async () => {
    const { groups } = await openGroups();
    const [other] = await stableGroup(groups, 1);
    const before = new TestMember(groups, { ...alone, needsKnownMemberId: true });
    await before.join();
    void before.join();
    await other.join();
    void before.join();
    before.client.close();
    const after = new TestMember(groups, alone);
    const joined = after.join();
    vi.advanceTimersByTime(3_999);
    const again = other.join();
    expect(await isWaiting(again)).toBe(true);
    vi.advanceTimersByTime(1);
    expect((await again).members).toHaveLength(2);
    expect((await joined).error).toBe('none');
  });

  it('is not taken for another one of its name that only lost its connection', async () => {
    const { groups } = await openGroups();
    const [first] = await stableGroup(groups, 1, alone);
    first.client.close();
    const second = new TestMember(groups, alone);
    const joined = second.join();
    vi.advanceTimersByTime(3_500);
    first.client = new TestClient();
    expect(first.heartbeat()).toBe('rebalanceInProgress');
    expect((await first.join()).members).toHaveLength(2);
    await joined;
    await Promise.all([first.sync(), second.sync()]);

    // Now it is known that there are two.
    second.client.close();
    const third = new TestMember(groups, alone);
    const waiting = third.join();
    const again = first.join();
    vi.advanceTimersByTime(9_999);
    expect(await isWaiting(waiting)).toBe(true);
    second.client = new TestClient();
    expect(second.heartbeat()).toBe('rebalanceInProgress');
    await second.join();
    expect((await again).members).toHaveLength(3);
  });

  it.each([
    ['another name', {}, { clientId: 'other' }],
    ['another host', {}, {}],
    ['a name of its own, as static members have', { groupInstanceId: 'i' }, {}],
  ])('has nothing to do with one of %s', async (_, request, change) => {
    const { groups } = await openGroups();
    const [lost] = await stableGroup(groups, 1, { ...alone, ...request });
    lost.client.close();
    const client = new TestClient(_ === 'another host' ? '192.0.2.1' : undefined);
    const joined = new TestMember(groups, { ...alone, ...change }, client).join();
    vi.advanceTimersByTime(9_999);
    expect(await isWaiting(joined)).toBe(true);
    vi.advanceTimersByTime(1);
    expect((await joined).error).toBe('none');
  });
});
