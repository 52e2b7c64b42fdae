import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isWaiting, openGroups, stableGroup, TestClient, TestMember } from '../../../test/support/groups.ts';

const TIMERS = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'] as const;

beforeEach(() => void vi.useFakeTimers({ toFake: [...TIMERS] }));
afterEach(() => void vi.useRealTimers());

describe('a member whose connection is closed', () => {
  it('is out after a short grace, long before its session ends', async () => {
    const { groups } = await openGroups();
    const [lost, other] = await stableGroup(groups, 2);
    lost.client.close();
    vi.advanceTimersByTime(999);
    expect(other.heartbeat()).toBe('none');
    vi.advanceTimersByTime(1);
    expect(other.heartbeat()).toBe('rebalanceInProgress');
    expect(await other.join()).toMatchObject({ generationId: 2, leader: other.memberId });
  });

  it('stays if it is heard on another connection in time', async () => {
    const { groups } = await openGroups();
    const [member] = await stableGroup(groups, 1);
    member.client.close();
    vi.advanceTimersByTime(900);
    member.client = new TestClient();
    expect(member.heartbeat()).toBe('none');
    vi.advanceTimersByTime(9_999);
    expect(member.heartbeat()).toBe('none');
    member.client.close();
    vi.advanceTimersByTime(1_000);
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

  it('is not brought back by what it sent before it was closed', async () => {
    const { groups } = await openGroups();
    const [member] = await stableGroup(groups, 1);
    member.client.close();
    expect(member.heartbeat()).toBe('none');
    await member.commit(3);
    vi.advanceTimersByTime(1_000);
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

  it('leaves no JoinGroup behind, and does not hold up the others', async () => {
    const { groups } = await openGroups();
    const [first] = await stableGroup(groups, 1);
    const lost = new TestMember(groups);
    const joined = lost.join();
    expect(await isWaiting(joined)).toBe(true);
    lost.client.close();
    expect((await joined).error).toBe('coordinatorNotAvailable');
    const again = first.join();
    expect(await isWaiting(again)).toBe(true);
    vi.advanceTimersByTime(1_000);
    expect((await again).members).toHaveLength(1);
  });

  it('may join again within the grace', async () => {
    const { groups } = await openGroups();
    const [first, second] = await stableGroup(groups, 2);
    const joined = first.join();
    expect(await isWaiting(joined)).toBe(true);
    first.client.close();
    await joined;
    first.client = new TestClient();
    const again = first.join();
    await second.join();
    expect((await again).members).toHaveLength(2);
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
    vi.advanceTimersByTime(1_000);
    expect((await leader.sync()).error).toBe('rebalanceInProgress');
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
    vi.advanceTimersByTime(1_000);
    expect(groups.list().map(({ state }) => state)).toEqual(['Empty', 'Empty', 'Empty']);
  });
});
